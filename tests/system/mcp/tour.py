"""The official Python client through every tool of the product; says which it called."""

import json
import sys
import uuid

import anyio
from mcp import Client

MODE, URL = sys.argv[1:]
AT = f"tour/{MODE}/{uuid.uuid4()}"


async def main():
    async with Client(URL + "/mcp", mode=MODE) as client:
        called = []

        async def call(tool, **arguments):
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, (tool, result.content)
            called.append(tool)
            return result.structured_content

        await call("context_pack", session=AT)
        since = (await call("memory_changes"))["position"]
        assert (await call("memory_set", key=AT, value={"v": 1}))["version"] == 1
        assert (await call("memory_get", key=AT))["value"] == {"v": 1}
        patched = await call("memory_patch", key=AT, patch={"w": "harbour"}, expected_version=1)
        assert patched["version"] == 2
        assert AT in json.dumps(await call("memory_list", prefix=AT))
        assert AT in json.dumps(await call("memory_search", query="harbour"))
        assert len((await call("memory_history", key=AT))["versions"]) == 2
        await call("memory_delete", key=AT)
        assert (await call("memory_restore", key=AT, version=1))["version"] == 4
        changes = (await call("memory_changes", since=since, wait_seconds=5))["changes"]
        assert [one["key"] for one in changes if one["key"] == AT]
        await call("mode_set", mode="didactic")
        assert (await call("mode_get"))["mode"] == "didactic"
        assert (await call("agents_list"))["you"]
        claim = await call("claim_acquire", resource=AT)
        await call("claim_release", resource=AT, token=claim["token"])
        await call("response_record", chat_id=AT, message_id="m", source="local", provider="p",
                   model="m", text="said")
        assert len((await call("response_query", chat_id=AT))["responses"]) == 1
        tools = [tool.name for tool in (await client.list_tools()).tools]
    print(json.dumps({"tools": tools, "called": sorted(set(called))}))


anyio.run(main)

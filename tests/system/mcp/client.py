"""The official Python client: lists, reads, calls, is asked, hears of changes; says what it saw."""

import json
import sys
import urllib.request

import anyio
from mcp import Client
from mcp.types import ElicitResult

MODE, URL = sys.argv[1:]


def write(key):
    request = urllib.request.Request(
        f"{URL}/api/v1/contexts/{key}", b'{"data":{"v":1},"force":true}',
        {"Content-Type": "application/json"}, method="PUT")
    urllib.request.urlopen(request).close()


async def answer(_context, _params):
    return ElicitResult(action="accept", content={"name": "Ada", "color": "red"})


async def main():
    progress = []

    async def told(done, _total, _message):
        progress.append(done)

    async with Client(URL + "/mcp", mode=MODE, elicitation_callback=answer) as client:
        called = await client.call_tool("test_simple_text", {})
        await client.call_tool("test_tool_with_progress", {}, progress_callback=told)
        asked = await client.call_tool("test_input_required_result_multi_round", {})
        read = await client.read_resource("test://static-text")
        out = {
            "version": client.protocol_version,
            "tools": [tool.name for tool in (await client.list_tools()).tools],
            "text": called.content[0].text,
            "read": read.contents[0].text,
            "progress": progress,
            "asked": asked.content[0].text,
            "prompts": len((await client.list_prompts()).prompts),
        }
        if MODE == "auto":
            async with client.listen(resource_subscriptions=["python"]) as changes:
                write("python")
                with anyio.fail_after(10):
                    async for change in changes:
                        out["heard"] = str(change.uri)
                        break
    print(json.dumps(out))


anyio.run(main)

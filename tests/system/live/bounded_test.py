"""No message is larger than what common clients take as they come."""

import asyncio
import json

import aiohttp
import websockets

from support.plain import Plain
from support.rest import Api
from support.sse import Stream
from support.v2 import V2

CONTEXTS = 10_000
SMALLEST_DEFAULT = 1 << 20  # Python websockets, URLSessionWebSocketTask
STATE_BYTES = 245_760  # state_response_bytes_max


def fill(server, contexts=CONTEXTS, user="ada"):
    with V2(server.port, user, timeout=60) as writer:
        for first in range(0, contexts, 500):
            sent = [writer.begin({"op": "context.put", "contextKey": f"key/{n}", "force": True,
                                  "data": {"n": n, "text": "a small context"}})
                    for n in range(first, min(first + 500, contexts))]
            for operation in sent:
                writer.finish(operation)


async def read_state(receive, contexts):
    """All that answers a state request: the sizes of the messages, and the contexts."""
    sizes, found = [], {}
    while len(found) < contexts:
        text = await receive()
        message = json.loads(text)
        if message["type"] == "state-response":
            assert not found, "the state comes first"
            assert message["payload"]["following"] == contexts - len(message["payload"]["contexts"])
            sizes.append(len(text.encode()))
            for one in message["payload"]["contexts"]:
                found[one["contextKey"]] = (one["data"], one["metadata"]["version"])
        elif message["type"] == "context-sync":
            sizes.append(len(text.encode()))
            payload = message["payload"]
            assert message["instanceId"] not in ("me", ""), "the node's own word"
            assert payload["contextKey"] not in found and payload["mergeStrategy"] == "replace"
            found[payload["contextKey"]] = (payload["data"], payload["version"])
    return sizes, found


def ask(kind):
    return json.dumps({"id": "1", "type": kind, "userId": "ada", "instanceId": "me",
                       "timestamp": 0, "payload": {}})


def judge(sizes, found):
    assert found == {f"key/{n}": ({"n": n, "text": "a small context"}, 1)
                     for n in range(CONTEXTS)}
    assert sizes[0] <= STATE_BYTES and sizes[0] > STATE_BYTES / 2, sizes[0]
    assert max(sizes) < SMALLEST_DEFAULT


def test_clients_as_they_come_get_a_large_state_whole(make_server):
    server = make_server().start()
    fill(server)
    url = f"ws://127.0.0.1:{server.port}/sync"

    async def with_websockets():
        async with websockets.connect(url) as client:
            await client.send(ask("state-request"))
            return await read_state(client.recv, CONTEXTS)

    async def with_aiohttp():
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as client:
            await client.send_str(ask("state-request"))
            return await read_state(client.receive_str, CONTEXTS)

    judge(*asyncio.run(with_websockets()))
    judge(*asyncio.run(with_aiohttp()))


def test_the_newest_contexts_are_in_the_state_itself(make_server):
    server = make_server().start()
    fill(server, 1500)
    with Plain(server.port, "ada") as client:
        client.send("state-request", {})
        state = client.receive("state-response")["payload"]
        inside = [int(one["contextKey"][4:]) for one in state["contexts"]]
        assert inside == list(range(1499, 1499 - len(inside), -1))
        assert state["following"] == 1500 - len(inside)
        rest = [client.receive("context-sync") for _ in range(1500 - len(inside))]
        keys = [int(one["payload"]["contextKey"][4:]) for one in rest]
        assert inside + keys == list(range(1499, -1, -1))
        ids = {one["id"] for one in rest}
        assert len(ids) == len(rest)


def test_large_contexts_come_one_by_one(make_server):
    server = make_server().start()
    with V2(server.port, "ada") as writer:
        for n in range(3):
            writer.put(f"large/{n}", {"x": "y" * 262_000})
    with Plain(server.port, "ada") as client:
        client.send("state-request", {})
        state = client.receive("state-response")["payload"]
        assert state["contexts"] == [] and state["following"] == 3
        keys = [client.receive("context-sync")["payload"]["contextKey"] for _ in range(3)]
        assert keys == ["large/2", "large/1", "large/0"]


def test_what_is_written_meanwhile_comes_behind_the_state(make_server):
    server = make_server().start()
    fill(server)
    with Plain(server.port, "ada", timeout=30) as reader, V2(server.port, "ada") as writer:
        reader.send("state-request", {})
        for n in range(50):
            writer.put("key/0", {"written": n})
        versions, contexts = [], 0
        while not versions or versions[-1] < 51:
            message = reader.read(30)
            payload = message["payload"]
            if message["type"] == "state-response":
                contexts += len(payload["contexts"])
            elif message["type"] == "context-sync":
                contexts += 1
                if payload["contextKey"] == "key/0":
                    versions.append(payload["version"])
        assert versions == sorted(versions)
        assert contexts >= CONTEXTS


def test_snapshots_of_both_kinds_come_in_bounded_pages(make_server):
    server = make_server().start()
    fill(server, 2000)
    with V2(server.port, "ada") as writer:
        for n in range(40):  # conflicts of 200,000 bytes each
            key = f"torn/{n}"
            writer.put(key, {"x": "base"})
            writer.put(key, {"x": "a" * 100_000}, expectedVersion=1, force=False)
            writer.do("context.put", contextKey=key, data={"x": "b" * 100_000},
                      mergeStrategy="merge", expectedVersion=1)
    largest = 0
    with V2(server.port, "ada", snapshot=True, timeout=60) as client:
        conflicts = 0
        while True:
            message = client.receive("snapshot")
            largest = max(largest, len(json.dumps(message)))
            conflicts += len(message["payload"]["conflicts"])
            if message["payload"]["last"]:
                break
        assert conflicts == 40
    stream = Stream(server, "ada", timeout=60, snapshot="true")
    messages = stream.until("snapshot-end")
    largest = max([largest, *(len(json.dumps(data)) for _, _, data in messages)])
    found = {"contexts": 0, "conflicts": 0, "modes": 0}
    for event, _, data in messages:
        for kind in found if event.startswith("snapshot") else ():
            found[kind] += len(data[kind])
    assert found == {"contexts": 2040, "conflicts": 40, "modes": 0}
    assert largest < SMALLEST_DEFAULT
    assert len(Api(server, "ada").get("conflicts")["conflicts"]) == 40

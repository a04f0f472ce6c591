"""Clients that others wrote: each connects, writes, is seen in order, and closes cleanly."""

import asyncio
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading
import uuid

import aiohttp
import pytest
import websocket
import websockets

from support.server import PATIENCE

NODE = pathlib.Path(__file__).resolve().parents[1] / "node"
COMMON = [
    "the connect message comes first",
    "the first message registers",
    "another client sees the writes in order",
    "a large message arrives whole",
    "a JSON ping is answered with its payload",
    "the state is complete",
    "the close code is given back",
]
PROTOCOL_PING = "a protocol ping is answered"


# ---- Node and Chromium ----------------------------------------------------------------------

def run_node(script, *args):
    done = subprocess.run(["node", str(NODE / script), *map(str, args)], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=120 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def npm_ws(server):
    return run_node("ws_client.mjs", server.port)


@pytest.fixture(scope="module")
def chromium(server):
    if not shutil.which(os.environ.get("CHROMIUM", "chromium")):
        pytest.skip("Chromium is not installed")
    # A page of another origin: another port is another origin.
    foreign = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    threading.Thread(target=foreign.serve_forever, daemon=True).start()
    try:
        return run_node("chromium_client.mjs", server.port, foreign.server_port)
    finally:
        foreign.shutdown()


class _Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("step", COMMON + [PROTOCOL_PING])
def test_npm_ws(npm_ws, step):
    assert step in npm_ws


@pytest.mark.parametrize("step", COMMON + ["a page of another origin is refused"])
def test_chromium(chromium, step):
    assert step in chromium


# ---- Python ---------------------------------------------------------------------------------

class Websockets:
    """PyPI websockets."""

    async def open(self, url):
        self.socket = await websockets.connect(url, max_size=4 << 20)

    async def send(self, text):
        await self.socket.send(text)

    async def receive(self):
        return await self.socket.recv()

    async def protocol_ping(self):
        await (await self.socket.ping(b"payload"))
        return True

    async def close(self, code):
        await self.socket.close(code)
        return self.socket.close_code if hasattr(self.socket, "close_code") else None


class Aiohttp:
    """PyPI aiohttp."""

    async def open(self, url):
        self.session = aiohttp.ClientSession()
        self.socket = await self.session.ws_connect(url, autoping=False, max_msg_size=4 << 20)
        self.pongs = 0
        self.texts = []

    async def send(self, text):
        await self.socket.send_str(text)

    async def _next(self):
        message = await self.socket.receive()
        if message.type == aiohttp.WSMsgType.PONG:
            assert message.data == b"payload"
            self.pongs += 1
        elif message.type == aiohttp.WSMsgType.TEXT:
            self.texts.append(message.data)
        else:
            raise AssertionError(message)

    async def receive(self):
        while not self.texts:
            await self._next()
        return self.texts.pop(0)

    async def protocol_ping(self):
        await self.socket.ping(b"payload")
        while not self.pongs:
            await self._next()
        return True

    async def close(self, code):
        await self.socket.close(code=code)
        await self.session.close()
        return self.socket.close_code


class WebsocketClient:
    """PyPI websocket-client, which blocks."""

    async def open(self, url):
        self.socket = await asyncio.to_thread(websocket.create_connection, url, timeout=20)
        self.texts = []

    async def send(self, text):
        await asyncio.to_thread(self.socket.send, text)

    async def receive(self):
        return self.texts.pop(0) if self.texts else await asyncio.to_thread(self.socket.recv)

    async def protocol_ping(self):
        await asyncio.to_thread(self.socket.ping, "payload")
        while True:
            opcode, data = await asyncio.to_thread(self.socket.recv_data, True)
            if opcode == websocket.ABNF.OPCODE_PONG:
                return data == b"payload"
            self.texts.append(data.decode())

    async def close(self, code):
        self.socket.send_close(code)
        while True:
            opcode, data = await asyncio.to_thread(self.socket.recv_data, True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.socket.shutdown()
                return int.from_bytes(data[:2], "big")


class Conversation:
    """One client's side of the scenario: envelopes over any of the libraries."""

    def __init__(self, library, user):
        self.link = library()
        self.user = user
        self.instance = str(uuid.uuid4())

    async def send(self, kind, payload):
        message_id = str(uuid.uuid4())
        await self.link.send(json.dumps({
            "id": message_id, "type": kind, "userId": self.user, "instanceId": self.instance,
            "timestamp": 0, "payload": payload}))
        return message_id

    async def receive(self, kind):
        while True:
            message = json.loads(await asyncio.wait_for(self.link.receive(), 20 * PATIENCE))
            if message["type"] == kind:
                return message

    async def ping(self, payload):
        sent = await self.send("ping", payload)
        got = await self.receive("pong")
        assert got["id"] == sent
        return got["payload"]


async def scenario(library, port):
    held = []
    user = str(uuid.uuid4())
    writer, reader = Conversation(library, user), Conversation(library, user)
    await writer.link.open(f"ws://127.0.0.1:{port}/sync")
    await reader.link.open(f"ws://127.0.0.1:{port}/")
    assert json.loads(await writer.link.receive())["type"] == "connect"
    held.append(COMMON[0])
    await writer.ping({})
    await reader.ping({})
    held.append(COMMON[1])
    for n in range(50):
        await writer.send("context-sync", {"contextKey": f"key-{n % 3}", "data": {"n": n},
                                           "version": 0, "mergeStrategy": "replace"})
    seen = [(await reader.receive("context-sync"))["payload"]["data"]["n"] for _ in range(50)]
    assert seen == list(range(50))
    held.append(COMMON[2])
    await writer.send("context-sync", {"contextKey": "large", "data": {"large": "x" * 200000},
                                       "version": 0, "mergeStrategy": "replace"})
    assert len((await reader.receive("context-sync"))["payload"]["data"]["large"]) == 200000
    held.append(COMMON[3])
    assert await writer.ping({"echo": ["ä", None]}) == {"echo": ["ä", None]}
    held.append(COMMON[4])
    await reader.send("state-request", {})
    assert len((await reader.receive("state-response"))["payload"]["contexts"]) == 4
    held.append(COMMON[5])
    assert await writer.link.protocol_ping()
    held.append(PROTOCOL_PING)
    assert await writer.link.close(4000) == 4000
    assert await reader.link.close(1000) == 1000
    held.append(COMMON[6])
    return held


@pytest.fixture(scope="module", params=[Websockets, Aiohttp, WebsocketClient],
                ids=["websockets", "aiohttp", "websocket_client"])
def python_client(request, server):
    return asyncio.run(scenario(request.param, server.port))


@pytest.mark.parametrize("step", COMMON + [PROTOCOL_PING])
def test_python_client(python_client, step):
    assert step in python_client

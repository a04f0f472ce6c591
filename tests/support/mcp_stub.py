"""A server that speaks as much of MCP over HTTP as the test of a forwarder needs, in both eras; and
a client at the other end of a `dyad-memory mcp`."""

import http.server
import json
import os
import queue
import socket
import socketserver
import subprocess
import threading
import time
import uuid

from support.server import BINARY, PATIENCE, wait_until

MODERN = "2026-07-28"
VERSION = "io.modelcontextprotocol/protocolVersion"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.server.stub.connections.append(self.connection)

    def answer(self, status, value=None, headers=()):
        body = b"" if value is None else (
            value if isinstance(value, bytes) else json.dumps(value).encode())
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        if value is not None:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, value, event_id=None):
        text = "" if value is None else json.dumps(value)
        line = f"id: {event_id}\n" if event_id else ""
        self.wfile.write(f"{line}data: {text}\n\n".encode())
        self.wfile.flush()

    def do_GET(self):
        stub = self.server.stub
        if self.path == "/api/v1/status":
            return self.answer(200, {"product": stub.product})
        stub.requests.append(("GET", dict(self.headers), None))
        if self.headers.get("Last-Event-ID", "").startswith("call-"):
            self.begin_events()
            call = self.headers["Last-Event-ID"].split("-", 1)[1]
            return self.event({"jsonrpc": "2.0", "id": json.loads(call), "result": {"late": True}})
        if self.headers.get("Mcp-Session-Id") not in stub.sessions:
            return self.answer(404)
        if not stub.events:
            return self.answer(405)
        self.begin_events()
        said = queue.Queue()
        stub.listeners.append(said)
        while (value := said.get()) is not None:
            self.event(value, f"e{len(stub.requests)}")

    def do_DELETE(self):
        stub = self.server.stub
        stub.requests.append(("DELETE", dict(self.headers), None))
        stub.sessions.discard(self.headers.get("Mcp-Session-Id"))
        self.answer(204)

    def do_POST(self):
        stub = self.server.stub
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stub.requests.append(("POST", dict(self.headers), body))
        try:
            self.call(stub, body)
        except (BrokenPipeError, ConnectionResetError):
            stub.closed.append(body.get("id"))

    def call(self, stub, body):
        if isinstance(body, list):
            return self.answer(200, [{"jsonrpc": "2.0", "id": one["id"], "result": {}}
                                     for one in body if "id" in one])
        method, params = body.get("method"), body.get("params") or {}
        modern = VERSION in (params.get("_meta") or {})
        session = None
        if not modern and method != "server/discover":
            if method == "initialize":
                session = uuid.uuid4().hex
                stub.sessions.add(session)
            elif self.headers.get("Mcp-Session-Id") not in stub.sessions:
                missing = "Mcp-Session-Id" not in self.headers
                return self.answer(400 if missing else 404, {
                    "jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "session"}})
        if "id" not in body or method is None:
            return self.answer(202)
        result = {"resultType": "complete"} if modern or method == "server/discover" else {}
        answer = {"jsonrpc": "2.0", "id": body["id"], "result": result}
        if method == "initialize":
            result.update(protocolVersion="2025-06-18", capabilities={},
                          serverInfo={"name": "stub", "version": "0"})
            return self.answer(200, answer, [("Mcp-Session-Id", session)])
        return getattr(self, "do_" + method.replace("/", "_"), self.unknown)(stub, body, answer)

    def unknown(self, _, body, __):
        self.answer(404, {"jsonrpc": "2.0", "id": body["id"],
                          "error": {"code": -32601, "message": "no such method"}})

    def do_server_discover(self, _, __, answer):
        answer["result"]["supportedVersions"] = [MODERN]
        self.answer(200, answer)

    def do_ping(self, _, __, answer):
        self.answer(200, answer)

    do_resources_subscribe = do_ping

    def do_tools_list(self, _, __, answer):
        answer["result"]["tools"] = []
        # Over several lines, as a JSON text may be.
        self.answer(200, json.dumps(answer, indent=2).encode())

    def do_subscriptions_listen(self, stub, body, _):
        self.begin_events()
        self.event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                    "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": body["id"]}}})
        said = queue.Queue()
        stub.listeners.append(said)
        while True:
            try:
                value = said.get(timeout=0.05)
            except queue.Empty:
                self.wfile.write(b": alive\n\n")
                continue
            if value is None:
                return
            self.event(value)

    def do_tools_call(self, stub, body, answer):
        name, arguments = body["params"]["name"], body["params"].get("arguments", {})
        if name == "wait":
            stub.waiting.set()
            time.sleep(arguments["s"])
        if name == "gone":
            stub.waiting.set()
            stub.release.wait(10)
            self.close_connection = True
            return
        if name == "problem":
            return self.answer(503, {"code": "unavailable", "detail": "not now"})
        if name == "progress":
            self.begin_events()
            for i in range(3):
                self.event({"jsonrpc": "2.0", "method": "notifications/progress",
                            "params": {"progressToken": 1, "progress": i}})
            return self.event(answer)
        if name == "forever":
            self.begin_events()
            while True:
                self.wfile.write(b": alive\n\n")
                self.wfile.flush()
                time.sleep(0.02)
        if name == "later":  # 2025-11-25: the stream ends, and goes on for whoever comes back
            self.begin_events()
            self.wfile.write(b"retry: 30\n")
            return self.event(None, f"call-{json.dumps(body['id'])}")
        answer["result"]["echo"] = arguments
        self.answer(200, answer)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


class McpStub:
    def __init__(self, port=0, events=True, product="dyad-memory"):
        self.product = product
        self.events = events
        self.requests, self.closed, self.listeners = [], [], []
        self.sessions = set()
        self.connections = []
        self.waiting, self.release = threading.Event(), threading.Event()
        self.server = _Server(("127.0.0.1", port), _Handler)
        self.server.stub = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def posts(self, method):
        return [(headers, body) for verb, headers, body in list(self.requests)
                if verb == "POST" and isinstance(body, dict) and body.get("method") == method]

    def verbs(self, verb):
        return [headers for one, headers, _ in list(self.requests) if one == verb]

    def say(self, value):
        wait_until(lambda: self.listeners, what="somebody who listens")
        for said in self.listeners:
            said.put(value)

    def end_streams(self):
        for said in self.listeners:
            said.put(None)
        self.listeners = []

    def close(self):
        """As a process that is killed: nothing of it answers any more."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.end_streams()
        self.release.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Shim:
    """`dyad-memory mcp` as a client starts it."""

    def __init__(self, home, url=None, args=(), env=None):
        full = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        for name, value in os.environ.items():
            if name.startswith(("ASAN_", "TSAN_", "UBSAN_", "LSAN_")):
                full[name] = value
        if url:
            full["DYAD_URL"] = url
        full.update(env or {})
        self.started = time.monotonic()
        self.process = subprocess.Popen([BINARY, "mcp", *args], env=full, cwd=home,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.lines = queue.Queue()
        self.errors = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()
        self.next_id = 0

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode())

    def write(self, text):
        self.process.stdin.write(text.encode() if isinstance(text, str) else text)
        self.process.stdin.flush()

    def send(self, value):
        self.write(json.dumps(value) + "\n")

    def request(self, method, params=None, modern=False, id=None):
        """Sends it and returns its id."""
        if id is None:
            self.next_id += 1
            id = self.next_id
        params = dict(params or {})
        if modern:
            params["_meta"] = {VERSION: MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return id

    def notify(self, method, params=None):
        self.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def receive(self, timeout=10.0):
        """The next message; every line must be one."""
        line = self.lines.get(timeout=timeout * PATIENCE)
        assert line is not None, f"the output ended: {self.errors}"
        return json.loads(line)

    def call(self, method, params=None, modern=False, timeout=10.0):
        """The answer to one request, when nothing else is said."""
        id = self.request(method, params, modern)
        answer = self.receive(timeout)
        assert answer.get("id") == id, answer
        return answer

    def initialize(self):
        answer = self.call("initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                          "clientInfo": {"name": "test", "version": "1"}})
        self.notify("notifications/initialized")
        return answer

    def is_silent(self, seconds=0.3):
        try:
            return self.lines.get(timeout=seconds) is None
        except queue.Empty:
            return True

    def end(self, timeout=10.0):
        """Ends the input; the exit status."""
        self.process.stdin.close()
        return self.process.wait(timeout * PATIENCE)

    def memory_kb(self, name):
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith(name + ":"):
                    return int(line.split()[1])
        raise AssertionError(f"no {name}")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

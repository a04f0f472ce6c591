"""`dyad-memory mcp` against a server that speaks both eras, and shows what it was asked."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from support.mcp_stub import MODERN, McpStub, Shim
from support.server import BINARY, PATIENCE, wait_until
from support.tls_proxy import Proxy, make_certificate


@pytest.fixture
def stub():
    with McpStub() as running:
        yield running


@pytest.fixture
def shim(stub, tmp_path):
    with Shim(tmp_path, stub.url) as running:
        yield running


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


def test_a_modern_request_carries_the_headers_that_its_body_says(stub, shim):
    answer = shim.call("server/discover", modern=True)
    assert answer["result"]["supportedVersions"] == [MODERN]
    shim.call("tools/call", call("memory get ä"), modern=True)
    headers, _ = stub.posts("tools/call")[0]
    assert headers["MCP-Protocol-Version"] == MODERN
    assert headers["Mcp-Method"] == "tools/call"
    assert headers["Mcp-Name"] == "=?base64?bWVtb3J5IGdldCDDpA==?="
    assert headers["Accept"] == "application/json, text/event-stream"
    assert headers["Content-Type"] == "application/json"
    assert "Mcp-Session-Id" not in headers and "Dyad-User" not in headers
    assert not stub.verbs("GET"), "a modern client opens no stream of its own"


def test_discover_without_meta_is_modern_too(stub, shim):
    shim.call("server/discover")
    assert stub.posts("server/discover")[0][0]["MCP-Protocol-Version"] == MODERN


def test_a_session_is_kept_and_ended(stub, shim):
    answer = shim.initialize()
    assert answer["result"]["protocolVersion"] == "2025-06-18"
    assert shim.call("tools/list")["result"] == {"tools": []}
    session, = stub.sessions
    headers, _ = stub.posts("tools/list")[0]
    assert headers["Mcp-Session-Id"] == session
    assert headers["MCP-Protocol-Version"] == "2025-06-18"
    assert "Mcp-Method" not in headers
    assert "MCP-Protocol-Version" not in stub.posts("initialize")[0][0]
    wait_until(lambda: stub.listeners, what="the stream of events")
    stub.say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    assert shim.receive()["method"] == "notifications/tools/list_changed"
    assert shim.end() == 0
    assert stub.verbs("DELETE")[0]["Mcp-Session-Id"] == session and not stub.sessions


def test_a_request_of_the_server_and_its_answer_pass(stub, shim):
    shim.initialize()
    stub.say({"jsonrpc": "2.0", "id": "s1", "method": "elicitation/create", "params": {}})
    assert shim.receive()["id"] == "s1"
    shim.send({"jsonrpc": "2.0", "id": "s1", "result": {"action": "accept"}})
    wait_until(lambda: [body for _, _, body in stub.requests
                        if body and body.get("result") == {"action": "accept"}],
               what="the answer at the server")
    assert shim.is_silent()


def test_the_whole_conversation_may_come_at_once(stub, tmp_path):
    lines = [{"id": 1, "method": "initialize", "params": {}},
             {"method": "notifications/initialized"},
             {"id": 2, "method": "tools/list"}, {"id": 3, "method": "ping"},
             {"id": 4, "method": "tools/call", "params": call("echo", a=1)}]
    text = "".join(json.dumps({"jsonrpc": "2.0", **line}) + "\n" for line in lines)
    done = subprocess.run([BINARY, "mcp", "--url", stub.url], input=text, text=True,
                          capture_output=True, timeout=30, cwd=tmp_path,
                          env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(one["id"] for one in answers) == [1, 2, 3, 4]
    assert all("result" in one for one in answers)
    assert done.stderr == ""


def test_requests_are_open_at_the_same_time(shim):
    slow = shim.request("tools/call", call("wait", s=1), modern=True)
    fast = shim.request("tools/call", call("echo"), modern=True)
    assert [shim.receive()["id"], shim.receive()["id"]] == [fast, slow]


def test_a_stream_becomes_lines(shim):
    id = shim.request("tools/call", call("progress"), modern=True)
    said = [shim.receive() for _ in range(4)]
    assert [one["params"]["progress"] for one in said[:3]] == [0, 1, 2]
    assert said[3]["id"] == id


def test_a_cancelled_modern_request_is_closed_and_says_nothing_more(stub, shim):
    id = shim.request("tools/call", call("forever"), modern=True)
    wait_until(lambda: stub.posts("tools/call"), what="the request")
    shim.notify("notifications/cancelled", {"requestId": id})
    wait_until(lambda: id in stub.closed, what="the end of its stream")
    assert not stub.posts("notifications/cancelled")
    assert shim.call("tools/list", modern=True)["result"]["tools"] == []


def test_a_cancelled_request_of_a_session_is_told_to_the_server(stub, shim):
    shim.initialize()
    id = shim.request("tools/call", call("wait", s=0.3))
    assert stub.waiting.wait(10)
    shim.notify("notifications/cancelled", {"requestId": id})
    wait_until(lambda: stub.posts("notifications/cancelled"), what="the cancellation")
    assert shim.is_silent(0.6)


def test_a_subscription_ends_regularly_when_its_stream_breaks(stub, shim):
    id = shim.request("subscriptions/listen", {"notifications": {}}, modern=True)
    assert shim.receive()["method"] == "notifications/subscriptions/acknowledged"
    stub.say({"jsonrpc": "2.0", "method": "notifications/resources/updated"})
    assert shim.receive()["method"] == "notifications/resources/updated"
    stub.end_streams()
    end = shim.receive()
    assert end["id"] == id and end["result"]["resultType"] == "complete"
    assert end["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == id


def test_an_answer_that_comes_later_is_fetched(stub, shim):
    shim.initialize()
    answer = shim.call("tools/call", call("later"))
    assert answer["result"] == {"late": True}
    assert any(headers.get("Last-Event-ID") == f"call-{answer['id']}"
               for headers in stub.verbs("GET"))


def test_a_batch_passes(stub, shim):
    shim.initialize()
    shim.send([{"jsonrpc": "2.0", "id": "a", "method": "ping"},
               {"jsonrpc": "2.0", "method": "notifications/x"}])
    assert [one["id"] for one in shim.receive()] == ["a"]


def test_errors_of_the_server_pass_and_others_are_explained(shim):
    assert shim.call("no/such", modern=True)["error"]["code"] == -32601
    error = shim.call("tools/call", call("problem"), modern=True)["error"]
    assert error["code"] == -32603 and error["data"] == {"httpStatus": 503}
    assert error["message"] == "the server answered with status 503: not now"


def test_what_is_no_message_is_answered_and_the_next_one_is_read(shim):
    shim.write("not json\n\n")
    answer = shim.receive()
    assert answer["id"] is None and answer["error"]["code"] == -32700
    shim.write(b'{"a":"' + b"x" * 2_000_000 + b'"}\n')
    assert "http_body_bytes_max" in shim.receive()["error"]["message"]
    assert shim.call("server/discover")["result"]


def test_more_requests_than_the_limit_are_refused(shim):
    for _ in range(64):
        shim.request("tools/call", call("wait", s=1), modern=True)
    late = shim.request("tools/call", call("echo"), modern=True)
    error = shim.receive()
    assert error["id"] == late and "mcp_shim_requests_max" in error["error"]["message"]
    assert len([shim.receive() for _ in range(64)]) == 64


def test_it_ends_with_its_input_after_what_is_open(stub, shim):
    shim.initialize()
    shim.request("subscriptions/listen", {"notifications": {}}, modern=True)
    assert shim.receive()["method"] == "notifications/subscriptions/acknowledged"
    id = shim.request("tools/call", call("wait", s=0.5), modern=True)
    assert stub.waiting.wait(10)
    assert shim.end() == 0
    assert shim.receive()["id"] == id
    assert shim.is_silent(0)


def test_it_ends_when_nobody_reads(stub, tmp_path):
    read_end, write_end = os.pipe()
    process = subprocess.Popen([BINARY, "mcp", "--url", stub.url], stdin=subprocess.PIPE,
                               stdout=write_end, stderr=subprocess.DEVNULL, cwd=tmp_path,
                               env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    os.close(write_end)
    os.close(read_end)
    assert process.wait(10) == 0


def test_a_forgotten_session_is_made_again(stub, shim):
    shim.initialize()
    shim.call("resources/subscribe", {"uri": "memory://x"})
    wait_until(lambda: stub.listeners, what="the stream of events")
    stub.sessions.clear()
    assert shim.call("tools/list")["result"] == {"tools": []}
    session, = stub.sessions
    wait_until(lambda: [body for headers, body in stub.posts("resources/subscribe")
                        if headers["Mcp-Session-Id"] == session], what="the subscription")
    assert len(stub.posts("initialize")) == 2
    assert len(stub.posts("notifications/initialized")) == 2
    assert shim.is_silent()


def test_a_server_that_comes_back_is_found_again(stub, shim):
    shim.initialize()
    shim.call("resources/subscribe", {"uri": "memory://x"})
    wait_until(lambda: stub.listeners, what="the stream of events")
    stub.close()
    id = shim.request("tools/list")
    time.sleep(0.5)
    with McpStub(stub.port) as again:
        answer = shim.receive()
        assert answer["id"] == id and answer["result"] == {"tools": []}
        wait_until(lambda: again.posts("resources/subscribe"), what="the subscription")
        again.say({"jsonrpc": "2.0", "method": "notifications/resources/updated"})
        assert shim.receive()["method"] == "notifications/resources/updated"


def test_a_tool_call_whose_answer_is_lost_is_not_repeated(stub, shim):
    shim.request("tools/call", call("gone"), modern=True)
    assert stub.waiting.wait(10)
    stub.release.set()
    error = shim.receive()["error"]
    assert "nobody knows" in error["message"]
    assert len(stub.posts("tools/call")) == 1


def test_who_is_meant_is_said_in_headers(stub, tmp_path):
    with Shim(tmp_path, stub.url, ["--user", "ada@example.com", "--instance", "desk"]) as shim:
        shim.call("server/discover")
    headers, _ = stub.posts("server/discover")[0]
    assert headers["Dyad-User"] == "ada@example.com" and headers["Dyad-Instance"] == "desk"


def test_a_server_behind_tls_and_a_path(stub, tmp_path):
    authority, certificate = make_certificate(tmp_path)
    proxy = Proxy(stub.port, certificate, prefix="/team")
    with Shim(tmp_path, f"https://localhost:{proxy.port}/team",
              env={"SSL_CERT_FILE": str(authority)}) as shim:
        assert shim.initialize()["result"]
        id = shim.request("tools/call", call("progress"))
        assert [shim.receive().get("id") for _ in range(4)] == [None, None, None, id]
        wait_until(lambda: stub.listeners, what="the stream of events")
        stub.say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        assert shim.receive()["method"] == "notifications/tools/list_changed"
    with Shim(tmp_path, f"https://localhost:{proxy.port}/team") as shim:
        assert "not trusted" in shim.call("server/discover")["error"]["message"]


def test_no_server_at_a_given_url_is_an_error_and_none_is_started(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Shim(tmp_path, f"http://127.0.0.1:{port}") as shim:
        error = shim.call("server/discover")["error"]
        assert f"nothing answers at http://127.0.0.1:{port}" in error["message"]
        assert not (tmp_path / ".local").exists()
        with McpStub(port):
            assert shim.call("server/discover")["result"]


def test_another_program_at_the_port_is_named(tmp_path):
    with McpStub(product="something-else") as other:
        with Shim(tmp_path, env={"WS_SYNC_PORT": str(other.port)}) as shim:
            message = shim.call("server/discover")["error"]["message"]
            assert "is not dyad-memory" in message
            assert f"process {os.getpid()} (" in message and str(other.port) in message
    assert not other.requests, "it was told nothing"


def test_a_terminal_signal_ends_it(shim):
    shim.call("server/discover")
    shim.process.send_signal(signal.SIGTERM)
    assert shim.process.wait(10) == -signal.SIGTERM


def test_it_is_small_and_quick(stub, tmp_path):
    times = []
    for _ in range(15):
        with Shim(tmp_path, stub.url) as shim:
            shim.call("server/discover")
            times.append(time.monotonic() - shim.started)
    with Shim(tmp_path, stub.url) as shim:
        shim.initialize()
        for i in range(200):
            shim.call("tools/call", call("echo", i=i, text="x" * 1000))
        own_kb = shim.memory_kb("Anonymous")
    # The best of them: what the machine does besides is not its time. Anonymous memory is what no
    # other process shares and no file holds: the heap, the stack, and what relocation wrote.
    print(f"first answer: best {min(times) * 1000:.1f} ms; Anonymous {own_kb} kB")
    if PATIENCE == 1:  # sanitizers need more of both
        assert own_kb < 5 * 1024
        assert min(times) < 0.030

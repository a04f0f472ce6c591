"""The limits of base/limits.def, from outside: just below is taken, just above is refused."""

import json
import resource
import socket
import time

import pytest

from support import frames, rest
from support.frames import Raw, open_websocket, upgrade_request
from support.plain import Closed, Plain
from support.server import PATIENCE, wait_until
from support.v2 import V2, Refused


def refusal_of(server, user="limits", **operation):
    with V2(server.port, user) as client:
        try:
            client.finish(client.begin({"force": True, **operation}))
        except Refused as refusal:
            assert client.put("alive", {}), "the connection must live on"
            return refusal.code, refusal.payload["detail"]
        return None, None


def nested(depth):
    value = 1
    for _ in range(depth):
        value = {"d": value}
    return value


@pytest.mark.parametrize("what,operation", [
    ("document", {"op": "context.put", "contextKey": "k", "data": {"x": "y" * 262130}}),
    ("key", {"op": "context.put", "contextKey": "k" * 256, "data": {}}),
    ("tags", {"op": "context.put", "contextKey": "k", "data": {},
              "tags": [f"t{n}" for n in range(32)]}),
    ("tag", {"op": "context.put", "contextKey": "k", "data": {}, "tags": ["t" * 64]}),
    ("member name", {"op": "context.put", "contextKey": "k", "data": {"m" * 256: 1}}),
])
def test_at_the_limit_is_taken(server, what, operation):
    code, message = refusal_of(server, **operation)
    assert code is None, f"{what}: {code} {message}"


@pytest.mark.parametrize("what,limit,operation", [
    ("document", 262144, {"op": "context.put", "contextKey": "k", "data": {"x": "y" * 262144}}),
    ("key", 256, {"op": "context.put", "contextKey": "k" * 257, "data": {}}),
    ("tags", 32, {"op": "context.put", "contextKey": "k", "data": {}, "tags": ["t"] * 33}),
    ("tag", 64, {"op": "context.put", "contextKey": "k", "data": {}, "tags": ["t" * 65]}),
    ("member name", 256, {"op": "context.put", "contextKey": "k", "data": {"m" * 257: 1}}),
    ("nesting", 32, {"op": "context.put", "contextKey": "k", "data": nested(40)}),
    ("members", 10000, {"op": "context.put", "contextKey": "k", "data": {"x": [0] * 10001}}),
])
def test_above_the_limit_is_refused_naming_it(server, what, limit, operation):
    code, message = refusal_of(server, **operation)
    assert code in ("too_large", "invalid_field", "invalid_json", "limit_reached"), \
        f"{what}: {code} {message}"
    assert str(limit) in message.replace(",", ""), f"the message must name the limit: {message}"


def test_user_and_instance_ids_have_limits(server):
    for user, instance in (("u" * 257, "i"), ("u", "i" * 129)):
        with pytest.raises((Closed, Refused, KeyError, TimeoutError)):
            with V2(server.port, user, instance, timeout=3) as client:
                client.put("k", {})


def test_header_that_never_ends_is_given_up(server):
    """Slowloris: a byte now and then keeps nothing open."""
    started = time.monotonic()
    connections = [Raw(server.port) for _ in range(50)]
    for raw in connections:
        raw.send(b"GET /sync HTTP/1.1\r\nHost: ")
    open_ones = connections
    while open_ones and time.monotonic() - started < 12 * PATIENCE:
        time.sleep(0.5)
        still = []
        for raw in open_ones:
            try:
                raw.send(b"a")
                raw.sock.setblocking(False)
                try:
                    if raw.sock.recv(4096):
                        still.append(raw)
                except BlockingIOError:
                    still.append(raw)
                finally:
                    raw.sock.setblocking(True)
            except OSError:
                pass
        open_ones = still
    took = time.monotonic() - started
    assert not open_ones, f"{len(open_ones)} slow headers are still open after {took:.0f} s"
    assert took >= 4, "http_header_ms is 5000"


def test_service_stays_quick_beside_idle_connections(server):
    idle = []
    try:
        for _ in range(1000):
            idle.append(socket.create_connection(("127.0.0.1", server.port)))
        with V2(server.port, "busy") as client:
            worst = 0.0
            for n in range(100):
                started = time.monotonic()
                client.put("k", {"n": n})
                worst = max(worst, time.monotonic() - started)
        assert worst < 1.0 * PATIENCE, f"a write took {worst:.2f} s beside 1,000 idle connections"
    finally:
        for sock in idle:
            sock.close()


def test_resume_without_a_hello_is_given_up(server):
    with open_websocket(server.port, headers={"Sec-WebSocket-Protocol": "dyad.v2"}) as raw:
        started = time.monotonic()
        while True:
            try:
                got = raw.read_frame(12 * PATIENCE)
            except frames.Ended:
                break
            if got.opcode == frames.CLOSE:
                assert got.code in (4408, 4401), got
                break
        assert 4 <= time.monotonic() - started <= 9 * PATIENCE, "register_ms is 5000"


def test_sessions_of_one_user_have_a_limit(make_server):
    server = make_server().start()
    limit = limit_of(server, "sessions_per_user_max")
    room_for_descriptors(limit + 100)
    clients = []
    try:
        for n in range(limit):
            clients.append(open_websocket(server.port))
            clients[-1].send(registration("crowd", f"i-{n % 200}"))
        with Plain(server.port, "somebody else") as other:
            other.ping()
        wait_until(lambda: clients_of(server) == limit, 30, 0.1, "all of them to be counted")
        with pytest.raises(Closed) as closed:
            Plain(server.port, "crowd", "one too many")
        assert closed.value.code == 4429
        with Plain(server.port, "somebody else") as other:
            other.ping()
    finally:
        for client in clients:
            client.close()


def limit_of(server, name):
    return json.loads(server.cli("config", "limits", "--json").stdout)[name]


def room_for_descriptors(count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        pytest.skip(f"only {hard} descriptors are allowed here, {count} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def registration(user, instance):
    return frames.frame(frames.TEXT, json.dumps({"type": "heartbeat", "userId": user,
                                                 "instanceId": instance, "payload": {}}))


def clients_of(server):
    return rest.read_json(server, "/api/v1/status")["websocket"]["clientCount"]


def test_body_over_the_limit_is_refused(server):
    status, _, body = server.request(
        "PUT", "/api/v1/contexts/k", b"{\"data\":{\"x\":\"" + b"y" * 1100000 + b"\"}}",
        {"Content-Type": "application/json", **rest.as_user("u")})
    assert status == 413, (status, body[:300])


def test_body_announced_and_never_sent_is_given_up(server):
    with Raw(server.port) as raw:
        started = time.monotonic()
        raw.send(f"PUT /api/v1/contexts/k HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                 "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{".encode())
        answer = None
        try:
            answer = raw.read_http(20 * PATIENCE)
        except frames.Ended:
            pass
        assert answer is None or answer.status == 408, answer
        assert 8 <= time.monotonic() - started <= 14 * PATIENCE, "http_body_ms is 10000"


def test_header_limits_are_exact(server):
    def status_of(lines):
        with Raw(server.port) as raw:
            raw.send(upgrade_request(server.port, extra=lines))
            return raw.read_http().status
    # Five lines of the handshake itself stand before these.
    assert status_of([f"X-{n}: y" for n in range(59)]) == 101
    assert status_of([f"X-{n}: y" for n in range(60)]) == 431


def test_pages_have_a_limit(server):
    status, _, body = server.get("/api/v1/events?limit=1001", rest.as_user("u"))
    if status == 200:
        assert len(json.loads(body)["events"]) <= 1000
    else:
        assert status == 400 and b"1000" in body


def grown_mib(server, before):
    """By how much the server's memory has grown. A sanitizer keeps what was freed for a while."""
    return (server.memory_bytes() - before) / 2**20 / (1 if PATIENCE == 1 else 4)


def send_without_reading(client, kind, payload, count):
    """So many messages, or as many as the server takes."""
    message = json.dumps({"type": kind, "userId": client.user, "payload": payload})
    client.raw.sock.settimeout(1)
    try:
        client.raw.sock.sendall(frames.frame(frames.TEXT, message) * count)
    except TimeoutError:
        pass


@pytest.mark.parametrize("kind", [Plain, V2])
def test_states_that_are_asked_for_and_not_read_cost_little_memory(make_server, kind):
    server = make_server().start()
    with V2(server.port, "ada") as writer:
        for first in range(0, 4000, 200):
            begun = [writer.begin({"op": "context.put", "contextKey": f"k{n}",
                                   "data": {"x": "y" * 2000}}) for n in range(first, first + 200)]
            for operation in begun:
                writer.finish(operation)
    asker = kind(server.port, "ada")
    before = server.memory_bytes()
    send_without_reading(asker, "state-request", {}, 20_000)
    time.sleep(0.5)
    assert grown_mib(server, before) < 32
    with V2(server.port, "ada") as other:
        assert other.put("alive", {})
    asker.raw.close()


def test_answers_that_are_not_read_hold_up_the_next_request_only(make_server):
    server = make_server().start()
    request = f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
    raw = Raw(server.port)
    before = server.memory_bytes()
    raw.send(request.encode() * 1500)
    time.sleep(1)
    assert grown_mib(server, before) < 16
    assert server.get("/healthz")[0] == 200
    for _ in range(1500):
        answer = raw.read_http()
        assert answer.status == 200 and answer.body
    raw.close()


def test_a_slow_reader_gets_the_last_answer_whole(make_server):
    server = make_server().start()
    with V2(server.port, "ada") as writer:
        for n in range(40):
            writer.put(f"k{n}", {"x": "y" * 250_000})
    raw = Raw(server.port, timeout=60)
    raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    raw.send(f"GET /api/v1/contexts?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
             "Dyad-User: ada\r\nConnection: close\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += raw.sock.recv(1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    got, started = 0, time.monotonic()
    while got < length:
        piece = raw.sock.recv(8192)
        assert piece, f"{got} of {length} bytes after {time.monotonic() - started:.0f} s"
        got += len(piece)
        if time.monotonic() - started < 9:
            time.sleep(0.02)
    raw.close()


def slow_closed(server):
    metrics = server.get("/metrics")[2].decode()
    return int(metrics.split("\ndyad_slow_clients_closed_total ")[1].split()[0])


def test_clients_that_take_nothing_are_closed_in_time_whatever_they_speak(make_server):
    """write_stall_ms is 30 s: for a live session, a stream of events and an answer."""
    server = make_server().start()
    head = f" HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nDyad-User: ada\r\n\r\n"
    live, stream, answer = V2(server.port, "ada"), Raw(server.port), Raw(server.port)
    stream.send(f"GET /api/v1/events/stream{head}".encode())
    with V2(server.port, "ada", timeout=60) as writer:
        for n in range(60):
            writer.put(f"k{n}", {"x": "y" * 250_000})
    answer.send(f"GET /api/v1/contexts?limit=1000{head}".encode())
    full = time.monotonic()
    time.sleep(25)
    assert slow_closed(server) == 0
    wait_until(lambda: slow_closed(server) == 3, 20, 0.5)
    assert time.monotonic() - full < 40 * PATIENCE
    with pytest.raises(Closed) as end:
        while True:
            live.receive(timeout=30)
    assert end.value.code == 4508
    stream.close()
    answer.close()

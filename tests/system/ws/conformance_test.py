"""RFC 6455, frame by frame, on raw sockets: what is taken, and the exact code where it is not."""

import time

import pytest

import frame_cases
import handshake_cases
import origins
from support import frames
from support.frames import Raw, frame, open_websocket, upgrade_request
from support.server import PATIENCE, Server


@pytest.mark.parametrize("steps,then", [c[1:] for c in frame_cases.CASES],
                         ids=[c[0] for c in frame_cases.CASES])
def test_frames(server, steps, then):
    with open_websocket(server.port) as raw:
        frame_cases.run(steps, raw)
        then(raw)


@pytest.mark.parametrize("request_of,statuses,check", [c[1:] for c in handshake_cases.CASES],
                         ids=[c[0] for c in handshake_cases.CASES])
def test_handshake(server, request_of, statuses, check):
    with Raw(server.port) as raw:
        request = request_of(server.port)
        try:
            raw.send(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused while it was sent; the answer is still there to read
        answer = raw.read_http(without_body=request.startswith(b"HEAD "))
        assert answer.status in statuses, answer
        if check:
            check(answer)
        if answer.status == 101:
            frame_cases.is_alive(raw)


@pytest.fixture(scope="module")
def strict():
    with Server(env={"WS_ALLOWED_ORIGINS": origins.SETTING}) as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/sync"])
@pytest.mark.parametrize("origin", origins.ALLOWED + origins.FOREIGN)
def test_origin(strict, origin, path):
    value = origin.replace("PORT", str(strict.port))
    with Raw(strict.port) as raw:
        raw.send(upgrade_request(strict.port, path, headers={"Origin": value}))
        answer = raw.read_http()
        expected = 101 if origin in origins.ALLOWED else 403
        assert answer.status == expected, f"{value} on {path}: {answer}"


def test_two_origins_are_refused(strict):
    with Raw(strict.port) as raw:
        own = f"Origin: http://localhost:{strict.port}"
        raw.send(upgrade_request(strict.port, extra=(own, "Origin: http://evil.example")))
        assert raw.read_http().status in (400, 403)


def test_foreign_origin_is_refused_on_rest(strict):
    status, _, _ = strict.get("/api/v1/contexts", {"Origin": "http://evil.example"})
    assert status == 403


def test_first_frame_in_the_same_segment_as_the_handshake(server):
    with Raw(server.port) as raw:
        raw.send(upgrade_request(server.port) + frame(frames.PING, b"early"))
        assert raw.read_http().status == 101
        assert frame_cases.read_data_frame(raw, frames.PONG).payload == b"early"


def test_handshake_byte_by_byte(server):
    with Raw(server.port) as raw:
        raw.send_slowly(upgrade_request(server.port), 1, 0.0005)
        assert raw.read_http().status == 101
        frame_cases.is_alive(raw)


def test_server_frames_are_whole_unmasked_and_plain(server):
    with open_websocket(server.port) as raw:
        first = raw.read_frame()
        assert first.opcode == frames.TEXT and first.fin and not first.masked and first.rsv == 0


def test_connection_without_a_close_frame_does_no_harm(server):
    for _ in range(50):
        open_websocket(server.port).close()
    with open_websocket(server.port) as raw:
        frame_cases.is_alive(raw)


def test_half_a_frame_and_then_nothing_is_given_up(server):
    with open_websocket(server.port) as raw:
        started = time.monotonic()
        raw.send(frame(frames.TEXT, b"x" * 1000)[:500])
        got = frame_cases.read_data_frame(raw, frames.CLOSE, timeout=20 * PATIENCE)
        waited = time.monotonic() - started
        assert got.code in (4408, 1008), got
        assert 8 <= waited <= 14 * PATIENCE, f"message_finish_ms is 10000, it took {waited:.1f} s"
        assert raw.ended()


def test_fragments_that_never_end_are_given_up(server):
    with open_websocket(server.port) as raw:
        started = time.monotonic()
        raw.send(frame(frames.TEXT, b"{", fin=False))
        while time.monotonic() - started < 20 * PATIENCE:
            try:
                raw.send(frame(frames.PING, b"still here"))
                got = raw.read_frame()
            except (frames.Ended, BrokenPipeError, ConnectionResetError):
                break
            if got.opcode == frames.CLOSE:
                assert got.code in (4408, 1008), got
                break
            time.sleep(0.25)
        assert 8 <= time.monotonic() - started <= 14 * PATIENCE


def test_slow_header_is_given_up(server):
    with Raw(server.port) as raw:
        started = time.monotonic()
        raw.sock.settimeout(0.1)
        answer = b""
        for byte in upgrade_request(server.port, extra=["X-Pad: " + "x" * 200]):
            raw.send(bytes([byte]))
            try:
                answer = raw.sock.recv(4096)
                break
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert 4 <= time.monotonic() - started <= 9 * PATIENCE, "http_header_ms is 5000"


def test_million_fragments_cost_no_memory(server):
    with open_websocket(server.port) as raw:
        frame_cases.is_alive(raw)
        before = server.memory_bytes()
        piece = frame(frames.CONTINUATION, b"x", fin=False) * 1000
        try:
            raw.send(frame(frames.TEXT, b'"', fin=False))
            for _ in range(1000):
                raw.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert server.memory_bytes() - before < 8 << 20
        try:
            assert frame_cases.read_data_frame(raw, frames.CLOSE).code == 1009
        except frames.Ended:
            pass  # the reset overtook the close frame

"""RFC 6455 by hand: handshakes and frames as bytes, right or deliberately wrong."""

import base64
import hashlib
import os
import socket
import struct
import time
from dataclasses import dataclass

from support.server import PATIENCE

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def mask(payload, key):
    if not payload:
        return payload
    repeated = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(
        len(payload), "big")


def frame(opcode, payload=b"", fin=True, rsv=0, key=b"\x37\xfa\x21\x3d", masked=True, form=None,
          length=None):
    """One frame. `form` (7, 16 or 64) forces a length encoding, `length` a false length."""
    if isinstance(payload, str):
        payload = payload.encode()
    size = len(payload) if length is None else length
    if form is None:
        form = 7 if size < 126 else 16 if size < 65536 else 64
    head = bytes([(0x80 if fin else 0) | (rsv << 4) | opcode])
    bit = 0x80 if masked else 0
    if form == 7:
        head += bytes([bit | size])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    return head + (key + mask(payload, key) if masked else payload)


def close_payload(code, reason=b""):
    if isinstance(reason, str):
        reason = reason.encode()
    return struct.pack(">H", code) + reason


@dataclass
class Frame:
    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes

    @property
    def code(self):
        return struct.unpack(">H", self.payload[:2])[0] if len(self.payload) >= 2 else None


class Ended(Exception):
    """The server ended the connection."""


@dataclass
class HttpAnswer:
    status: int
    headers: dict
    body: bytes


class Raw:
    """A TCP connection to the server, spoken to in bytes."""

    def __init__(self, port, timeout=5.0):
        self.timeout = timeout * PATIENCE
        self.port = port
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = bytearray()

    def send(self, data):
        self.sock.sendall(data)

    def send_slowly(self, data, piece=1, pause=0.0):
        for start in range(0, len(data), piece):
            self.sock.sendall(data[start:start + piece])
            if pause:
                time.sleep(pause)

    def _more(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing more came in time")
        self.sock.settimeout(left)
        try:
            piece = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            raise Ended("reset") from None
        except socket.timeout:
            raise TimeoutError("nothing more came in time") from None
        if not piece:
            raise Ended("end of stream")
        self.input += piece

    def take(self, count, deadline):
        while len(self.input) < count:
            self._more(deadline)
        data = bytes(self.input[:count])
        del self.input[:count]
        return data

    def read_http(self, timeout=None, without_body=False):
        """One HTTP answer: status, headers (lower case), body by Content-Length."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while b"\r\n\r\n" not in self.input:
            self._more(deadline)
        head, _, rest = bytes(self.input).partition(b"\r\n\r\n")
        self.input = bytearray(rest)
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        status = int(lines[0].split()[1])
        body = b""
        if status not in (101, 204, 304) and "content-length" in headers and not without_body:
            body = self.take(int(headers["content-length"]), deadline)
        return HttpAnswer(status, headers, body)

    def read_frame(self, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        first, second = self.take(2, deadline)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.take(2, deadline))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8, deadline))[0]
        key = self.take(4, deadline) if second & 0x80 else None
        payload = self.take(size, deadline)
        if key:
            payload = mask(payload, key)
        return Frame(bool(first & 0x80), (first >> 4) & 7, first & 0xF, key is not None, payload)

    def ended(self, timeout=None):
        """True if the server ends the connection; what it still sends is dropped."""
        deadline = time.monotonic() + (timeout or self.timeout)
        try:
            while True:
                self.input.clear()
                self._more(deadline)
        except Ended:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def upgrade_request(port, path="/sync", method="GET", version="HTTP/1.1", key=None, drop=(),
                    headers=None, extra=()):
    """The bytes of a handshake. `headers` replaces values, `drop` leaves lines out."""
    lines = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key or base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    lines.update(headers or {})
    text = f"{method} {path} {version}\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in lines.items() if name not in drop)
    text += "".join(f"{line}\r\n" for line in extra)
    return (text + "\r\n").encode("latin-1")


def open_websocket(port, path="/sync", headers=None, timeout=5.0):
    """A connection after a good handshake; the server's first frame is still to be read."""
    raw = Raw(port, timeout)
    key = base64.b64encode(os.urandom(16)).decode()
    raw.send(upgrade_request(port, path, key=key, headers=headers))
    answer = raw.read_http()
    if answer.status != 101 or answer.headers.get("sec-websocket-accept") != accept_of(key):
        raw.close()
        raise AssertionError(f"handshake refused: {answer}")
    raw.handshake = answer
    return raw

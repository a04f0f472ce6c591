"""A WebSocket client for asyncio, for tests that need hundreds of them: the handshake, frames,
and one method `on_<type>` for each type of message that the client knows.

It lives through any end of a connection: `run` connects again, for ever.
"""

import asyncio
import base64
import json
import os
import struct

from support.frames import CLOSE, PING, PONG, TEXT


class Ended(EOFError):
    """The connection is over; `code` is the close code, where there was one."""

    def __init__(self, code=None, reason=""):
        super().__init__(f"closed with {code}: {reason}")
        self.code = code


def text_frame(opcode, payload):
    """A mask of zeros is legal and leaves the payload as it is."""
    size = len(payload)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else \
        bytes([0x80 | opcode, 0xFE]) + struct.pack(">H", size)
    return head + b"\0\0\0\0" + payload


class SocketClient:
    protocol = "dyad.v2"

    def __init__(self, port_of):
        self.port_of = port_of
        self.writer = None

    # ---- what a client does with it ---------------------------------------------------------

    def after_messages(self):
        """Everything that came in one piece was handled."""

    def ended(self, error):
        """The connection is over, for this reason."""

    def pause_s(self):
        """How long to wait before the next attempt."""
        return 0.005

    # ---- the connection ---------------------------------------------------------------------

    async def run(self):
        while True:
            try:
                await self.converse()
            except (OSError, EOFError, asyncio.IncompleteReadError,
                    asyncio.LimitOverrunError) as error:
                self.ended(error)
            await asyncio.sleep(self.pause_s())

    async def converse(self):
        reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port_of())
        try:
            await self.handshake(reader)
            buffer = bytearray()
            while True:
                piece = await reader.read(1 << 16)
                if not piece:
                    raise Ended
                buffer += piece
                self.take_frames(buffer)
                if self.writer.transport.is_closing():
                    raise Ended
                await self.writer.drain()
        finally:
            self.writer.transport.abort()
            self.writer = None

    async def handshake(self, reader):
        key = base64.b64encode(os.urandom(16)).decode()
        offered = f"Sec-WebSocket-Protocol: {self.protocol}\r\n" if self.protocol else ""
        self.writer.write((
            f"GET /sync HTTP/1.1\r\nHost: 127.0.0.1:{self.port_of()}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"{offered}\r\n").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b"\r\n", 1)[0]
        if b" 101 " not in status:
            raise Ended(None, status.decode("latin-1"))

    def abort(self):
        """Ends the connection as a client does that has lost patience."""
        if self.writer:
            self.writer.transport.abort()

    def take_frames(self, buffer):
        at = 0
        while len(buffer) - at >= 2:
            size, head = buffer[at + 1], 2
            if size == 126:
                head = 4
                if len(buffer) - at < head:
                    break
                size = struct.unpack_from(">H", buffer, at + 2)[0]
            elif size == 127:
                head = 10
                if len(buffer) - at < head:
                    break
                size = struct.unpack_from(">Q", buffer, at + 2)[0]
            if len(buffer) - at < head + size:
                break
            opcode = buffer[at] & 0xF
            payload = bytes(buffer[at + head:at + head + size])
            at += head + size
            self.take_frame(opcode, payload)
        del buffer[:at]
        self.after_messages()

    def take_frame(self, opcode, payload):
        if opcode == TEXT:
            message = json.loads(payload)
            handler = getattr(self, "on_" + message["type"].replace("-", "_"), None)
            if handler:
                handler(message)
        elif opcode == PING:
            self.writer.write(text_frame(PONG, payload))
        elif opcode == CLOSE:
            code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
            raise Ended(code, payload[2:].decode("utf-8", "replace"))

    def send(self, text):
        if self.writer:
            self.writer.write(text_frame(TEXT, text if isinstance(text, bytes) else text.encode()))

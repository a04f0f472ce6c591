"""The load of the kill -9 test: clients that write through crashes and remember every answer."""

import asyncio
import base64
import json
import os
import struct
import uuid

from support.frames import CLOSE, PING, PONG, TEXT

IN_FLIGHT = 16
KEYS = 8


class Memory:
    """What all clients of one user have been told; every contradiction is noted at once."""

    def __init__(self, user):
        self.user = user
        self.hash_at = {}  # offset -> short hash, as any client received it
        self.acknowledged_up_to = 0  # the largest offset that any client was told of
        self.wrong = []

    def saw(self, offset, short_hash):
        if self.hash_at.setdefault(offset, short_hash) != short_hash:
            self.wrong.append(f"{self.user}: two different events at offset {offset}")


class Client:
    """One client: writes with IN_FLIGHT operations open, resumes and repeats after each crash."""

    def __init__(self, memory, port_of):
        self.memory = memory
        self.port_of = port_of
        self.instance = str(uuid.uuid4())
        self.pending = {}       # operation id -> number, in the order of sending
        self.floor = {}         # number -> what the user had acknowledged when it was first sent
        self.acknowledged = {}  # operation id -> (number, offset), in the order of the answers
        self.next_number = 0
        self.writing = True
        self.token = None
        self.last_seen = None   # the offset of the last event received
        self.received = 0
        self.resumed = 0
        self.ready = False

    # ---- the connection ---------------------------------------------------------------------

    async def run(self):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port_of())
            except OSError:
                await asyncio.sleep(0.01)
                continue
            try:
                await self.converse(reader, writer)
            except (OSError, EOFError, asyncio.IncompleteReadError):
                pass
            finally:
                self.ready = False
                writer.close()
            await asyncio.sleep(0.005)

    async def converse(self, reader, writer):
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write((f"GET /sync HTTP/1.1\r\nHost: 127.0.0.1:{self.port_of()}\r\n"
                      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                      f"Sec-WebSocket-Key: {key}\r\n"
                      "Sec-WebSocket-Protocol: dyad.v2\r\n\r\n").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise EOFError(head)
        buffer = bytearray()
        while True:
            piece = await reader.read(1 << 16)
            if not piece:
                raise EOFError
            buffer += piece
            self.take_frames(buffer, writer)
            if writer.transport.is_closing():
                raise EOFError
            await writer.drain()

    def take_frames(self, buffer, writer):
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
            if opcode == TEXT:
                self.take_message(json.loads(payload), writer)
            elif opcode == PING:
                self.send_frame(writer, PONG, payload)
            elif opcode == CLOSE:
                raise EOFError
        del buffer[:at]
        if self.ready:
            self.fill(writer)

    @staticmethod
    def send_frame(writer, opcode, payload):
        # A mask of zeros is legal and leaves the payload as it is.
        size = len(payload)
        head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else \
            bytes([0x80 | opcode, 0xFE]) + struct.pack(">H", size)
        writer.write(head + b"\0\0\0\0" + payload)

    # ---- the protocol -----------------------------------------------------------------------

    def take_message(self, message, writer):
        kind = message["type"]
        handler = getattr(self, "on_" + kind.replace("-", "_"), None)
        if handler:
            handler(message, writer)

    def on_connect(self, message, writer):
        hello = {"id": str(uuid.uuid4()), "type": "hello", "payload": {
            "protocol": 2, "userId": self.memory.user, "instanceId": self.instance}}
        if self.token:
            hello["payload"]["resume"] = self.token
        self.send_frame(writer, TEXT, json.dumps(hello).encode())

    def on_welcome(self, message, writer):
        position = message["payload"]["position"]
        self.epoch, offset = position.split(".")[0], int(position.split(".")[1])
        if self.token is None:
            self.last_seen, self.token = offset, position
        else:
            self.resumed += 1
        for operation, number in self.pending.items():
            self.send_operation(writer, operation, number)
        self.ready = True

    def on_reset(self, message, writer):
        self.memory.wrong.append(f"{self.memory.user}: a client that only resumed was reset")
        self.token, self.last_seen = None, None

    def on_ack(self, message, writer):
        operation = message["id"]
        number = self.pending.pop(operation, None)
        if number is None:
            self.memory.wrong.append(f"{self.memory.user}: unexpected answer to {operation}")
            return
        offset = int(message["payload"]["position"].split(".")[1])
        self.acknowledged[operation] = (number, offset)
        self.memory.acknowledged_up_to = max(self.memory.acknowledged_up_to, offset)

    def on_error(self, message, writer):
        payload = message["payload"]
        operation = message["id"]
        if operation in self.pending and payload["retry"]:
            self.send_operation(writer, operation, self.pending[operation])
        else:
            self.memory.wrong.append(f"{self.memory.user}: refused: {json.dumps(payload)}")
            self.pending.pop(operation, None)

    def on_events(self, message, writer):
        for event in message["events"]:
            offset = event["offset"]
            if self.last_seen is not None and offset != self.last_seen + 1:
                self.memory.wrong.append(
                    f"{self.memory.user}: offset {offset} came after {self.last_seen}")
            self.last_seen = offset
            self.received += 1
            self.memory.saw(offset, event["hash"])
            self.token = f"{self.epoch}.{offset}.{event['hash']}"

    def fill(self, writer):
        while self.writing and len(self.pending) < IN_FLIGHT:
            operation = f"{self.instance[:8]}-{self.next_number}"
            self.pending[operation] = self.next_number
            self.floor[self.next_number] = self.memory.acknowledged_up_to
            self.send_operation(writer, operation, self.next_number)
            self.next_number += 1

    def send_operation(self, writer, operation, number):
        text = (f'{{"id":"{operation}","type":"command","payload":{{"op":"context.put",'
                f'"contextKey":"key-{number % KEYS}","force":true,'
                f'"data":{{"by":"{self.instance}","n":{number}}}}}}}')
        self.send_frame(writer, TEXT, text.encode())

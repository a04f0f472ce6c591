"""The clients of the chaos runs. They write, read, resume, lose patience and repeat, and note in
the history whatever they ask for and are told.
"""

import asyncio
import json
import random
import time
import uuid

from support.socket_client import Ended, SocketClient

from history import Operation, PlainSlice, Read, Slice

KEYS = 6
SILENCE_S_MAX = 3.0  # without a byte from the server a client tries another connection
BACKOFF_S_MAX = 1.0
RETRY_S = 0.25


class Client(SocketClient):
    """What both dialects share. `at` says how things stand for everyone: writing or not."""

    def __init__(self, history, told, port_of, pace_s):
        super().__init__(port_of)
        self.history = history
        self.told = told
        self.pace_s = pace_s
        self.instance = str(uuid.uuid4())
        self.random = random.Random(self.instance)
        self.attempt = 0
        self.ready = False
        self.writing = True
        self.number = 0
        self.heard = 0.0
        self.live_since = None  # with this connection; None: it is not live
        self.pending = {}       # operation id -> Operation, in the order of sending
        self.last_error = None  # that an operation got
        self.errors = 0         # of them, such as ask for another try and were not announced
        self.leaving = False    # the node has said that it stops
        self.endings = []       # (code, text) of connections that were up or were refused

    def name(self):
        return f"{self.told.user}/{self.instance[:8]}"

    def state(self):
        """For whoever looks for a reason."""
        silent_s = time.monotonic() - self.heard
        return (f"ready {self.ready}, live {bool(self.live_since)}, silent for {silent_s:.1f} s, "
                f"{len(self.pending)} pending, last error {self.last_error}, {self.endings[-2:]}")

    def pause_s(self):
        self.attempt += 1
        return self.random.random() * min(0.05 * 2 ** min(self.attempt, 10), BACKOFF_S_MAX)

    def ended(self, error):
        self.ready, self.live_since = False, None
        self.endings.append((getattr(error, "code", None), repr(error)))

    async def handshake(self, reader):
        try:
            async with asyncio.timeout(SILENCE_S_MAX):
                await super().handshake(reader)
        except asyncio.TimeoutError:
            raise Ended(None, "no answer to the handshake") from None
        self.heard = time.monotonic()

    def take_frame(self, opcode, payload):
        self.heard = time.monotonic()
        super().take_frame(opcode, payload)

    async def watch(self):
        """Asks for a sign of life, and leaves a connection that gives none."""
        while True:
            await asyncio.sleep(0.5 + self.random.random())
            if self.writer and time.monotonic() - self.heard > SILENCE_S_MAX:
                self.abort()
            elif self.writer and self.ready:
                self.say("ping", {})

    def say(self, kind, payload, message_id=None):
        self.send(json.dumps({"id": message_id or str(uuid.uuid4()), "type": kind,
                              "payload": payload}))

    def on_ping(self, message):
        self.say("pong", message["payload"], message["id"])

    async def write_on(self):
        while True:
            await asyncio.sleep(self.random.expovariate(1 / self.pace_s))
            if self.ready and self.writing:
                self.write()

    def write(self):
        raise NotImplementedError

    def begin(self, data=True, **more):
        """A new operation on one of the user's contexts."""
        self.number += 1
        key = f"key-{self.random.randrange(KEYS)}"
        one = Operation(
            self.told.user, self.instance, f"{self.instance[:8]}-{self.number}", key,
            {"user": self.told.user, "by": self.instance, "n": self.number} if data else None,
            time.monotonic(), self.told.offset, **more)
        self.history.operations.append(one)
        return one

    def tasks(self):
        return [self.run(), self.watch(), self.write_on()]


class Negotiated(Client):
    """A client of dyad.v2, with one or two operations under way."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.versions = {}  # key -> the version that this client saw last
        self.token = None
        self.last = None
        self.acknowledged_of = 0.0  # when the newest acknowledged operation was begun,
        self.acknowledged_at = 0    # and its offset

    def on_connect(self, message):
        payload = {"protocol": 2, "userId": self.told.user, "instanceId": self.instance}
        if self.token:
            payload["resume"] = self.token
        self.say("hello", payload)

    def on_welcome(self, message):
        position = message["payload"]["position"]
        self.epoch, offset = position.split(".")[0], int(position.split(".")[1])
        if self.token is None:
            self.token, self.last = position, offset
        self.slice = Slice(self.told.user, self.name(), self.last)
        self.history.slices.append(self.slice)
        for one in list(self.pending.values()):
            self.command(one)
        self.ready, self.attempt, self.leaving = True, 0, False

    def on_goaway(self, message):
        """The node finishes what it has, and closes."""
        self.leaving = True

    def on_reset(self, message):
        self.slice.reset = True
        self.slice.after = self.last = None

    def on_position(self, message):
        if message["payload"]["live"]:
            self.live_since = time.monotonic()

    def on_events(self, message):
        for event in message["events"]:
            context = event["data"]["context"]
            # What a deletion leaves says nothing of its owner; its hash does (point 3).
            owner = context["data"]["user"] if context["data"] else self.told.user
            self.last = event["offset"]
            self.slice.events.append((self.last, event["hash"], owner))
            self.told.saw(self.last)
            self.versions[context["contextKey"]] = context["version"]
        self.token = f"{self.epoch}.{self.last}.{event['hash']}"

    def on_ack(self, message):
        one = self.pending.pop(message["id"], None)
        if one is None:
            self.history.broken.append(f"{self.name()}: an answer to nothing: {message}")
            return
        one.answered = time.monotonic()
        one.offset = int(message["payload"]["position"].split(".")[1])
        one.version = message["payload"]["version"]
        self.told.saw(one.offset)
        if one.begun > self.acknowledged_of:
            self.acknowledged_of, self.acknowledged_at = one.begun, one.offset

    def on_error(self, message):
        payload, one = message["payload"], self.pending.get(message["id"])
        self.last_error = payload.get("detail") or payload["message"]
        if one is None:
            self.history.broken.append(f"{self.name()}: {payload}")
        elif payload["retry"]:
            self.errors += not (self.leaving and payload["code"] == "draining")
            asyncio.get_running_loop().call_later(RETRY_S, self.repeat, one, self.writer)
        else:
            del self.pending[one.id]
            one.answered, one.refused = time.monotonic(), payload["code"]
            if payload["code"] not in ("version_conflict", "not_found") or \
                    (one.expected is None and one.data is not None):
                self.history.broken.append(f"{self.name()}: {one.id} refused: {payload}")

    def repeat(self, one, connection):
        if self.ready and connection is self.writer and one.id in self.pending:
            self.command(one)

    def write(self):
        if len(self.pending) >= 2 or self.leaving:
            return
        chance = self.random.random()
        one = self.begin(data=chance >= 0.05)
        if 0.05 <= chance < 0.35 and one.key in self.versions:
            one.expected = self.versions[one.key]
        self.pending[one.id] = one
        self.command(one)

    def command(self, one):
        one.sent, one.sent_floor = one.sent + 1, self.told.offset
        operation = {"contextKey": one.key}
        if one.data is None:
            operation["op"] = "context.delete"
        else:
            operation.update(op="context.put", data=one.data)
            operation.update({"force": True} if one.expected is None
                             else {"expectedVersion": one.expected})
        self.say("command", operation, one.id)


class Plain(Client):
    """A client of the plain protocol, as existing instances are. Nothing is acknowledged to it."""

    protocol = None

    def on_connect(self, message):
        self.slice = PlainSlice(self.told.user, self.name())
        self.history.plain_slices.append(self.slice)
        self.say("heartbeat", {})
        self.ready, self.attempt = True, 0
        self.live_since = time.monotonic()

    def say(self, kind, payload, message_id=None):
        self.send(json.dumps({
            "id": message_id or str(uuid.uuid4()), "type": kind, "userId": self.told.user,
            "instanceId": self.instance, "timestamp": int(time.time() * 1000),
            "payload": payload}))

    def on_context_sync(self, message):
        payload = message["payload"]
        self.slice.seen.append((payload["contextKey"], payload["version"],
                                None if payload.get("deleted") else payload["data"]))

    def on_state_response(self, message):
        """After a gap that could not be filled: what was seen before is no order any more."""
        self.slice = PlainSlice(self.told.user, self.name())
        self.history.plain_slices.append(self.slice)

    def on_error(self, message):
        if not message["payload"]["retry"]:
            self.history.broken.append(f"{self.name()}: {message['payload']}")

    def write(self):
        one = self.begin(plain=True)
        self.say("context-sync", {"contextKey": one.key, "data": one.data, "version": 1,
                                  "mergeStrategy": "replace"}, one.id)


class Reader:
    """Reads contexts of one user over REST, through whichever node the proxy chooses."""

    def __init__(self, history, told, port, pace_s):
        self.history, self.told, self.port, self.pace_s = history, told, port, pace_s

    async def run(self):
        while True:
            await asyncio.sleep(random.expovariate(1 / self.pace_s))
            try:
                async with asyncio.timeout(SILENCE_S_MAX):
                    await self.read(f"key-{random.randrange(KEYS)}")
            except (OSError, EOFError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                continue  # an answer that does not come claims nothing

    async def read(self, key):
        begun, floor = time.monotonic(), self.told.offset
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET /api/v1/contexts/{key}?fresh=latest HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                         f"Dyad-User: {self.told.user}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.transport.abort()
        status = int(head.split()[1]) if head else 0
        whole = f"content-length: {len(body)}\r\n".encode() in head.lower() + b"\r\n"
        if status not in (200, 404) or not whole:
            return
        one = Read(self.told.user, key, begun, time.monotonic(), floor)
        if status == 200:
            found = json.loads(body)
            one.version, one.offset, one.data = (found["version"], found["offset"],
                                                 found["data"])
            self.told.saw(one.offset)
        self.history.reads.append(one)

    def tasks(self):
        return [self.run()]

"""A client of the negotiated protocol (docs/protocol.md): operations are acknowledged, positions
can be resumed."""

import json
import time
import uuid

from support import frames
from support.plain import Closed


class Refused(Exception):
    """The server answered an operation with an error."""

    def __init__(self, payload):
        super().__init__(json.dumps(payload))
        self.payload = payload
        self.code = payload.get("code")


class V2:
    def __init__(self, port, user, instance=None, resume=None, timeout=10.0, **hello):
        self.raw = frames.open_websocket(port, "/sync", {"Sec-WebSocket-Protocol": "dyad.v2"},
                                         timeout)
        self.user = user
        self.instance = instance or f"test-{uuid.uuid4()}"
        self.inbox = []
        self.receive("connect")
        payload = {"protocol": 2, "userId": user, "instanceId": self.instance, **hello}
        if resume:
            payload["resume"] = resume
        self.send("hello", payload)
        self.welcome = self.receive("welcome")
        self.position = self.welcome["payload"]["position"]

    def send(self, kind, payload, message_id=None):
        message_id = message_id or str(uuid.uuid4())
        self.raw.send(frames.frame(frames.TEXT, json.dumps(
            {"id": message_id, "type": kind, "payload": payload})))
        return message_id

    def _read(self, deadline):
        while True:
            try:
                got = self.raw.read_frame(max(0.001, deadline - time.monotonic()))
            except frames.Ended as end:
                raise Closed(None, str(end).encode()) from None
            if got.opcode == frames.PING:
                self.raw.send(frames.frame(frames.PONG, got.payload))
            elif got.opcode == frames.CLOSE:
                raise Closed(got.code, got.payload[2:])
            elif got.opcode == frames.TEXT:
                return json.loads(got.payload)

    def receive(self, kinds=None, timeout=None, message_id=None):
        """The first message of these types (and this id); others wait in the inbox."""
        kinds = (kinds,) if isinstance(kinds, str) else kinds

        def fits(message):
            return (kinds is None or message["type"] in kinds) and \
                (message_id is None or message.get("id") == message_id)

        for at, message in enumerate(self.inbox):
            if fits(message):
                return self.inbox.pop(at)
        deadline = time.monotonic() + (timeout or self.raw.timeout)
        while True:
            message = self._read(deadline)
            if fits(message):
                return message
            self.inbox.append(message)

    def begin(self, operation, operation_id=None):
        """Sends an operation; its id."""
        return self.send("command", operation, operation_id)

    def finish(self, operation_id, timeout=None):
        """The payload of its acknowledgement. Raises Refused."""
        answer = self.receive(("ack", "error"), timeout, operation_id)
        if answer["type"] == "error":
            raise Refused(answer["payload"])
        return answer["payload"]

    def do(self, op, operation_id=None, **fields):
        return self.finish(self.begin({"op": op, **fields}, operation_id))

    def put(self, key, data, **fields):
        fields.setdefault("force", True)
        return self.do("context.put", contextKey=key, data=data, **fields)

    def events(self, count, timeout=None):
        """The next events, at least `count` of them."""
        found = []
        while len(found) < count:
            message = self.receive("events", timeout)
            found += message["events"]
        return found

    def close(self):
        self.raw.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

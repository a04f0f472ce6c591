"""A client of the existing protocol: one JSON envelope per text message."""

import json
import time
import uuid

from support import frames


class Closed(Exception):
    """The server closed; `code` is its close code (None: without one)."""

    def __init__(self, code, reason=b""):
        super().__init__(f"closed with {code}: {reason.decode('utf-8', 'replace')}")
        self.code = code
        self.reason = reason


class Plain:
    """Connects; with a user it registers by a ping, as the protocol allows by any type."""

    def __init__(self, port, user=None, instance=None, path="/sync", headers=None, timeout=10.0):
        self.raw = frames.open_websocket(port, path, headers, timeout)
        self.user = user or ""
        self.instance = instance or f"test-{uuid.uuid4()}"
        self.welcome = self.receive("connect")
        if user:
            self.ping()

    def envelope(self, kind, payload, message_id=None):
        return {"id": message_id or str(uuid.uuid4()), "type": kind, "userId": self.user,
                "instanceId": self.instance, "timestamp": int(time.time() * 1000),
                "payload": payload}

    def send(self, kind, payload, message_id=None):
        message = self.envelope(kind, payload, message_id)
        self.raw.send(frames.frame(frames.TEXT, json.dumps(message)))
        return message["id"]

    def read(self, timeout=None):
        """The next message of any type; answers protocol pings on the way."""
        text = b""
        while True:
            try:
                got = self.raw.read_frame(timeout)
            except frames.Ended as end:
                raise Closed(None, str(end).encode()) from None
            if got.opcode == frames.PING:
                self.raw.send(frames.frame(frames.PONG, got.payload))
            elif got.opcode == frames.CLOSE:
                raise Closed(got.code, got.payload[2:])
            elif got.opcode in (frames.TEXT, frames.CONTINUATION):
                text += got.payload
                if got.fin:
                    return json.loads(text.decode("utf-8"))

    def receive(self, kind=None, timeout=None, where=lambda message: True):
        """The next message of this type; others are passed over, JSON pings answered."""
        deadline = time.monotonic() + (timeout or self.raw.timeout)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {kind} came in time")
            message = self.read(left)
            if message["type"] == "ping" and kind != "ping":
                self.send("pong", message["payload"], message["id"])
            elif (kind is None or message["type"] == kind) and where(message):
                return message

    def nothing_comes(self, seconds=0.3, kinds=("context-sync", "mode-update")):
        """True if no message of these types comes for so long."""
        try:
            deadline = time.monotonic() + seconds
            while True:
                message = self.read(max(0.001, deadline - time.monotonic()))
                if message["type"] in kinds:
                    return False
        except TimeoutError:
            return True

    def ping(self, payload=None):
        """A JSON ping and its pong: everything sent before was read by the server."""
        sent = self.send("ping", payload if payload is not None else {})
        return self.receive("pong", where=lambda message: message["id"] == sent)

    def write(self, key, data, strategy="replace", **more):
        return self.send("context-sync", {"contextKey": key, "data": data, "version": 0,
                                          "mergeStrategy": strategy, **more})

    def set_mode(self, mode, previous=None):
        return self.send("mode-update", {"currentMode": mode, "previousMode": previous})

    def state(self):
        """The state, with the contexts that follow it."""
        self.send("state-request", {})
        state = self.receive("state-response")["payload"]
        for _ in range(state.get("following", 0)):
            one = self.receive("context-sync")["payload"]
            state["contexts"].append({"contextKey": one["contextKey"], "data": one["data"],
                                      "contextType": one["contextType"],
                                      "metadata": {"version": one["version"]}})
        return state

    def close(self):
        self.raw.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

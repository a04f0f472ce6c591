"""The load of the kill -9 test: clients that write through crashes and remember every answer."""

import asyncio
import json
import time
import uuid

from support.socket_client import SocketClient

IN_FLIGHT = 16
KEYS = 8
RETRY_S = 0.05


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


class Client(SocketClient):
    """One client: writes with IN_FLIGHT operations open, resumes and repeats after each crash."""

    def __init__(self, memory, port_of, in_flight=IN_FLIGHT):
        super().__init__(port_of)
        self.memory = memory
        self.in_flight = in_flight
        self.instance = str(uuid.uuid4())
        self.pending = {}       # operation id -> number, in the order of sending
        self.floor = {}         # number -> what the user had acknowledged when it was first sent
        self.begun = {}         # number -> when it was first sent
        self.sent = 0           # operations so far, repeated ones each time
        self.first_sent = {}    # number -> its place in the order of sending
        self.last_sent = {}
        self.refused = set()    # numbers that were told to come again
        self.spans = []         # (first sent, answered) of each acknowledgement
        self.acknowledged = {}  # operation id -> (number, offset), in the order of the answers
        self.next_number = 0
        self.writing = True
        self.token = None
        self.last_seen = None   # the offset of the last event received
        self.received = 0
        self.resumed = 0
        self.ready = False

    # ---- the protocol -----------------------------------------------------------------------

    def on_connect(self, message):
        self.ready = False
        hello = {"id": str(uuid.uuid4()), "type": "hello", "payload": {
            "protocol": 2, "userId": self.memory.user, "instanceId": self.instance}}
        if self.token:
            hello["payload"]["resume"] = self.token
        self.send(json.dumps(hello))

    def on_welcome(self, message):
        position = message["payload"]["position"]
        self.epoch, offset = position.split(".")[0], int(position.split(".")[1])
        if self.token is None:
            self.last_seen, self.token = offset, position
        else:
            self.resumed += 1
        for operation, number in self.pending.items():
            self.send_operation(operation, number)
        self.ready = True

    def on_reset(self, message):
        self.memory.wrong.append(f"{self.memory.user}: a client that only resumed was reset")
        self.token, self.last_seen = None, None

    def on_ack(self, message):
        operation = message["id"]
        number = self.pending.pop(operation, None)
        if number is None:
            self.memory.wrong.append(f"{self.memory.user}: unexpected answer to {operation}")
            return
        offset = int(message["payload"]["position"].split(".")[1])
        self.acknowledged[operation] = (number, offset)
        self.spans.append((self.begun.pop(number), time.monotonic()))
        self.memory.acknowledged_up_to = max(self.memory.acknowledged_up_to, offset)

    def on_error(self, message):
        payload = message["payload"]
        operation = message["id"]
        if operation in self.pending and payload["retry"]:
            self.refused.add(self.pending[operation])
            asyncio.get_running_loop().call_later(RETRY_S, self.repeat, operation, self.writer)
        else:
            self.memory.wrong.append(f"{self.memory.user}: refused: {json.dumps(payload)}")
            self.pending.pop(operation, None)

    def on_events(self, message):
        for event in message["events"]:
            offset = event["offset"]
            if self.last_seen is not None and offset != self.last_seen + 1:
                self.memory.wrong.append(
                    f"{self.memory.user}: offset {offset} came after {self.last_seen}")
            self.last_seen = offset
            self.received += 1
            self.memory.saw(offset, event["hash"])
            self.token = f"{self.epoch}.{offset}.{event['hash']}"

    def repeat(self, operation, connection):
        """Unless the connection is another one: there everything was sent again."""
        if self.ready and connection is self.writer and operation in self.pending:
            self.send_operation(operation, self.pending[operation])

    def ended(self, error):
        self.ready = False

    def after_messages(self):
        while self.ready and self.writing and len(self.pending) < self.in_flight:
            operation = f"{self.instance[:8]}-{self.next_number}"
            self.pending[operation] = self.next_number
            self.floor[self.next_number] = self.memory.acknowledged_up_to
            self.begun[self.next_number] = time.monotonic()
            self.send_operation(operation, self.next_number)
            self.next_number += 1

    def send_operation(self, operation, number):
        self.sent += 1
        self.first_sent.setdefault(number, self.sent)
        self.last_sent[number] = self.sent
        text = (f'{{"id":"{operation}","type":"command","payload":{{"op":"context.put",'
                f'"contextKey":"key-{number % KEYS}","force":true,'
                f'"data":{{"by":"{self.instance}","n":{number}}}}}}}')
        self.send(text)

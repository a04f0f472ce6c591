"""A MongoDB server that answers at will, for what a failover gives: it passes every command on to
a server that works, unless a rule says what becomes of it. Both see OP_MSG; a driver's first
greeting may come as OP_QUERY, and is answered here.

    with Mongo() as mongo, MongoRelay(mongo.port) as relay:
        relay.rule("insert", relay.close_after)      # until relay.clear()
        relay.rule("hello", lambda call: {**call.forward(), "isWritablePrimary": False})

A rule gets the Call: `call.command` is the document, `call.forward()` asks the real server. It
answers with a document; None closes the connection; bytes are sent as they are, then it is closed.
"""

import socket
import struct
import sys
import threading
import time

from support.backends import pymongo

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEADER = struct.Struct("<iiii")
MORE_TO_COME = 2


def _bson():
    pymongo()
    return sys.modules["bson"]


def _exactly(source, count):
    out = b""
    while len(out) < count:
        part = source.recv(count - len(out))
        if not part:
            raise ConnectionError("closed")
        out += part
    return out


def _message(source):
    """(request id, operation, body) of the next message."""
    length, request, _, operation = HEADER.unpack(_exactly(source, HEADER.size))
    return request, operation, _exactly(source, length - HEADER.size)


def _frame(operation, body, answers=0, request=1):
    return HEADER.pack(HEADER.size + len(body), request, answers, operation) + body


def _command_of(body):
    """The command of an OP_MSG, its document sequences put where they belong."""
    (flags,) = struct.unpack_from("<I", body)
    end = len(body) - (4 if flags & 1 else 0)
    at, command, lists = 4, None, {}
    while at < end:
        kind, at = body[at], at + 1
        (size,) = struct.unpack_from("<i", body, at)
        part = body[at:at + size]
        if kind == 0:
            command = _bson().decode(part)
        else:
            name, documents = part[4:].split(b"\0", 1)
            lists[name.decode()] = _bson().decode_all(documents)
        at += size
    return {**command, **lists}


def _encode(document):
    return struct.pack("<IB", 0, 0) + _bson().encode(document)


class Call:
    def __init__(self, command, real):
        self.command = command
        self.name = next(iter(command))
        self._real = real

    def forward(self):
        self._real.sendall(_frame(OP_MSG, _encode(self.command)))
        return _command_of(_message(self._real)[2])


def error(code, text, **more):
    return {"ok": 0.0, "code": code, "errmsg": text, **more}


class MongoRelay:
    def __init__(self, port, database="dyad_distributed"):
        self.target = port
        self.database = database
        self.rules = {}
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def env(self):
        return {"MONGODB_URL": f"mongodb://127.0.0.1:{self.port}",
                "MONGODB_DATABASE": self.database}

    # ---- rules ------------------------------------------------------------------------------

    def rule(self, name, answer):
        self.rules[name] = answer

    def clear(self):
        self.rules = {}

    def fail(self, names, code, text):
        for name in names.split():
            self.rule(name, lambda call: error(code, text))

    @staticmethod
    def close_before(call):
        return None

    @staticmethod
    def close_after(call):
        call.forward()

    @staticmethod
    def half(call):
        whole = _frame(OP_MSG, _encode(call.forward()))
        return whole[:len(whole) // 2]

    @staticmethod
    def late(seconds):
        def answer(call):
            reply = call.forward()
            time.sleep(seconds)
            return reply
        return answer

    def hello(self, **differs):
        """From now on it greets so; who watches it is told at once, since it connects anew."""
        def answer(call):
            reply = {**call.forward(), **differs}
            reply.pop("topologyVersion", None)
            return {name: value for name, value in reply.items() if value is not None}

        for name in ("hello", "isMaster", "ismaster"):
            self.rule(name, answer)
        self.drop_connections()

    def drop_connections(self):
        for one in list(self._open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    # ---- the wire ---------------------------------------------------------------------------

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        self._open.add(client)
        try:
            with client, socket.create_connection(("127.0.0.1", self.target)) as real:
                while self._one(client, real):
                    pass
        except OSError:
            pass
        finally:
            self._open.discard(client)

    def _one(self, client, real):
        request, operation, body = _message(client)
        if operation == OP_QUERY:
            name_end = body.index(b"\0", 4)
            command = _bson().decode_all(body[name_end + 9:])[0]
            command["$db"] = "admin"
        else:
            command = _command_of(body)
        # A greeting that answers again and again would pass every rule.
        command.pop("maxAwaitTimeMS", None)
        command.pop("topologyVersion", None)
        call = Call(command, real)
        self.seen.append(call.name)
        rule = self.rules.get(call.name)
        reply = rule(call) if rule else call.forward()
        if reply is None:
            return False
        if isinstance(reply, bytes):
            client.sendall(reply)
            return False
        if call.name in ("hello", "isMaster", "ismaster"):
            reply.pop("topologyVersion", None)
        if operation == OP_QUERY:
            framed = _frame(OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + _bson().encode(reply),
                            request)
        else:
            framed = _frame(OP_MSG, _encode(reply), request)
        client.sendall(framed)
        return True

    def close(self):
        self.listener.close()
        self.drop_connections()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

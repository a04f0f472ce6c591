"""A reader of server-sent events: a socket and the rules of the format, nothing else."""

import json
import socket
import urllib.parse

from support.server import PATIENCE


class Stream:
    """One stream. Use as a context manager."""

    def __init__(self, server, user, headers=None, timeout=10.0, **query):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout * PATIENCE)
        target = "/api/v1/events/stream?" + urllib.parse.urlencode(query)
        lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Dyad-User: {user}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        self.buffer = b""
        self.head = self._until(b"\r\n\r\n").decode()
        assert self.head.startswith("HTTP/1.1 200"), self.head + self.buffer.decode()
        assert "text/event-stream" in self.head

    def _until(self, mark):
        while mark not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the stream has ended")
            self.buffer += more
        part, self.buffer = self.buffer.split(mark, 1)
        return part

    def next(self):
        """(event, id, data) of the next message; comments are passed over."""
        while True:
            fields = {}
            for line in self._until(b"\n\n").decode().split("\n"):
                name, _, value = line.partition(": ")
                if name and not line.startswith(":"):
                    fields[name] = value
            if "event" in fields:
                return fields["event"], fields.get("id"), json.loads(fields["data"])

    def until(self, event):
        """All messages up to the first of this kind, which is the last of them."""
        found = [self.next()]
        while found[-1][0] != event:
            found.append(self.next())
        return found

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

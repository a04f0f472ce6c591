"""What the command line meets: a connection that loses answers, a terminal."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

from support.server import BINARY, PATIENCE


def url_of(server):
    return f"http://127.0.0.1:{server.port}"


class DroppingProxy:
    """Passes requests on, and breaks the connection instead of the first `drops` answers to
    writes: the server has done what was asked, and the client does not know."""

    def __init__(self, port, drops=1):
        self.target = port
        self.drops = drops
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                request = self._read_request(client)
                if not request:
                    continue
                self.requests.append(request)
                answer = self._ask(request)
                if self.drops > 0 and not request.startswith(b"GET"):
                    self.drops -= 1
                    continue
                client.sendall(answer)

    @staticmethod
    def _read_request(client):
        client.settimeout(10)
        data = b""
        while b"\r\n\r\n" not in data:
            more = client.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            body += client.recv(65536)
        return head + b"\r\n\r\n" + body

    def _ask(self, request):
        with socket.create_connection(("127.0.0.1", self.target), 10) as server:
            server.sendall(request.replace(f"127.0.0.1:{self.port}".encode(),
                                           f"127.0.0.1:{self.target}".encode()))
            answer = b""
            while more := server.recv(65536):
                answer += more
        return answer

    def close(self):
        self.listener.close()


class Terminal:
    """A command in a pseudo-terminal of its own; `output` is everything it wrote."""

    def __init__(self, server, *args, columns=100, rows=30, env=None):
        full = server.environment()
        full.update({"TERM": "xterm-256color", **(env or {})})
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        self.attributes = termios.tcgetattr(slave)
        self.slave = slave
        self.output = b""
        self.process = subprocess.Popen(
            [BINARY, *args], env=full, cwd=server.cwd, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, text, timeout=10.0, since=0):
        deadline = time.monotonic() + timeout * PATIENCE
        while text not in self.output[since:]:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{text!r} did not come:\n{self.output[since:]!r}")
        return self.output

    def _read(self, timeout):
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            more = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += more
        return bool(more)

    def type(self, text):
        os.write(self.master, text)

    def wait(self, timeout=10.0):
        status = self.process.wait(timeout * PATIENCE)
        while self._read(0.05):
            pass
        return status

    def is_restored(self):
        """The terminal's modes are what they were before."""
        return termios.tcgetattr(self.slave) == self.attributes

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

"""What many nodes share, as child processes of a test: redis-server, and a server that speaks the
MongoDB protocol (shared by nobody else: a free port, a folder of its own, its end by pid).

    with Redis() as redis, Mongo() as mongo:
        server = Server(env={"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": "ada",
                             **redis.env(), **mongo.env()})

Both can be killed (-9), stopped (SIGTERM), suspended, and started again on the same port and
folder. `Mongo(standalone=True)` is a standalone server, without it a replica set of one.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from support.server import PATIENCE, ROOT, _end_with_parent, free_port, wait_until

MONGO_VENV = pathlib.Path(os.environ.get("DYAD_MONGO_VENV", ROOT / ".venv-mongo"))


def pymongo():
    """The module; it is installed beside the server that it talks to."""
    try:
        import pymongo as module
    except ImportError:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        sys.path.append(str(MONGO_VENV / "lib" / version / "site-packages"))
        import pymongo as module
    return module


class Backend:
    """One process. Use as a context manager; `start` and `kill`, `stop` may alternate."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="dyad-backend-"))
        self.log_path = self.home / "backend.log"
        self.process = None

    def command(self):
        raise NotImplementedError

    def ready(self):
        raise NotImplementedError

    def start(self, timeout=30.0):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()], cwd=self.home, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=_end_with_parent)
        wait_until(self._ready, timeout, 0.02, f"{self.command()[0]}:\n{self.log()}")
        return self

    def _ready(self):
        assert self.process.poll() is None, f"{self.command()} ended:\n{self.log()}"
        try:
            return self.ready()
        except OSError:
            return False

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9."""
        if self.running():
            self.process.kill()
        if self.process:
            self.process.wait()

    def stop(self, timeout=15.0):
        """SIGTERM, and waits: a second one on the same folder must not meet the first."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(timeout * PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def suspend(self):
        """SIGSTOP: connections stay open, and nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        """kill -9, and started again on the same port and folder."""
        self.kill()
        return self.start()

    def log(self):
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def close(self):
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self if self.running() else self.start()

    def __exit__(self, *_):
        self.close()


class RedisConnection:
    """As much of RESP2 as tests need."""

    def __init__(self, port, timeout=10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout * PATIENCE)
        self.reader = self.socket.makefile("rb")

    def send(self, *words):
        parts = [str(word).encode() if not isinstance(word, bytes) else word for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))

    def read(self):
        """One reply: str, int, None or a list of these; ValueError where Redis says an error."""
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ValueError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else self.reader.read(int(rest) + 2)[:-2].decode()
        raise ValueError(f"no RESP2: {line!r}")

    def command(self, *words):
        self.send(*words)
        return self.read()

    def subscribe(self, *channels, pattern=False):
        """From now on `read` gives what is published, as ["message", channel, text]."""
        self.send("PSUBSCRIBE" if pattern else "SUBSCRIBE", *channels)
        for _ in channels:
            self.read()
        return self

    def quiet(self, seconds):
        """True if nothing comes for so long."""
        self.socket.settimeout(seconds * PATIENCE)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True

    def close(self):
        with contextlib.suppress(OSError):
            self.reader.close()
            self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Redis(Backend):
    def __init__(self, *arguments, port=None):
        super().__init__(port)
        self.arguments = list(arguments)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def env(self):
        return {"REDIS_URL": self.url}

    def command(self):
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", self.home, *self.arguments]

    def ready(self):
        with self.connection(2.0) as connection:
            try:
                return connection.command("PING") == "PONG"
            except ValueError as error:  # it answers, and wants a password first
                return str(error).startswith("NOAUTH")

    def connection(self, timeout=10.0):
        return RedisConnection(self.port, timeout)


class Mongo(Backend):
    """SecantusDB; what differs from a real MongoDB is told in docs/mongodb.md."""

    def __init__(self, *arguments, standalone=False, port=None, database="dyad_distributed"):
        super().__init__(port)
        self.arguments = list(arguments) + (["--standalone"] if standalone else [])
        self.database = database
        self._client = None

    @property
    def url(self):
        return f"mongodb://127.0.0.1:{self.port}"

    def env(self):
        return {"MONGODB_URL": self.url, "MONGODB_DATABASE": self.database}

    def command(self):
        return [MONGO_VENV / "bin/secantusd-py", "--host", "127.0.0.1", "--port", self.port,
                "--storage-path", self.home / "data", *self.arguments]

    def ready(self):
        """It answers, and where it is a replica set it says that it can be written to."""
        client = self.client(2.0)
        try:
            return client.admin.command("hello")["isWritablePrimary"]
        except pymongo().errors.PyMongoError:
            return False
        finally:
            client.close()

    def client(self, timeout=10.0):
        """A MongoClient of its own; the caller closes it."""
        return pymongo().MongoClient(self.url, directConnection=True,
                                     serverSelectionTimeoutMS=int(timeout * PATIENCE * 1000))

    @property
    def db(self):
        """The database that the servers under test use, by a client that lives as long as this."""
        if self._client is None:
            self._client = self.client()
        return self._client[self.database]

    def close(self):
        if self._client is not None:
            self._client.close()
            self._client = None
        super().close()


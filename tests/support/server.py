"""The real binary as a child process: a free port, a folder of its own, its log, its end by pid.

Nothing here imports the product. DYAD_MEMORY names the binary; without it the release build.
"""

import ctypes
import http.client
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DYAD_MEMORY", str(ROOT / "build/release/dyad-memory"))
# Sanitizer builds are slower: every patience below is multiplied by this.
PATIENCE = float(os.environ.get("DYAD_TEST_PATIENCE", "1"))
PR_SET_PDEATHSIG = 1


def free_port():
    """A port nobody uses at present: below those that the system gives to outgoing connections,
    so that none of the tests' own takes it before the server does."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(condition, timeout=10.0, pause=0.01, what="the condition"):
    """The first true value of condition(); AssertionError when the time is over."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout * PATIENCE:.0f} s in vain for {what}")
        time.sleep(pause)


def _end_with_parent():
    # A test run that is killed leaves no server behind.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class StartFailed(AssertionError):
    """The server ended before it was ready."""


class Server:
    """One server process. Use as a context manager; `start` and `kill` may alternate."""

    def __init__(self, args=(), env=None, cwd=None, data_dir=None, port=None, port_by_flag=True,
                 limits=None, pass_fds=()):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="dyad-test-"))
        self.data_dir = pathlib.Path(data_dir) if data_dir else self.home / "data"
        self.cwd = pathlib.Path(cwd) if cwd else self.home
        self.port = port or free_port()
        self.args = list(args)
        self.env = dict(env or {})
        self.port_by_flag = port_by_flag
        self.limits = limits
        self.pass_fds = pass_fds
        self.process = None
        self.log_path = self.home / "server.log"

    def command(self):
        line = [BINARY, "serve"]
        if self.port_by_flag:
            line += ["--port", str(self.port)]
        return line + ["--data-dir", str(self.data_dir)] + self.args

    def environment(self):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        for name, value in os.environ.items():
            if name.startswith(("ASAN_", "TSAN_", "UBSAN_", "LSAN_")) or name == "DYAD_CELLS":
                env[name] = value
        env.update(self.env)
        return env

    def spawn(self):
        """Starts the process and does not wait for it to be ready."""
        def before_exec():
            _end_with_parent()
            if self.limits:
                self.limits()

        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.environment(), cwd=self.cwd, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=before_exec, pass_fds=self.pass_fds)
        return self

    def start(self, timeout=15.0):
        """Starts the process and waits until it answers."""
        self.spawn()
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=15.0):
        wait_until(self._ready, timeout, 0.005, f"{self.command()} to be ready:\n{self.log()}")

    def _ready(self):
        if self.process.poll() is not None:
            raise StartFailed(f"ended with {self.process.returncode}:\n{self.log()}")
        try:
            return self.get("/readyz", timeout=2)[0] == 200
        except OSError:
            return False

    def wait_exit(self, timeout=15.0):
        """The exit status; AssertionError if the process does not end by itself."""
        try:
            return self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout} s:\n{self.log()}") from None

    def stop(self, timeout=15.0):
        """SIGTERM; the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(timeout) if self.process else None

    def kill(self):
        """kill -9."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def request(self, method, path, body=None, headers=None, timeout=10.0):
        """(status, headers, body) of one HTTP request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout * PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(repr(error)) from error
        finally:
            connection.close()

    def get(self, path, headers=None, timeout=10.0):
        return self.request("GET", path, None, headers, timeout)

    def log(self):
        try:
            return self.log_path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, text, timeout=10.0):
        return wait_until(lambda: text in self.log(), timeout, 0.02,
                          f"{text!r} in the log:\n{self.log()}")

    def memory_bytes(self):
        """The resident memory of the process."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def cli(self, *args, env=None, timeout=30.0, stdin=None):
        """Runs another subcommand of the binary in this server's surroundings."""
        full = self.environment()
        full.update(env or {})
        return subprocess.run([BINARY, *args], env=full, cwd=self.cwd, text=True,
                              input=stdin if stdin is not None else "",
                              capture_output=True, timeout=timeout * PATIENCE)

    def close(self):
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *_):
        self.close()

"""Machines that keep files in step by `dyad-memory bridge`, and people who edit them."""

import json
import os
import pathlib
import signal
import subprocess
import urllib.parse

from support.server import BINARY, PATIENCE, _end_with_parent, wait_until

BEGIN = "<!-- dyad-memory:begin -->"
END = "<!-- dyad-memory:end -->"
PROJECT = "p"


def block(text, before="", after="", eol="\n"):
    lines = [BEGIN, *text.splitlines(), END]
    return before + "".join(line + eol for line in lines) + after


def inner(content):
    """The text of the block; None where there is none."""
    lines = content.splitlines(keepends=True)
    begin = [i for i, line in enumerate(lines) if line.startswith("<!-- dyad-memory:begin")]
    end = [i for i, line in enumerate(lines) if line.startswith("<!-- dyad-memory:end")]
    return "".join(lines[begin[0] + 1:end[0]]) if begin and end else None


def key_of(name):
    return f"file:{PROJECT}/{name}"


def context_of(server, name):
    path = "/api/v1/context?contextKey=" + urllib.parse.quote(key_of(name), safe="")
    status, _, body = server.get(path)
    return json.loads(body) if status == 200 else None


def shared(server, name="CLAUDE.md"):
    context = context_of(server, name)
    return context and context["data"]["text"]


def share(server, text, name="CLAUDE.md", **more):
    """Writes the shared text, whatever is there."""
    path = "/api/v1/context?contextKey=" + urllib.parse.quote(key_of(name), safe="")
    body = {"data": {"text": text, **more}, "force": True}
    status, _, answer = server.request("PUT", path, json.dumps(body),
                                       {"Content-Type": "application/json"})
    assert status in (200, 201), answer


def unshare(server, name="CLAUDE.md"):
    path = "/api/v1/context?contextKey=" + urllib.parse.quote(key_of(name), safe="")
    assert server.request("DELETE", path)[0] == 200


class Machine:
    """A project folder and a home of its own."""

    def __init__(self, server, base, name):
        self.server = server
        self.folder = pathlib.Path(base) / name
        self.home = pathlib.Path(base) / (name + "-home")
        self.folder.mkdir()
        self.home.mkdir()
        self.log_path = pathlib.Path(base) / (name + ".log")
        self.process = None
        self.port = None  # of a proxy, instead of the server's

    def command(self, *args):
        return [BINARY, "bridge", "--project", PROJECT, "--instance", self.folder.name, *args]

    def environment(self):
        return {**self.server.environment(), "HOME": str(self.home),
                "DYAD_URL": f"http://127.0.0.1:{self.port or self.server.port}"}

    def run(self, *args, timeout=60, cwd=None, command=None):
        return subprocess.run(command or self.command(*args), env=self.environment(),
                              cwd=cwd or self.folder, text=True, input="", capture_output=True,
                              timeout=timeout * PATIENCE)

    def once(self, *args, status=0):
        done = self.run("--once", *args)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def start(self, *args):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(*args), env=self.environment(), cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_end_with_parent)
        return self

    def wait_connected(self):
        wait_until(lambda: "Connected." in self.log(), 15, what=f"a connection:\n{self.log()}")

    def log(self):
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(15 * PATIENCE)
        self.process = None
        return status

    def path(self, name="CLAUDE.md"):
        return self.folder / name

    def read(self, name="CLAUDE.md"):
        try:
            return self.path(name).read_bytes().decode()
        except FileNotFoundError:
            return None

    def write(self, text, name="CLAUDE.md"):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_bytes(text if isinstance(text, bytes) else text.encode())

    def conflict(self, name="CLAUDE.md"):
        return self.read(name + ".dyad-conflict")

    def edit(self, change, name="CLAUDE.md", by_rename=False):
        """What a careful editor does: nobody writes between its reading and its writing."""
        while True:
            with open(self.path(name), "r+", newline="", encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_ino != os.stat(self.path(name)).st_ino:
                    continue
                text = change(file.read())
                if by_rename:
                    fresh = self.path(name + ".swp")
                    fresh.write_text(text, encoding="utf-8", newline="")
                    os.replace(fresh, self.path(name))
                else:
                    file.seek(0)
                    file.truncate()
                    file.write(text)
                return

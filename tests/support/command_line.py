"""The command line as one user of one server uses it."""

import json
import subprocess

from support.server import BINARY

URL = "DYAD_URL"


class Cli:
    def __init__(self, server, user):
        self.server, self.user = server, user

    def run(self, *args, stdin=None, env=None):
        here = {URL: f"http://127.0.0.1:{self.server.port}", "DISTRIBUTED_USER_ID": self.user}
        return self.server.cli(*args, stdin=stdin, env={**here, **(env or {})})

    def ok(self, *args, **kwargs):
        done = self.run(*args, **kwargs)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def json(self, *args, **kwargs):
        return json.loads(self.ok(*args, "--json", **kwargs))

    def fails(self, status, *args, **kwargs):
        done = self.run(*args, **kwargs)
        assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
        assert done.stderr.strip(), "a failure says why"
        return done.stderr

    def spawn(self, *args):
        env = self.server.environment()
        env[URL] = f"http://127.0.0.1:{self.server.port}"
        env["DISTRIBUTED_USER_ID"] = self.user
        return subprocess.Popen([BINARY, *args], env=env, cwd=self.server.cwd, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

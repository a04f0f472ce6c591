"""Three nodes behind nginx, Redis and the database, with a proxy in every link between them that
can cut, stop and slow it: toxiproxy, built from its source (./x setup-tests).
"""

import http.client
import json
import pathlib
import subprocess
import sys

from support.backends import Backend, Mongo, Redis
from support.server import ROOT, Server, free_port, wait_until

sys.path.insert(0, str(ROOT / "tools"))
from cluster import Nginx  # noqa: E402

TOXIPROXY = ROOT / "build/tools/toxiproxy"
USER = "nobody"  # of the settings; clients name their own


class Toxiproxy(Backend):
    """Links by name, each a port that leads to another one."""

    def __init__(self):
        super().__init__()
        self.ports = {}

    def command(self):
        return [TOXIPROXY, "-host", "127.0.0.1", "-port", self.port]

    def ready(self):
        return self.call("GET", "/version") is not None

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json", "User-Agent": "tests"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 400:
                raise OSError(f"toxiproxy: {method} {path}: {answer.status} {text[:200]}")
            return text
        finally:
            connection.close()

    def link(self, name, port):
        """The port of a new link to `port`."""
        self.ports[name] = free_port()
        self.call("POST", "/proxies", {"name": name, "listen": f"127.0.0.1:{self.ports[name]}",
                                       "upstream": f"127.0.0.1:{port}", "enabled": True})
        return self.ports[name]

    def cut(self, name):
        """Its connections end, and new ones are refused."""
        self.call("POST", f"/proxies/{name}", {"enabled": False})

    def mend(self, name):
        self.call("POST", f"/proxies/{name}", {"enabled": True})

    def poison(self, name, kind, stream, **attributes):
        self.call("POST", f"/proxies/{name}/toxics",
                  {"name": f"{kind}-{stream}", "type": kind, "stream": stream,
                   "attributes": attributes})

    def cure(self, name):
        """No toxics; a half-open connection ends with its toxic."""
        for toxic in json.loads(self.call("GET", f"/proxies/{name}/toxics")):
            self.call("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")


def wrong_clock(folder):
    """A library that puts the wall clock ahead by the seconds in a file; and the file."""
    library, ahead = pathlib.Path(folder) / "wrong_clock.so", pathlib.Path(folder) / "ahead"
    subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", str(library),
                    str(ROOT / "tests/support/wrong_clock.c"), "-ldl"], check=True)
    ahead.write_text("0")
    return library, ahead


class Topology:
    """Lifetime: until close()."""

    def __init__(self, nodes=3, standalone=False, env=None):
        self.redis, self.mongo = Redis(), Mongo(standalone=standalone)
        self.proxy = Toxiproxy()
        self.nodes, self.nginx, self.front = [], None, None
        self.count, self.env = nodes, env or {}

    def start(self):
        for part in (self.proxy, self.redis, self.mongo):
            part.start()
        library, self.ahead = wrong_clock(self.proxy.home)
        for number in range(self.count):
            mongo = self.proxy.link(f"mongo{number}", self.mongo.port)
            redis = self.proxy.link(f"redis{number}", self.redis.port)
            env = {"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER,
                   "MONGODB_URL": f"mongodb://127.0.0.1:{mongo}/?directConnection=true",
                   "MONGODB_DATABASE": self.mongo.database,
                   "REDIS_URL": f"redis://127.0.0.1:{redis}", **self.env}
            if number == 0:  # the one whose clock is wrong
                env.update(LD_PRELOAD=str(library), DYAD_TEST_CLOCK=str(self.ahead))
            self.nodes.append(Server(env=env).spawn())
        for node in self.nodes:
            node.wait_ready(30)
        behind = [self.proxy.link(f"node{number}", node.port)
                  for number, node in enumerate(self.nodes)]
        self.nginx = Nginx(behind).start()
        self.front = self.proxy.link("front", self.nginx.port)
        return self

    def links(self):
        return list(self.proxy.ports)

    def set_clock(self, ahead_s):
        # Replaced, not rewritten: a node may read it at any time.
        fresh = self.ahead.with_suffix(".new")
        fresh.write_text(str(ahead_s))
        fresh.replace(self.ahead)

    def wait_operational(self):
        for node in self.nodes:
            wait_until(lambda: json.loads(node.get("/api/v1/status")[2])["isFullyOperational"],
                       30, 0.05, "a node to be fully operational")

    def close(self):
        for part in (self.nginx, *self.nodes, self.proxy, self.redis, self.mongo):
            if part:
                part.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

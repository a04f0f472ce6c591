#!/usr/bin/env python3
"""Many nodes on this machine, as processes: MongoDB's protocol (the tests' server), Redis,
nodes, and nginx in front of them. Prints where to look, shows one write of node 1 read on the last
node, and runs until Ctrl-C or `./x cluster --stop`. Everything is in temporary folders that go with
it.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import socket
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.backends import Backend, Mongo, Redis  # noqa: E402
from support.server import BINARY, Server, wait_until  # noqa: E402

PID_FILE = pathlib.Path(tempfile.gettempdir()) / f"dyad-cluster-{os.getuid()}.pid"
USER = "demo@example.com"


class Nginx(Backend):
    """deploy/nginx.conf, with the ports of this cluster and files of its own folder."""

    def __init__(self, nodes, port=None):
        super().__init__(port)
        text = (ROOT / "deploy/nginx.conf").read_text()
        line = re.search(r"^ *server 127\.0\.0\.1:\d+(.*);$", text, re.M)
        servers = "\n".join(f"        server 127.0.0.1:{node}{line.group(1)};" for node in nodes)
        text = re.sub(r"( *server 127\.0\.0\.1:\d+.*;\n)+", servers + "\n", text)
        text = text.replace("listen 127.0.0.1:8080", f"listen 127.0.0.1:{self.port}")
        text = re.sub(r"^pid .*", f"pid {self.home}/nginx.pid;\ndaemon off;", text, flags=re.M)
        text = re.sub(r"^error_log .*", f"error_log {self.home}/error.log warn;", text, flags=re.M)
        temporary = "".join(f"    {name}_temp_path {self.home}/{name};\n" for name in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = text.replace("    access_log off;\n",
                            f"    access_log {self.home}/access.log;\n{temporary}")
        (self.home / "nginx.conf").write_text(text)

    def command(self):
        return ["nginx", "-e", self.home / "error.log", "-c", self.home / "nginx.conf"]

    def ready(self):
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True


class Cluster:
    """Lifetime: until close(). `nodes` are support.server.Server."""

    def __init__(self, count=3, standalone=False, env=None, ports=None, server=Server):
        self.redis, self.mongo = Redis(), Mongo(standalone=standalone)
        self.env = {"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER,
                    **self.redis.env(), **self.mongo.env(), **(env or {})}
        ports = ports or [None] * count
        self.nodes = [server(env=self.env, port=port) for port in ports[:count]]
        self.nginx = Nginx([node.port for node in self.nodes])

    def start(self):
        self.redis.start()
        self.mongo.start()
        for node in self.nodes:
            node.spawn()
        for node in self.nodes:
            node.wait_ready(30)
        self.nginx.start()
        return self

    def close(self):
        for node in self.nodes:
            if node.process:
                node.stop()
        for part in (self.nginx, *self.nodes, self.redis, self.mongo):
            part.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def status_of(node):
    return json.loads(node.get("/api/v1/status")[2])


def show(cluster):
    print(f"\nThe cluster runs. In front of it: http://127.0.0.1:{cluster.nginx.port}/  "
          f"(WebSocket ws://127.0.0.1:{cluster.nginx.port}/sync)")
    for number, node in enumerate(cluster.nodes, 1):
        status = status_of(node)
        systems = [status["mongodb"], status["redis"]]
        works = sum(system["healthy"] for system in systems) + status["websocket"]["running"]
        print(f"  node {number}   http://127.0.0.1:{node.port}/   [✓ {works}/3 Sync]   pid "
              f"{node.process.pid}   log {node.log_path}")
    print(f"  MongoDB  {cluster.mongo.url}   (a server for tests: docs/mongodb.md)   log "
          f"{cluster.mongo.log_path}")
    print(f"  Redis    {cluster.redis.url}   log {cluster.redis.log_path}")
    print(f"  nginx    log {cluster.nginx.home}/access.log, error.log")


def demonstrate(cluster):
    first, last = cluster.nodes[0], cluster.nodes[-1]
    written = ["context", "set", "cluster/hello", json.dumps({"from": "node 1"})]
    read = ["context", "get", "cluster/hello"]
    print(f"\n$ dyad-memory --url http://127.0.0.1:{first.port} {' '.join(written[:3])} "
          f"'{written[3]}'")
    done = first.cli("--url", f"http://127.0.0.1:{first.port}", *written)
    print((done.stdout + done.stderr).rstrip())
    start = time.monotonic()
    print(f"$ dyad-memory --url http://127.0.0.1:{last.port} {' '.join(read)}")
    seen = wait_until(lambda: (lambda answer: answer.returncode == 0 and answer)(
        last.cli("--url", f"http://127.0.0.1:{last.port}", *read)), 10, what="the write to be read")
    print(seen.stdout.rstrip())
    if '"from": "node 1"' not in seen.stdout:
        raise SystemExit("the last node has something else than what was written")
    took_ms = 1000 * (time.monotonic() - start)
    print(f"\nNode {len(cluster.nodes)} has it, {took_ms:.0f} ms after the acknowledgement, "
          "the start of the program included.")


def running_pid():
    """Of the cluster that runs, by its file; 0 where there is none."""
    try:
        pid = int(PID_FILE.read_text())
        line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return 0
    return pid if any(word.endswith(b"cluster.py") for word in line) else 0


def stop():
    pid = running_pid()
    if not pid:
        print("no cluster runs")
        return 0
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not running_pid(), 40, 0.1, f"the cluster (pid {pid}) to end")
    print("the cluster has stopped")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="./x cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=3, choices=range(1, 17), metavar="N")
    parser.add_argument("--port", type=int, help="of nginx; without it a free one")
    parser.add_argument("--once", action="store_true", help="stop when all is shown")
    parser.add_argument("--stop", action="store_true", help="stop the cluster that runs")
    options = parser.parse_args()
    if options.stop:
        return stop()
    if running_pid():
        parser.error(f"a cluster runs already (pid {running_pid()}); ./x cluster --stop")
    if not pathlib.Path(BINARY).exists():
        parser.error(f"{BINARY} is not there: ./x build")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    PID_FILE.write_text(str(os.getpid()))
    cluster = Cluster(options.nodes)
    try:
        cluster.start()
        show(cluster)
        demonstrate(cluster)
        if not options.once:
            print("\nStop it with Ctrl-C, or: ./x cluster --stop", flush=True)
            while all(node.process.poll() is None for node in cluster.nodes):
                time.sleep(0.5)
            print("a node has ended by itself; see its log above")
            time.sleep(2)
            return 1
    except KeyboardInterrupt:
        pass
    finally:
        # Ctrl-C goes to the children, too: they drain, and nothing else stops that.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        cluster.close()
        PID_FILE.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

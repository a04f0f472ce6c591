"""Several nodes on one MongoDB: what one takes the others have, with Redis and without it, through
nginx, and with more than one cell each."""

import http.client
import json
import subprocess
import sys
import time

import pytest

from support.backends import MONGO_VENV, Mongo, Redis
from support.plain import Plain
from support.server import PATIENCE, ROOT, wait_until

sys.path.insert(0, str(ROOT / "tools"))
from cluster import Cluster  # noqa: E402

USER = "ada"
pytestmark = pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                                reason="the MongoDB server of the tests is not installed")


def env_of(mongo, redis=None, **more):
    env = {"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER, **mongo.env(), **more}
    return {**env, **redis.env()} if redis else {**env, "ENABLE_REDIS": "false"}


def contexts_of(node):
    code, _, body = node.get("/api/v1/contexts")
    assert code == 200, body
    return {one["contextKey"]: one["data"] for one in json.loads(body)["contexts"]}


def get_through(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10 * PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def exchange(nodes, rounds=10):
    """A client at each node; everyone writes in turn, everyone sees all of it in one order. How
    long the slowest delivery took, in seconds."""
    clients = [Plain(node.port, USER, f"dyad-{number}") for number, node in enumerate(nodes)]
    try:
        for client in clients:
            client.ping()
        slowest = 0
        for n in range(rounds):
            writer = clients[n % len(clients)]
            started = time.monotonic()
            writer.write("shared", {"n": n})
            for client in clients:
                if client is not writer:
                    assert client.receive("context-sync")["payload"]["data"] == {"n": n}
            slowest = max(slowest, time.monotonic() - started)
        return slowest
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("cells", ["1", "2"])
def test_what_one_node_takes_the_others_are_told_through_redis(make_server, cells):
    with Mongo() as mongo, Redis() as redis:
        nodes = [make_server(env=env_of(mongo, redis, DYAD_CELLS=cells)).spawn() for _ in range(3)]
        for node in nodes:
            node.wait_ready(30)
            wait_until(lambda: json.loads(node.get("/api/v1/status")[2])["isFullyOperational"],
                       10, what=node.log())
        exchange(nodes, 3)  # until everyone follows the user
        assert exchange(nodes) < 0.5 * PATIENCE
        assert all(contexts_of(node) == {"shared": {"n": 9}} for node in nodes)


def test_without_redis_the_log_is_looked_at(make_server):
    with Mongo() as mongo:
        nodes = [make_server(env=env_of(mongo)).spawn() for _ in range(2)]
        for node in nodes:
            node.wait_ready(30)
        status = json.loads(nodes[0].get("/api/v1/status")[2])
        assert status["isFullyOperational"] and not status["redis"]["enabled"]
        assert (status["storage"]["kind"], status["bus"]["kind"]) == ("mongodb", "local")
        assert exchange(nodes) < 1.5 * PATIENCE, "not five seconds, as with a bus"


def test_a_node_that_is_killed_takes_nothing_along(make_server):
    with Cluster(3) as cluster:
        with Plain(cluster.nodes[0].port, "demo@example.com", "dyad-1") as client:
            for n in range(20):
                client.write(f"k{n}", {"n": n})
            wait_until(lambda: len(client.state()["contexts"]) == 20, 10, what="the writes")
        cluster.nodes[0].kill()
        for node in cluster.nodes[1:]:
            assert contexts_of(node) == {f"k{n}": {"n": n} for n in range(20)}
        # nginx goes round it, and it comes back as it was.
        for _ in range(6):
            assert get_through(cluster.nginx.port, "/api/v1/contexts") == 200
        cluster.nodes[0].start(30)
        assert len(contexts_of(cluster.nodes[0])) == 20


def test_x_cluster_shows_what_it_says_and_stops():
    done = subprocess.run([sys.executable, ROOT / "tools/cluster.py", "--once", "--nodes", "2"],
                          capture_output=True, text=True, timeout=90 * PATIENCE)
    if "a cluster runs already" in done.stderr:
        pytest.skip("a cluster runs on this machine")
    assert done.returncode == 0, done
    for part in ("http://127.0.0.1:", "node 2", "[✓ 3/3 Sync]", "created, version 1",
                 '"from": "node 1"', "Node 2 has it"):
        assert part in done.stdout, done

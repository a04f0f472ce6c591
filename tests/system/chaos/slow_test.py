"""A database that is slow, and what may not become slow with it."""

import json
import re
import socket
import time

import pytest

from support.rest import Api
from support.server import PATIENCE
from topology import TOXIPROXY, Topology

USERS = 40
LATENCY_MS = 200  # each way

pytestmark = pytest.mark.skipif(not TOXIPROXY.exists(), reason="toxiproxy is not built")


@pytest.fixture(scope="module")
def topology():
    with Topology(nodes=1) as one:
        yield one


def write_for_everyone(node):
    for number in range(USERS):
        status, answer = Api(node, f"user-{number}", "desk").call(
            "PUT", "contexts/a", {"data": {"n": number}, "force": True})
        assert status in (200, 201), answer


def test_an_event_is_counted_once(topology):
    node = topology.nodes[0]
    write_for_everyone(node)
    text = node.get("/metrics")[2].decode()
    assert int(re.search(r"^dyad_events_committed_total (\d+)", text, re.M)[1]) == USERS


def test_a_node_stops_in_time_however_much_is_left_to_project(topology):
    node = topology.nodes[0]
    # So that nobody has to be loaded once the database is slow.
    write_for_everyone(node)
    time.sleep(2 * PATIENCE)
    for stream in ("upstream", "downstream"):
        topology.proxy.poison("mongo0", "latency", stream, latency=LATENCY_MS, jitter=0)
    sockets = []
    for number in range(USERS):
        body = json.dumps({"data": {"n": -1}, "force": True})
        sockets.append(send(node.port, f"user-{number}", body))
    answers = [one.recv(4096).split()[1] for one in sockets]
    assert answers == [b"200"] * USERS
    started = time.monotonic()
    assert node.stop(60) == 0
    took = time.monotonic() - started
    topology.proxy.cure("mongo0")
    assert took < 10 * PATIENCE, f"docs/distributed.md says ten seconds: {took:.1f} s"


def send(port, user, body):
    """A request whose answer is read later, so that all are under way at once."""

    one = socket.create_connection(("127.0.0.1", port), 60)
    one.sendall(f"PUT /api/v1/contexts/a HTTP/1.1\r\nHost: 127.0.0.1\r\nDyad-User: {user}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                f"Connection: close\r\n\r\n{body}".encode())
    return one

"""The real server where MongoDB is not there, stands still, fails over, or is replaced: nothing is
acknowledged that is not durable, nothing is lost or there twice, and it gets well by itself."""

import contextlib
import json
import threading
import time

import pytest

from support import chain, rest
from support.backends import MONGO_VENV, Mongo
from support.mongo_relay import MongoRelay, error
from support.server import PATIENCE, wait_until
from support.v2 import V2, Refused

USER = "ada"
BASE = {"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER, "ENABLE_REDIS": "false"}
pytestmark = pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                                reason="the MongoDB server of the tests is not installed")


@pytest.fixture(scope="module")
def mongo():
    with Mongo() as one:
        yield one


@pytest.fixture
def relay(mongo, request):
    """In front of the same server, with a database of each test's own."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)[-50:]
    with MongoRelay(mongo.port, name) as one:
        yield one


def settings(backend):
    return {**BASE, **backend.env()}


def storage_of(server):
    return json.loads(server.get("/api/v1/status")[2])["storage"]


def put(server, key, data, user=USER):
    status, headers, body = server.request(
        "PUT", f"/api/v1/contexts/{key}", json.dumps({"data": data, "force": True}),
        {"Content-Type": "application/json", "Dyad-User": user}, timeout=30)
    return status, headers, body


def wait_up(server, timeout=20):
    wait_until(lambda: storage_of(server)["connected"], timeout, 0.05, server.log())


def expect_chain(server):
    """The log is dense, and its chain holds. The texts of its events' data."""
    before, data = None, []
    for n, event in enumerate(rest.read_log(server, USER), 1):
        assert event["offset"] == n, "a hole"
        found = rest.read_json(server, f"/api/v1/events/{n}", USER)
        assert chain.problem(found["proof"], found["event"], USER) is None
        assert before in (None, found["proof"]["prevHash"]), "a fork"
        before = found["proof"]["hash"]
        data.append(json.dumps(event["data"], sort_keys=True))
    return data


# ---- what ends a start ----------------------------------------------------------------------


def old_server(relay):
    relay.hello(maxWireVersion=8, helloOk=None)
    relay.fail("hello", 59, "no such command: 'hello'")


REFUSED = {
    "older than the driver knows": (lambda relay: relay.hello(maxWireVersion=4),
                                    ["older than MongoDB 4.4", "update it"]),
    "older": (old_server, ["older than MongoDB 4.4", "update it"]),
    "without a journal": (
        lambda relay: relay.fail("update", 2, "cannot use 'j' option when a host does not have "
                                              "journaling enabled"),
        ["does not take writes that wait for its journal", "cannot use 'j' option"]),
    "another index": (lambda relay: relay.fail("createIndexes", 85, "Index already exists"),
                      ["an index of", "drop that index, or choose another database"]),
    "an index of that name": (lambda relay: relay.fail("createIndexes", 86, "Index must have"),
                              ["an index of", "drop that index, or choose another database"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_database_that_will_not_do_ends_the_start(make_server, relay, case):
    breaks, words = REFUSED[case]
    breaks(relay)
    server = make_server(env=settings(relay)).spawn()
    assert server.wait_exit(30) not in (0, None)
    for word in words:
        assert word in server.log(), server.log()


# ---- a failover -----------------------------------------------------------------------------


def concern_error(call):
    return {**call.forward(), "writeConcernError": {
        "code": 64, "errmsg": "waiting for replication timed out", "errInfo": {"wtimeout": True}}}


def stepped_down(relay):
    relay.hello(isWritablePrimary=False, ismaster=False, secondary=True)
    relay.fail("insert update", 10107, "not primary")


def on_writes(answer):
    def begin(relay):
        relay.rule("insert", answer)
        relay.rule("update", answer)
    return begin


BROKEN = {
    "half an answer": on_writes(MongoRelay.half),
    "closed after it was applied": on_writes(MongoRelay.close_after),
    "closed before it was applied": on_writes(MongoRelay.close_before),
    "an answer that comes too late": on_writes(MongoRelay.late(2.5)),
    "the majority is gone": on_writes(concern_error),
    "an error nobody knows": on_writes(lambda call: error(9999999, "what is this?")),
    "it is a secondary now": stepped_down,
}


@pytest.mark.parametrize("case", BROKEN)
def test_nothing_is_acknowledged_and_nothing_is_there_twice(make_server, relay, case):
    env = settings(relay)
    env["MONGODB_URL"] += "/?socketTimeoutMS=1500&serverSelectionTimeoutMS=1000"
    server = make_server(env=env).start(30)
    with V2(server.port, USER, "laptop", timeout=40) as client:
        client.put("k", {"n": 0}, force=True)
        BROKEN[case](relay)
        operation = client.begin({"op": "context.put", "contextKey": "k", "data": {"n": 1},
                                  "force": True})
        wait_until(lambda: not storage_of(server)["connected"], 20, 0.05, server.log())
        assert storage_of(server)["problem"].startswith("MongoDB not connected: ")
        status, headers, body = put(server, "other", {"n": 1}, "bob")
        assert status == 503 and "retry-after" in {name.lower() for name in headers}, body
        status, _, body = server.get("/api/v1/contexts/k", {"Dyad-User": "bob"}, timeout=30)
        assert status == 503, "whether that is the latest nobody knows"
        relay.clear()
        relay.drop_connections()
        wait_up(server)
        # Refused meanwhile, or not answered yet: the same again gives the one answer.
        try:
            client.finish(operation)
        except Refused:
            client.finish(client.begin({"op": "context.put", "contextKey": "k",
                                        "data": {"n": 1}, "force": True}, operation))
    data = expect_chain(server)
    assert sum('"n": 1' in text for text in data) == 1, data
    assert sum('"n": 0' in text for text in data) == 1, data
    assert server.stop() == 0


# ---- down -----------------------------------------------------------------------------------


def test_a_server_starts_without_its_database_and_needs_no_restart(make_server):
    mongo = Mongo()
    with contextlib.closing(mongo):
        server = make_server(env=settings(mongo)).spawn()
        server.wait_log("MongoDB not connected", 20)
        status, headers, body = put(server, "k", {"n": 1})
        assert status == 503, body
        assert "retry-after" in {name.lower() for name in headers}
        assert not storage_of(server)["connected"] and storage_of(server)["problem"]
        mongo.start()
        wait_up(server)
        assert put(server, "k", {"n": 1})[0] in (200, 201)

        # Down: what is at hand is still told, and how old it is.
        with V2(server.port, USER, "laptop"):
            mongo.kill()
            wait_until(lambda: not storage_of(server)["connected"], 20, 0.05, server.log())
            time.sleep(2)
            status, headers, body = server.get("/api/v1/contexts/k?fresh=any",
                                               {"Dyad-User": USER})
            assert status == 200 and json.loads(body)["data"] == {"n": 1}, body
            age = {name.lower(): value for name, value in headers.items()}["age"]
            assert int(age) >= 2, headers
            started = time.monotonic()
            assert server.stop(30) == 0
            assert time.monotonic() - started < 10 * PATIENCE, "the drain, and a little"


class Writer(threading.Thread):
    """One write after the other; when each was acknowledged, and what."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client = V2(port, USER, "writer", timeout=60)
        self.acknowledged = {}
        self.going = True

    def run(self):
        number = 0
        while self.going:
            number += 1
            with contextlib.suppress(Refused):
                self.client.put("load", {"number": number}, force=True)
                self.acknowledged[number] = time.monotonic()
        self.client.close()


def test_nothing_is_acknowledged_while_the_database_stands_still(make_server):
    with Mongo() as mongo:
        server = make_server(env=settings(mongo)).start(30)
        writer = Writer(server.port)
        writer.start()
        wait_until(lambda: len(writer.acknowledged) > 10, 20)
        mongo.suspend()
        stopped = time.monotonic() + 0.5  # what was answered before it may still be on its way
        started = time.monotonic()
        assert put(server, "k", {"n": 1})[0] == 503
        assert time.monotonic() - started < 25 * PATIENCE, "waiting has a bound"
        time.sleep(max(0, 15 - (time.monotonic() - started)))
        assert not storage_of(server)["connected"]
        resumed = time.monotonic()
        mongo.resume()
        assert not [n for n, at in writer.acknowledged.items() if stopped < at < resumed]
        before = len(writer.acknowledged)
        wait_until(lambda: len(writer.acknowledged) > before + 10, 30, what=server.log())
        writer.going = False
        writer.join(60)
        data = expect_chain(server)
        for number in writer.acknowledged:
            assert sum(f'"number": {number}}}' in text for text in data) == 1, number

        mongo.suspend()
        started = time.monotonic()
        server.stop(60)
        assert time.monotonic() - started < 20 * PATIENCE, "the drain, and one request's time-out"
        mongo.resume()


# ---- an older copy --------------------------------------------------------------------------


def test_an_older_copy_under_running_nodes_forks_nothing(make_server, mongo):
    name = "older_copy"
    env = {**BASE, "MONGODB_URL": mongo.url, "MONGODB_DATABASE": name}
    nodes = [make_server(env=env).start(30) for _ in range(2)]
    client = mongo.client()
    db = client[name]
    for n in range(5):
        assert put(nodes[n % 2], "k", {"n": n})[0] in (200, 201)
    time.sleep(1)  # what is derived follows
    # Running nodes write their barriers anew.
    copy = {one: ([document for document in db[one].find()
                   if not str(document["_id"]).startswith("barrier:")],
                  list(db[one].list_indexes()))
            for one in db.list_collection_names()}
    with V2(nodes[0].port, USER, "laptop") as laptop, V2(nodes[1].port, USER, "desktop") as desktop:
        for n in range(5, 9):
            assert put(nodes[n % 2], "k", {"n": n})[0] in (200, 201)
        time.sleep(1.2)  # nobody writes while the database is replaced: docs/mongodb.md
        client.drop_database(name)
        for one, (documents, indexes) in copy.items():
            for index in indexes:
                options = {key: value for key, value in index.items()
                           if key not in ("v", "key", "ns")}
                if index["name"] != "_id_":
                    db[one].create_index(list(index["key"].items()), **options)
            if documents:
                db[one].insert_many(documents)
        for one in (laptop, desktop):
            one.receive(("snapshot", "reset"), timeout=20 * PATIENCE)
    for n, node in enumerate(nodes * 3):
        wait_until(lambda: put(node, "k", {"again": n})[0] in (200, 201), 20, 0.2, node.log())
    data = expect_chain(nodes[0])
    assert len(data) == 11 and expect_chain(nodes[1]) == data
    assert not any(f'"n": {n}' in text for text in data for n in range(5, 9))
    offsets = sorted(event["offset"] for event in db.sync_events.find({"userId": USER}))
    assert offsets == list(range(1, 12)), offsets
    client.close()

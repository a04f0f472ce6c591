"""The distributed steps of the setup guide, one test each and named by it: the server in Dyad's
place, redis-server, and a server that speaks MongoDB's protocol (docs/mongodb.md)."""

import json
import time

import pytest

from support.backends import MONGO_VENV, Mongo, Redis
from support.plain import Plain
from support.server import PATIENCE, ROOT, free_port, wait_until

USER = "john.doe@example.com"

pytestmark = pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                                reason="the MongoDB server of the tests is not installed")


@pytest.fixture(scope="module")
def redis():
    with Redis() as running:
        yield running


@pytest.fixture(scope="module", params=["replica set", "standalone"])
def mongo(request):
    with Mongo(standalone=request.param == "standalone") as running:
        yield running


@pytest.fixture
def dyad(make_server, tmp_path, redis, mongo):
    """Starts a server with the guide's .env; `more` may name other addresses."""
    def start(ready=True, folder=tmp_path, **more):
        port = free_port()
        text = (ROOT / ".env.distributed.example").read_text()
        settings = {"MONGODB_URL": mongo.url, "REDIS_URL": redis.url, "WS_SYNC_PORT": str(port),
                    "DISTRIBUTED_USER_ID": USER, **more}
        for name, value in settings.items():
            lines = [line for line in text.splitlines() if not line.startswith(name + "=")]
            text = "\n".join([*lines, f"{name}={value}"])
        (folder / ".env").write_text(text + "\n")
        server = make_server(cwd=folder, port=port, port_by_flag=False)
        return server.start(30) if ready else server.spawn()
    return start


def status_of(server):
    code, _, body = server.get("/api/v1/status")
    assert code == 200, body
    return json.loads(body)


def indicator_of(server):
    shown = server.cli("--url", f"http://127.0.0.1:{server.port}", "status")
    return next(line for line in (shown.stdout + shown.stderr).splitlines() if "Sync]" in line)


# ---- Quick start ----------------------------------------------------------------------------

def test_quick_start_step_5_verify(dyad):
    server = dyad()
    wait_until(lambda: status_of(server)["isFullyOperational"], 10, what=f"3/3:\n{server.log()}")
    assert indicator_of(server) == "[📡 Sync] [✓ 3/3 Sync]"
    status = status_of(server)
    for name in ("mongodb", "redis"):
        assert status[name]["enabled"] and status[name]["connected"] and status[name]["healthy"]
        assert status[name]["latencyMs"] >= 0
    assert (status["storage"]["kind"], status["bus"]["kind"]) == ("mongodb", "redis")
    assert not server.data_dir.exists(), "with MongoDB there is no data folder"


def test_debug_logs(dyad):
    server = dyad()
    for line in ("[mongodb_client] MongoDB connected successfully",
                 "[redis_event_bus] Redis connected successfully",
                 f"[websocket_sync] WebSocket server started on port {server.port}",
                 "[distributed_memory] Distributed memory systems initialized"):
        server.wait_log(line)


# ---- Testing the setup ----------------------------------------------------------------------

def test_test_mongodb_connection(dyad, mongo):
    """`show collections`, and `db.mode_state.find()` after a switch of mode."""
    server = dyad()
    with Plain(server.port, USER, "dyad-1") as client:
        client.set_mode("didactic", "inspired")
        document = wait_until(lambda: mongo.db.mode_state.find_one(
            {"userId": USER, "instanceId": "dyad-1"}), 10, what="the mode's document")
        assert document["currentMode"] == "didactic"
        assert document["capabilities"] == {
            "localAI": False, "externalAI": True, "multiChannel": False, "offlineCapable": False,
            "realTimeSync": True}
        client.set_mode("parallel", "didactic")
        wait_until(lambda: mongo.db.mode_state.find_one(
            {"userId": USER, "instanceId": "dyad-1"})["currentMode"] == "parallel", 10,
            what="the next mode")
        newest = wait_until(lambda: list(mongo.db.mode_transitions.find(
            {"userId": USER, "toMode": "parallel"}).sort("timestamp", -1).limit(10)), 10)
        assert newest[0]["fromMode"] == "didactic" and newest[0]["success"] is True
    names = set(mongo.db.list_collection_names())
    assert {"mode_state", "mode_transitions", "distributed_context", "ai_response_sources",
            "sync_events"} <= names


def test_test_redis_connection(dyad, redis):
    """SUBSCRIBE, then PUBLISH of {"test": true}: it is seen by whoever subscribed, and changes
    nothing in the server."""
    server = dyad(LOG_LEVEL="debug")
    wait_until(lambda: status_of(server)["redis"]["healthy"], 10)
    with redis.connection() as literal, redis.connection() as pattern, redis.connection() as other:
        literal.subscribe("dyad:event:mode:changed")
        pattern.subscribe("dyad:event:*", pattern=True)
        assert other.command("PUBLISH", "dyad:event:mode:changed", '{"test": true}') >= 3, \
            "both of these, and the server"
        assert literal.read() == ["message", "dyad:event:mode:changed", '{"test": true}']
        assert pattern.read()[3] == '{"test": true}'
        server.wait_log("dyad:event:mode:changed was dropped")
        # What the server itself publishes afterwards is heard there, too.
        with Plain(server.port, USER, "dyad-1") as client:
            client.set_mode("didactic", "inspired")
            envelope = json.loads(literal.read()[2])
    assert envelope["eventType"] == "mode:changed" and envelope["userId"] == USER
    assert envelope["payload"]["toMode"] == "didactic"
    assert status_of(server)["isFullyOperational"]


def test_test_in_dyad_6_open_second_instance_verify_real_time_sync(dyad, tmp_path):
    (tmp_path / "second").mkdir()
    one, two = dyad(), dyad(folder=tmp_path / "second")
    for server in (one, two):
        wait_until(lambda: status_of(server)["isFullyOperational"], 10, what=server.log())
    with Plain(one.port, USER, "dyad-1") as left, Plain(two.port, USER, "dyad-2") as right:
        right.set_mode("didactic", "inspired")
        for old, new in (("inspired", "didactic"), ("didactic", "parallel")):
            started = time.monotonic()
            left.set_mode(new, old)
            seen = right.receive("mode-update",
                                 where=lambda message: message["instanceId"] == "dyad-1")
            assert seen["payload"]["toMode"] == new
            assert time.monotonic() - started < 3 * PATIENCE
        for n in range(10):
            left.write("shared", {"n": n})
        for n in range(10):
            assert right.receive("context-sync")["payload"]["data"] == {"n": n}


# ---- Monitoring -----------------------------------------------------------------------------

def test_view_data(dyad, mongo):
    """The guide's queries on what the server wrote."""
    server = dyad()
    with Plain(server.port, USER, "dyad-1") as client:
        client.write("project/plan", {"goal": "kept"}, contextType="project")
        context = wait_until(lambda: mongo.db.distributed_context.find_one(
            {"userId": USER, "contextKey": "project/plan"}), 10, what="the context's document")
    assert context["data"] == {"goal": "kept"} and context["contextType"] == "project"
    assert context["metadata"]["createdBy"] == "dyad-1"
    event = next(iter(mongo.db.sync_events.find({"userId": USER}).sort("timestamp", -1).limit(10)))
    assert event["sourceInstanceId"] == "dyad-1" and event["eventType"] == "context-updated"


# ---- Troubleshooting ------------------------------------------------------------------------

def test_partial_sync_and_restart(make_server, dyad, mongo):
    """`2/3` with Redis down, `1/3` without MongoDB, too: named in log, status and tooltip; back
    without a restart."""
    redis = Redis().start()
    try:
        server = dyad(REDIS_URL=redis.url)
        wait_until(lambda: status_of(server)["isFullyOperational"], 10, what=server.log())
        redis.stop()
        wait_until(lambda: "2/3" in indicator_of(server), 10, what="the indicator")
        server.wait_log("[redis_event_bus] Redis not connected")
        status = status_of(server)
        assert status["redis"]["problem"] and not status["redis"]["connected"]
        assert server.get("/readyz")[0] == 200, "it takes writes"
        with Plain(server.port, USER, "dyad-1") as client:
            client.write("down", {"n": 1})
            wait_until(lambda: client.state()["contexts"], 5, what="a write without Redis")
        redis.start()
        wait_until(lambda: status_of(server)["isFullyOperational"], 15, what="3/3 again")
    finally:
        redis.close()


def test_mongodb_wont_connect(make_server, tmp_path, redis):
    """`MongoDB not connected`: said everywhere, nothing acknowledged; and it connects by itself
    once there is a server."""
    mongo = Mongo()  # not started yet
    try:
        port = free_port()
        server = make_server(port=port, env={
            "ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER, **redis.env(),
            **mongo.env()}).spawn()
        server.wait_log("[mongodb_client] MongoDB not connected", 20)
        wait_until(lambda: "2/3" in indicator_of(server), 20, what="Redis and the WebSocket")
        assert server.get("/healthz")[0] == 200 and server.get("/readyz")[0] == 503
        code, _, body = server.request("PUT", "/api/v1/contexts/k", '{"data":{}}',
                                       {"Content-Type": "application/json"}, timeout=20)
        assert code == 503 and b"MongoDB not connected" in body and b'"retry":true' in body, body
        checks = json.loads(server.cli("--url", f"http://127.0.0.1:{port}", "doctor", "--json",
                                       timeout=60).stdout)
        failed = {check["check"] for check in checks["checks"] if check["verdict"] == "fail"}
        assert "MongoDB" in failed and "Redis" not in failed, checks
        mongo.start()
        wait_until(lambda: status_of(server)["isFullyOperational"], 30, what=server.log())
        code, _, body = server.request("PUT", "/api/v1/contexts/k", '{"data":{}}',
                                       {"Content-Type": "application/json"})
        assert code == 201, body
    finally:
        mongo.close()


def test_doctor_of_a_setup_that_works(dyad):
    server = dyad()
    wait_until(lambda: status_of(server)["isFullyOperational"], 10, what=server.log())
    done = server.cli("doctor", "--write-test", "--json", timeout=60)
    checks = json.loads(done.stdout)
    assert done.returncode == 0, checks
    verdicts = {check["check"]: check["verdict"] for check in checks["checks"]}
    for name in ("MongoDB", "Redis", "Indexes", "Mode switch", "Write and read back"):
        assert verdicts[name] == "ok", checks
    assert "Data folder" not in verdicts


def test_settings_that_contradict_themselves_end_the_start(dyad):
    server = dyad(ready=False, MONGODB_TLS_CA_FILE="/nowhere/ca.pem")
    assert server.wait_exit(20) == 2
    assert "MONGODB_TLS_CA_FILE" in server.log() and "TLS is off" in server.log(), server.log()

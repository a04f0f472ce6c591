"""The steps of the setup guide, one test each and named by it, on the embedded store.

What a step does with MongoDB or Redis stands in the tests of those systems.
"""

import json
import pathlib
import re
import time
import uuid

import pytest

from support import frames
from support.frames import Raw, upgrade_request
from support.plain import Plain
from support.server import PATIENCE, free_port, wait_until

USER = "your-email@example.com"


def write_env(folder, port, **more):
    """The guide's minimal configuration, with the embedded store."""
    lines = {"ENABLE_DISTRIBUTED_MEMORY": "false", "MONGODB_URL": "mongodb://localhost:27017",
             "REDIS_URL": "redis://localhost:6379", "WS_SYNC_PORT": str(port),
             "DISTRIBUTED_USER_ID": USER, **more}
    (folder / ".env").write_text("# Minimal configuration:\n" + "".join(
        f"{name}={value}\n" for name, value in lines.items()))


@pytest.fixture
def guided(make_server, tmp_path):
    """Starts a server the guide's way: a .env file in its folder and no flag for the port."""
    def start(ready=True, **more):
        port = free_port()
        write_env(tmp_path, port, **more)
        server = make_server(cwd=tmp_path, port=port, port_by_flag=False)
        return server.start() if ready else server.spawn()
    return start


def status_of(server):
    code, _, body = server.get("/api/v1/status")
    assert code == 200, body
    return json.loads(body)


# ---- Quick start ----------------------------------------------------------------------------

def test_quick_start_step_2_configure_environment(guided):
    server = guided()
    assert status_of(server)["websocket"]["running"] is True


def test_quick_start_step_2_values_may_be_quoted_and_commented(guided):
    server = guided(LOG_LEVEL='"debug"  # noisy', WS_PING_INTERVAL="'5000'")
    assert server.get("/readyz")[0] == 200


def test_quick_start_step_2_environment_beats_the_file(make_server, tmp_path):
    write_env(tmp_path, free_port())
    port = free_port()
    server = make_server(cwd=tmp_path, port=port, port_by_flag=False,
                         env={"WS_SYNC_PORT": str(port)}).start()
    assert server.get("/readyz")[0] == 200


def test_quick_start_step_4_restart_keeps_the_memory(guided):
    server = guided()
    with Plain(server.port, USER) as client, Plain(server.port, USER) as other:
        client.write("project/plan", {"goal": "kept"})
        other.receive("context-sync")
    assert server.stop() == 0
    server.start()
    with Plain(server.port, USER) as client:
        contexts = client.state()["contexts"]
    assert [context["data"] for context in contexts] == [{"goal": "kept"}]


def test_quick_start_step_5_verify_indicator(guided):
    server = guided()
    shown = server.cli("status")
    assert shown.returncode == 0, shown.stderr
    assert "[📡 Sync] [✓ 3/3 Sync]" in shown.stdout, shown.stdout


def test_quick_start_step_5_indicator_when_offline(make_server, tmp_path):
    write_env(tmp_path, free_port())
    shown = make_server(cwd=tmp_path).cli("status")
    assert shown.returncode != 0
    assert "[📡 Sync] [✗ 0/3 Sync]" in shown.stdout + shown.stderr, shown.stdout + shown.stderr


# ---- Detailed configuration -----------------------------------------------------------------

def test_websocket_configuration(guided):
    server = guided(ENABLE_WEBSOCKET="true")
    with Plain(server.port, USER, path="/") as client:
        client.ping()


def test_websocket_configuration_switched_off(guided):
    server = guided(ENABLE_WEBSOCKET="false")
    with Raw(server.port) as raw:
        raw.send(upgrade_request(server.port))
        answer = raw.read_http()
    assert answer.status in (404, 503) and b"WebSocket not running" in answer.body, answer
    assert b'"retry":false' in answer.body and b"ENABLE_WEBSOCKET" in answer.body
    websocket = status_of(server)["websocket"]
    assert (websocket["enabled"], websocket["running"], websocket["clientCount"]) == \
        (False, False, 0)


@pytest.mark.parametrize("user", ["john.doe@example.com", "0b2b7f1e-7c5c-4b0a-8f0e-3f1d2c4b5a69",
                                  "any unique string", "ünïque"])
def test_user_configuration(guided, user):
    server = guided(DISTRIBUTED_USER_ID=user)
    done = server.cli("context", "put", "k", '{"from":"cli"}')
    assert done.returncode == 0, done.stderr
    with Plain(server.port, user) as client:
        assert client.state()["contexts"][0]["data"] == {"from": "cli"}
    with Plain(server.port, "another") as other:
        assert other.state()["contexts"] == []


def test_user_configuration_or_generate_uuid(guided):
    """DISTRIBUTED_USER_ID=$(uuidgen), as it stands there: an id of one's own, and kept."""
    server = guided(DISTRIBUTED_USER_ID="$(uuidgen)")
    assert server.cli("context", "put", "k", '{"from":"cli"}').returncode == 0
    user = json.loads(server.get("/api/v1/status")[2])["userId"]
    assert str(uuid.UUID(user)) == user
    with Plain(server.port, user) as client:
        assert client.state()["contexts"][0]["data"] == {"from": "cli"}
    assert server.stop() == 0
    server.start()
    assert json.loads(server.get("/api/v1/status")[2])["userId"] == user


# ---- Testing the setup ----------------------------------------------------------------------

def test_test_websocket_connection(guided):
    """`websocat ws://localhost:PORT`: Should receive connection message."""
    server = guided()
    with frames.open_websocket(server.port, "/",
                               {"Host": f"localhost:{server.port}"}) as raw:
        welcome = json.loads(raw.read_frame().payload)
    assert welcome["type"] == "connect" and welcome["userId"] == ""
    assert welcome["payload"]["clientId"] and welcome["payload"]["instanceId"]
    assert abs(welcome["timestamp"] - time.time() * 1000) < 60000
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        welcome["id"])


@pytest.mark.parametrize("mode", ["didactic", "parallel"])
def test_test_in_dyad_2_switch_mode(guided, mode):
    server = guided()
    with Plain(server.port, USER, "dyad-1") as client:
        client.set_mode(mode, "inspired")
        state = wait_until(lambda: client.state()["modeState"], 5, what="the mode state")
    assert state["currentMode"] == mode and state["instanceId"] == "dyad-1"
    expected = {"localAI": mode == "parallel", "externalAI": True,
                "multiChannel": mode == "parallel", "offlineCapable": False, "realTimeSync": True}
    assert state["capabilities"] == expected


def test_test_in_dyad_3_look_for_the_indicator(guided):
    server = guided()
    with Plain(server.port, USER):
        status = status_of(server)
    assert status["storage"]["connected"] and status["bus"]["connected"]
    assert status["websocket"]["running"] and status["websocket"]["clientCount"] >= 1
    assert status["mongodb"] == {"enabled": False, "connected": False, "healthy": False}
    assert status["redis"] == {"enabled": False, "connected": False, "healthy": False}
    assert status["isFullyOperational"] is True and status["instanceId"]


def test_test_in_dyad_4_switch_modes_verify_instant_sync(guided):
    server = guided()
    with Plain(server.port, USER, "dyad-1") as one, Plain(server.port, USER, "dyad-2") as two:
        two.set_mode("didactic", "inspired")
        for old, new in (("inspired", "didactic"), ("didactic", "parallel"),
                         ("parallel", "didactic")):
            started = time.monotonic()
            one.set_mode(new, old)
            seen = two.receive("mode-update",
                               where=lambda message: message["instanceId"] == "dyad-1")
            assert time.monotonic() - started < 1 * PATIENCE
            payload = seen["payload"]
            assert payload["toMode"] == payload["currentMode"] == new
            if old != "inspired":
                assert payload["fromMode"] == payload["previousMode"] == old


def test_test_in_dyad_5_verify_data_stored(guided):
    server = guided()
    with Plain(server.port, USER, "dyad-1") as client:
        client.set_mode("parallel", "inspired")
        client.write("chat/1", {"messages": 3}, contextType="chat")
        wait_until(lambda: client.state()["contexts"], 5)
    server.kill()
    server.start()
    with Plain(server.port, USER, "dyad-1") as client:
        state = client.state()
    assert state["modeState"]["currentMode"] == "parallel"
    assert state["contexts"][0]["contextType"] == "chat"
    assert state["contexts"][0]["metadata"]["version"] == 1


def test_test_in_dyad_6_second_instance_verify_real_time_sync(guided):
    server = guided()
    with Plain(server.port, USER, "dyad-1") as one, Plain(server.port, USER, "dyad-2") as two:
        for n in range(20):
            one.write("shared", {"n": n})
        versions = []
        for n in range(20):
            payload = two.receive("context-sync")["payload"]
            assert payload["contextKey"] == "shared" and payload["data"] == {"n": n}
            versions.append(payload["version"])
        assert versions == list(range(1, 21))


def test_inspired_mode_is_private(guided):
    server = guided()
    with Plain(server.port, USER, "private") as private, Plain(server.port, USER, "open") as other:
        private.set_mode("inspired")
        private.ping()
        other.write("secret", {"n": 1})
        assert private.nothing_comes(0.5, ("context-sync",)), "nothing is pushed to it"
        private.set_mode("didactic", "inspired")
        caught_up = private.receive(("context-sync"))
        assert caught_up["payload"]["data"] == {"n": 1}, "on leaving the mode it catches up"


# ---- Monitoring and debugging ---------------------------------------------------------------

def test_debug_logs_lines_that_people_look_for(guided):
    server = guided()
    log = server.log()
    assert f"[websocket_sync] WebSocket server started on port {server.port}" in log
    assert "[distributed_memory] Distributed memory systems initialized" in log
    assert "[mongodb_client] MongoDB connected" not in log, "there is no MongoDB"


def test_debug_mode(guided):
    server = guided(DEBUG="dyad:distributed:*", LOG_LEVEL="debug")
    with Plain(server.port, USER):
        wait_until(lambda: "debug" in server.log().lower(), 5, what="a debug line")


def test_debug_mode_by_scope_alone(guided):
    server = guided(DEBUG="dyad:distributed:websocket_sync")
    with Plain(server.port, USER):
        wait_until(lambda: any("debug" in line.lower() for line in server.log().splitlines()
                               if "[websocket_sync]" in line), 5, what="a debug line of the scope")


def test_without_debug_mode_there_are_no_debug_lines(guided):
    server = guided()
    with Plain(server.port, USER) as client:
        client.write("k", {"secret": "never in the log"})
        client.ping()
    assert server.stop() == 0
    assert "debug" not in server.log().lower() and "never in the log" not in server.log()


# ---- Troubleshooting ------------------------------------------------------------------------

def test_websocket_will_not_start_1_check_port_is_available(guided):
    server = guided()
    listening = [line.split()[1] for line in
                 pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
                 if line.split()[3] == "0A"]
    assert f"0100007F:{server.port:04X}" in listening


def test_websocket_will_not_start_2_try_different_port(make_server, tmp_path):
    first = make_server().start()
    write_env(tmp_path, first.port)
    second = make_server(cwd=tmp_path, port=first.port, port_by_flag=False).spawn()
    assert second.wait_exit(10) > 0
    assert str(first.port) in second.log() and "WS_SYNC_PORT" in second.log(), second.log()
    second.port = free_port()
    write_env(tmp_path, second.port)
    second.start()
    assert f"WebSocket server started on port {second.port}" in second.log()


def test_websocket_will_not_start_3_wrong_values_are_named(guided):
    for name, value in (("WS_SYNC_PORT", "80000"), ("WS_PING_INTERVAL", "often"),
                        ("CONTEXT_TTL_DAYS", "-1"), ("ENABLE_WEBSOCKET", "perhaps")):
        server = guided(ready=False, **{name: value})
        assert server.wait_exit(10) > 0
        assert name in server.log() and value in server.log(), server.log()


# ---- Security and tuning --------------------------------------------------------------------

@pytest.mark.parametrize("days", [30, 1, 0])
def test_set_data_retention(guided, days):
    server = guided(SYNC_EVENT_TTL_DAYS="7", CONTEXT_TTL_DAYS=str(days))
    with Plain(server.port, USER) as client:
        client.write("k", {})
        context = wait_until(lambda: client.state()["contexts"], 5)[0]
    if days:
        kept_for = context["expiresAt"] - context["updatedAt"]
        assert kept_for == days * 24 * 3600 * 1000
    else:
        assert context["expiresAt"] is None


def test_websocket_optimization_ping_interval(guided):
    server = guided(WS_PING_INTERVAL="1000", WS_STALE_TIMEOUT="5000")
    with Plain(server.port, USER) as client:
        started = time.monotonic()
        for _ in range(2):
            ping = client.receive("ping", 5 * PATIENCE)
            client.send("pong", ping["payload"], ping["id"])
        assert 0.5 <= time.monotonic() - started <= 4 * PATIENCE


def test_websocket_optimization_stale_timeout(guided):
    server = guided(WS_PING_INTERVAL="1000", WS_STALE_TIMEOUT="3000")
    silent = Plain(server.port, USER)
    started = time.monotonic()
    while (got := silent.raw.read_frame(15 * PATIENCE)).opcode != frames.CLOSE:
        pass  # pings, which nobody answers
    assert got.code == 4408
    assert 2 <= time.monotonic() - started <= 8 * PATIENCE


def test_websocket_optimization_protocol_pings_are_signs_of_life(guided):
    server = guided(WS_PING_INTERVAL="1000", WS_STALE_TIMEOUT="3000")
    with Plain(server.port, USER) as client:
        for _ in range(10):
            time.sleep(0.6)
            client.raw.send(frames.frame(frames.PING))
        client.ping()


# ---- Advanced -------------------------------------------------------------------------------

def test_load_balancing_websocket_behind_a_proxy(make_server):
    """nginx passes /sync on with the upstream's name as Host: it is allowed where it is named."""
    server = make_server(env={"WS_ALLOWED_HOSTS": "dyad_ws"}).start()
    for host, expected in (("dyad_ws", 101), ("other_ws", 421)):
        with Raw(server.port) as raw:
            raw.send(upgrade_request(server.port, headers={"Host": host, "Connection": "upgrade"}))
            assert raw.read_http().status == expected

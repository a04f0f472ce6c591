"""Settings, serve and doctor."""

import http.server
import json
import os
import re
import resource
import signal
import socket
import sqlite3
import threading
import time

import pytest

from support.server import PATIENCE, free_port, wait_until


def doctor(server, *args, env=None):
    done = server.cli("doctor", "--json", *args, env=env)
    result = json.loads(done.stdout)
    assert (done.returncode == 0) == result["ok"]
    return result["ok"], {check["check"]: check for check in result["checks"]}


def here(server):
    return {"DYAD_DATA_DIR": str(server.data_dir), "WS_SYNC_PORT": str(server.port)}


def test_doctor_finds_a_running_server_good(make_server):
    server = make_server().start()
    ok, checks = doctor(server, env=here(server))
    assert ok, checks
    for name in ("Data folder", "Free space", "Permissions", "Server", "Ready", "Indicator",
                 "WebSocket", "Store"):
        assert checks[name]["verdict"] == "ok", checks[name]
    assert "3/3" in checks["Indicator"]["text"]
    # It says whose server it found.
    for part in (str(server.process.pid), str(server.data_dir), "instance "):
        assert part in checks["Server"]["text"], checks["Server"]


def commits(server):
    for line in server.get("/metrics")[2].decode().splitlines():
        if line.startswith("dyad_commits_total "):
            return line
    raise AssertionError("no count of commits")


def test_doctor_writes_to_a_server_only_when_told_to(make_server):
    server = make_server().start()
    before = commits(server)
    ok, checks = doctor(server, env=here(server))
    assert ok and commits(server) == before, checks
    assert not {"Write and read back", "Mode switch"} & set(checks)
    ok, checks = doctor(server, "--write-test", env=here(server))
    assert ok and commits(server) != before
    for name in ("Write and read back", "Mode switch"):
        assert checks[name]["verdict"] == "ok", checks[name]
    assert json.loads(server.get("/api/v1/contexts")[2])["contexts"] == []
    assert json.loads(server.get("/api/v1/modes")[2])["modes"] == []


def test_doctor_without_a_server_checks_the_store_itself(make_server):
    server = make_server().start()
    server.cli("context", "set", "k", "{}", env=here(server))
    server.kill()
    ok, checks = doctor(server, env=here(server))
    assert ok and checks["Store"]["verdict"] == "ok", checks
    assert "1 event and 1 document of 1 user" in checks["Store"]["text"]
    assert checks["Server"]["verdict"] == "note" and "serve" in checks["Server"]["advice"]


def test_doctor_takes_a_websocket_that_is_switched_off_for_meant(make_server):
    server = make_server(args=["--websocket", "false"]).start()
    ok, checks = doctor(server, env={**here(server), "ENABLE_WEBSOCKET": "false"})
    assert ok, checks
    assert checks["WebSocket"]["verdict"] == "note" and "ENABLE_WEBSOCKET" in \
        checks["WebSocket"]["text"]
    assert checks["Indicator"]["verdict"] == "ok" and "2/2" in checks["Indicator"]["text"]
    assert "switched off: WebSocket" in checks["Indicator"]["text"]


def everything_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_doctor_does_not_find_a_folder_good_that_is_not_there(make_server):
    server = make_server()
    ok, checks = doctor(server, str(server.home / "typo"), env=here(server))
    assert not ok and "typo" in json.dumps(checks)
    assert not (server.home / "typo").exists()


def test_doctor_makes_no_store_where_there_was_none(make_server):
    server = make_server()
    for prepare in (lambda: None, server.data_dir.mkdir,
                    (server.data_dir / "memory.db").touch):
        prepare()
        existed = server.data_dir.exists()
        before = everything_in(server.home)
        ok, checks = doctor(server, env=here(server))
        assert ok and "none yet" in checks["Store"]["text"], checks
        assert server.data_dir.exists() == existed
        assert everything_in(server.home) == before


@pytest.mark.parametrize("change", ["PRAGMA journal_mode=WAL", "PRAGMA user_version=7"])
def test_doctor_leaves_the_database_of_another_program_alone(make_server, change):
    server = make_server()
    server.data_dir.mkdir()
    database = sqlite3.connect(server.data_dir / "memory.db")
    database.execute(change)
    database.executescript("CREATE TABLE theirs(a); INSERT INTO theirs VALUES(1)")
    database.close()
    before = everything_in(server.home)
    ok, checks = doctor(server, env=here(server))
    assert not ok and "another program" in checks["Store"]["text"], checks
    assert everything_in(server.home) == before


def test_doctor_leaves_what_is_stored_as_it_is(make_server):
    server = make_server().start()
    for n in range(3):
        server.cli("context", "set", "k", f'{{"n":{n}}}', env=here(server))
    before = server.cli("events", "--json", env=here(server)).stdout
    server.kill()
    files = everything_in(server.data_dir)
    for arguments in ([], [str(server.data_dir)]):
        ok, checks = doctor(server, *arguments, env=here(server))
        assert ok and "left as it was" in checks["Store"]["text"], checks
        assert everything_in(server.data_dir) == files
    server.start()
    assert server.cli("events", "--json", env=here(server)).stdout == before != ""


def test_doctor_names_what_is_missing_and_makes_nothing(make_server):
    server = make_server().start()
    server.cli("context", "set", "k", "{}", env=here(server))
    server.kill()
    for name in ("memory.db", "memory.db-log0", "memory.db-log1"):
        away = server.home / name
        (server.data_dir / name).rename(away)
        before = everything_in(server.data_dir)
        ok, checks = doctor(server, env=here(server))
        assert not ok and name in checks["Store"]["text"], checks
        assert "dyad-memory salvage" in checks["Store"]["advice"]
        assert everything_in(server.data_dir) == before
        away.rename(server.data_dir / name)
    assert doctor(server, env=here(server))[0]


def test_doctor_leaves_a_store_of_an_older_version_to_its_first_start(make_server):
    server = make_server().start()
    assert server.stop() == 0
    database = server.data_dir / "memory.db"
    with open(database, "r+b") as file:
        file.seek(60)  # user_version
        file.write(bytes([0, 0, 0, 1]))
    before = everything_in(server.data_dir)
    ok, checks = doctor(server, env=here(server))
    assert ok and checks["Store"]["verdict"] == "skipped", checks
    assert "converts it" in checks["Store"]["text"]
    assert everything_in(server.data_dir) == before


def test_doctor_leaves_a_store_in_use_to_its_server(make_server):
    server = make_server().start()
    ok, checks = doctor(server, env={**here(server), "WS_SYNC_PORT": str(free_port())})
    assert checks["Store"]["verdict"] == "skipped", checks
    assert str(server.process.pid) in checks["Store"]["text"]
    assert ok and server.get("/readyz")[0] == 200


def test_doctor_finds_a_damaged_store(make_server):
    server = make_server().start()
    for n in range(300):
        server.request("PUT", f"/api/v1/contexts/k{n}", json.dumps({"data": {"pad": "x" * 500}}),
                       {"Content-Type": "application/json"})
    assert server.stop() == 0
    database = server.data_dir / "memory.db"
    damaged = bytearray(database.read_bytes())
    middle = len(damaged) // 2 // 4096 * 4096
    damaged[middle:middle + 8192] = os.urandom(8192)
    database.write_bytes(damaged)
    ok, checks = doctor(server, env=here(server))
    assert not ok
    assert checks["Store"]["verdict"] == "fail" and "salvage" in checks["Store"]["advice"], checks


def put(server, user, key, value):
    status, _, body = server.request(
        "PUT", f"/api/v1/contexts/{key}", json.dumps({"data": {"v": value}, "force": True}),
        {"Content-Type": "application/json", "Dyad-User": user})
    assert status in (200, 201), body


def live_check(server, user):
    status, _, body = server.get("/api/v1/check", {"Dyad-User": user}, timeout=60)
    assert status == 200, body
    last = json.loads(body.splitlines()[-1])
    assert last["finished"]
    return last


def test_a_running_server_finds_damage_in_its_files(make_server):
    server = make_server().start()
    for n in range(40):
        put(server, "ada", f"secret-{n}", f"value {n} of ada")
    put(server, "bob", "other", 1)
    # Whatever is applied: what waits in the journal is read there.
    assert live_check(server, "ada")["ok"]
    assert server.stop() == 0
    server.start()
    assert live_check(server, "ada")["checked"]["events"] == 41
    database = server.data_dir / "memory.db"
    stored = database.read_bytes()
    with open(database, "r+b", buffering=0) as file:
        for found in re.finditer(b"value 7 of ada", stored):
            file.seek(found.start())
            file.write(b"value 8")
    of_ada, of_bob = live_check(server, "ada"), live_check(server, "bob")
    assert not of_ada["ok"] and of_ada["damages"], of_ada
    # Nobody learns the keys of another user.
    assert not of_bob["ok"] and "secret" not in json.dumps(of_bob)
    ok, checks = doctor(server, "--user", "ada", env=here(server))
    assert not ok and checks["Store"]["verdict"] == "fail" and checks["Store"]["advice"], checks
    assert server.process.poll() is None


def test_commits_go_on_while_the_store_is_checked(make_server):
    server = make_server().start()
    for n in range(300):
        put(server, "ada", f"k{n % 50}", "x" * 2000)
    began = time.monotonic()
    alone = []
    for n in range(20):
        start = time.monotonic()
        put(server, "ada", "k", n)
        alone.append(time.monotonic() - start)
    result = live_check(server, "ada")
    assert result["ok"], result
    assert time.monotonic() - began < 30 * PATIENCE


def test_doctor_names_who_holds_the_port(make_server):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        server = make_server()
        ok, checks = doctor(server, "--timeout", "1",
                            env={"WS_SYNC_PORT": str(holder.getsockname()[1])})
        assert not ok and str(os.getpid()) in checks["Server"]["text"], checks


def test_doctor_reports_every_wrong_setting(make_server):
    done = make_server().cli("doctor", env={"WS_PING_INTERVAL": "often", "REDIS_URL": "http://x"})
    assert done.returncode == 1
    assert "WS_PING_INTERVAL" in done.stdout and "REDIS_URL" in done.stdout


def test_doctor_warns_of_a_folder_that_others_can_open(make_server):
    server = make_server().start()
    server.data_dir.chmod(0o755)
    _, checks = doctor(server, env=here(server))
    assert checks["Permissions"]["verdict"] == "warn" and "chmod" in checks["Permissions"]["advice"]


def test_doctor_leaves_nothing_in_the_users_memory(make_server):
    server = make_server().start()
    doctor(server, env=here(server))
    assert json.loads(server.get("/api/v1/contexts")[2])["contexts"] == []


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers everything well, as no server of ours does, and keeps what it was told."""
    server_version = "nginx/1.22.1"
    sys_version = ""
    told = []

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.told.append((self.requestline, str(self.headers), self.rfile.read(length)))
        body = b'{"status":"ok"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("arguments", [
    ["context", "set", "secret-key", '{"secret":"data"}', "--force"],
    ["context", "get", "secret-key"], ["context", "search", "secret-key"],
    ["context", "rm", "secret-key"], ["context", "watch", "secret-key"],
    ["mode", "set", "parallel"], ["events"], ["events", "--follow"], ["response", "ls"],
    ["conflicts"], ["instances"], ["status"], ["bench", "--seconds", "1"], ["doctor"],
    ["doctor", "--write-test"]])
def test_a_stranger_is_told_nothing(make_server, arguments):
    server = make_server()
    stranger = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    Stranger.told.clear()
    threading.Thread(target=stranger.serve_forever, daemon=True).start()
    try:
        done = server.cli("--user", "secret-ada", "--url",
                          f"http://127.0.0.1:{stranger.server_port}", *arguments)
    finally:
        stranger.shutdown()
        stranger.server_close()
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 2), said
    assert "is not dyad-memory" in said and "nginx" in said, said
    assert "secret" not in repr(Stranger.told), Stranger.told
    assert {line for line, _, _ in Stranger.told} == {"GET /api/v1/status HTTP/1.1"}


def test_config_show_says_where_each_value_comes_from(make_server, tmp_path):
    (tmp_path / ".env").write_text(
        "LOG_LEVEL=warn\nMONGODB_URL=mongodb://ada:s3cret@h:1/?x=s3cret\n")
    config = tmp_path / "config/dyad-memory"
    config.mkdir(parents=True)
    (config / "config.env").write_text("CONTEXT_TTL_DAYS=3\nLOG_LEVEL=error\n")
    server = make_server(cwd=tmp_path)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "WS_SYNC_PORT": "9000"}
    shown = json.loads(server.cli("config", "show", "--json", env=env).stdout)
    assert shown["LOG_LEVEL"] == {"value": "warn", "source": f"{tmp_path}/.env line 1"}
    assert shown["CONTEXT_TTL_DAYS"]["source"].endswith("config.env line 1")
    assert shown["WS_SYNC_PORT"] == {"value": "9000", "source": "environment"}
    text = server.cli("config", "show", env=env).stdout
    assert "s3cret" not in text + json.dumps(shown) and "ada:***@h:1" in text


def test_config_check_reports_all_at_once(make_server, tmp_path):
    (tmp_path / ".env").write_text("WS_SYNC_PROT=1\nDISTRIBUTED_USER_ID=$(whoami)\n")
    done = make_server(cwd=tmp_path).cli("config", "check", env={"LOG_LEVEL": "loud"})
    assert done.returncode == 2
    for part in ("did you mean WS_SYNC_PORT", "nothing is run here", "LOG_LEVEL", "loud"):
        assert part in done.stdout, done.stdout


def test_env_file_may_be_named(make_server, tmp_path):
    (tmp_path / "other.env").write_text("WS_SYNC_PORT=4321\n")
    done = make_server().cli("config", "show", "--json", "--env-file", str(tmp_path / "other.env"))
    assert json.loads(done.stdout)["WS_SYNC_PORT"]["value"] == "4321"


def test_mongodb_and_redis_that_are_down_are_named_and_looked_for(make_server):
    server = make_server(env={
        "ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": "ada",
        "MONGODB_URL": f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=200",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}"}).spawn()
    for line in ("[mongodb_client] MongoDB not connected", "[redis_event_bus] Redis not connected",
                 "[distributed_memory] Distributed memory systems initialized"):
        server.wait_log(line)
    status = json.loads(server.get("/api/v1/status")[2])
    for name in ("mongodb", "redis"):
        assert status[name].pop("problem")
        assert status[name].pop("latencyMs") == 0
        assert status[name] == {"enabled": True, "connected": False, "healthy": False}
    assert not status["isFullyOperational"]
    shown = server.cli("status", "--url", f"http://127.0.0.1:{server.port}").stdout
    assert "[📡 Sync] [✓ 1/3 Sync]" in shown, shown
    for part in ("MongoDB     ✗ MongoDB not connected", "Redis       ✗ 127.0.0.1:",
                 "dyad-memory doctor"):
        assert part in shown, shown
    assert server.get("/healthz")[0] == 200 and server.get("/readyz")[0] == 503
    assert not server.data_dir.exists(), "there is no embedded store beside it"
    assert server.stop() == 0
    refused = make_server(env={"ENABLE_DISTRIBUTED_MEMORY": "true"}).spawn()
    assert refused.wait_exit() == 2 and "DISTRIBUTED_USER_ID" in refused.log()


def test_an_open_address_is_refused_unless_meant(make_server):
    refused = make_server(args=["--host", "0.0.0.0"]).spawn()
    assert refused.wait_exit() == 2 and "DYAD_ALLOW_REMOTE" in refused.log()


def test_log_lines_can_be_json(make_server):
    server = make_server(args=["--log-format", "json"]).start()
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert any(line["scope"] == "websocket_sync" and str(server.port) in line["message"]
               for line in lines)


def test_there_are_no_core_dumps(make_server):
    server = make_server().start()
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_CORE)
    assert soft <= 1 and hard <= 1


def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(make_server):
    server = make_server().start()
    env = here(server)
    assert server.cli("context", "set", "k", '{"n":1}', env=env).returncode == 0
    # A client that reads nothing keeps the drain busy.
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.send(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost:%d\r\n"
                  b"Accept: text/event-stream\r\n\r\n" % server.port)
        idle.recv(100)
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert server.wait_exit() in (0, 130)
        assert time.monotonic() - started < 3 * PATIENCE
    server.start()
    assert server.cli("context", "get", "k", env=env).returncode == 0


def test_a_second_server_on_the_same_folder_is_refused_with_the_holder(make_server):
    first = make_server().start()
    second = make_server(data_dir=first.data_dir, port=free_port()).spawn()
    assert second.wait_exit() == 1
    wait_until(lambda: str(first.process.pid) in second.log(), what="the holder's id")

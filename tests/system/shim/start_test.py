"""`dyad-memory mcp` and the real server: finds it, starts it, starts one only, outlives it."""

import json
import os
import signal
import stat
import time

import pytest

from support.mcp_stub import Shim
from support.server import free_port, wait_until


def place(folder):
    return folder / ".local/share/dyad-memory/server.json"


@pytest.fixture
def home(tmp_path):
    """A home whose server, if one is started in it, ends with the test."""
    yield tmp_path
    try:
        pid = json.loads(place(tmp_path).read_text())["pid"]
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not place(tmp_path).exists(), what="the end of the started server")
    except (FileNotFoundError, ProcessLookupError):
        pass


@pytest.fixture
def env():
    return {"WS_SYNC_PORT": str(free_port())}


def settled(path):
    """What a complete file says."""
    return json.loads(wait_until(lambda: path.exists() and path.read_text(), what=str(path)))


def test_a_server_says_where_it_is_and_takes_that_back(make_server):
    server = make_server().start()
    path = server.data_dir / "server.json"
    said = json.loads(path.read_text())
    assert said["url"] == f"http://localhost:{server.port}" and said["pid"] == server.process.pid
    assert said["dataDir"] == str(server.data_dir.resolve()) and said["version"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.stop() == 0
    assert not path.exists()


def test_the_server_of_a_folder_is_found_at_any_port(make_server, tmp_path):
    server = make_server().start()
    with Shim(tmp_path, args=["--data-dir", str(server.data_dir)]) as shim:
        assert shim.initialize()["result"]["serverInfo"]["name"]
    assert not (tmp_path / ".local/state").exists(), "none was started"


def test_what_a_dead_server_said_is_passed_over(make_server, home, env):
    server = make_server(data_dir=home / ".local/share/dyad-memory", args=["--log-level", "warn"])
    server.start().kill()
    assert json.loads(place(home).read_text())["pid"] == server.process.pid
    with Shim(home, env=env) as shim:
        assert shim.initialize()["result"]
    assert settled(place(home))["pid"] != server.process.pid


def test_a_copy_of_a_folder_does_not_lead_to_the_other_one(make_server, home, env):
    server = make_server().start()
    place(home).parent.mkdir(parents=True)
    place(home).write_text((server.data_dir / "server.json").read_text())
    with Shim(home, env=env) as shim:
        assert shim.initialize()["result"]
    assert settled(place(home))["url"] == f"http://localhost:{env['WS_SYNC_PORT']}"


def test_where_none_runs_one_is_started_and_stays(home, env):
    with Shim(home, env=env) as shim:
        assert shim.initialize()["result"]
        shim.end()
    pid = settled(place(home))["pid"]
    os.kill(pid, 0)
    assert os.getsid(pid) == pid, "a session of its own"
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    log = home / ".local/state/dyad-memory/server.log"
    assert "listening" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    open_files = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    assert not any(name.startswith("pipe:") for name in open_files), open_files
    with Shim(home, env=env) as shim:
        assert shim.initialize()["result"]
    assert settled(place(home))["pid"] == pid


def test_two_at_once_start_one(home, env):
    shims = [Shim(home, env=env) for _ in range(4)]
    try:
        for shim in shims:
            shim.request("initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                        "clientInfo": {"name": "t", "version": "1"}})
        for shim in shims:
            assert "result" in shim.receive(30)
    finally:
        for shim in shims:
            shim.close()
    log = (home / ".local/state/dyad-memory/server.log").read_text()
    assert log.count("listening at") == 1, log


def test_a_server_that_cannot_start_is_explained(home, env):
    (home / "file").write_text("x")
    with Shim(home, args=["--data-dir", str(home / "file")], env=env) as shim:
        message = shim.call("server/discover", timeout=30)["error"]["message"]
    assert "no server runs, and the one that was started ended" in message
    assert "server.log" in message and str(home / "file") in message


def test_a_server_that_stops_is_waited_for_and_followed_by_another(make_server, home, env):
    server = make_server(data_dir=home / ".local/share/dyad-memory", port=int(env["WS_SYNC_PORT"]))
    server.start()
    with Shim(home, env=env) as shim:
        shim.initialize()
        server.process.send_signal(signal.SIGTERM)
        assert "result" in shim.call("tools/list", timeout=40), "by whichever of the two"
        assert server.wait_exit() == 0
        assert "result" in shim.call("tools/list", timeout=40)
        assert settled(place(home))["pid"] != server.process.pid


def test_a_server_that_is_killed_and_started_again_goes_on(make_server, tmp_path):
    server = make_server().start()
    with Shim(tmp_path, f"http://127.0.0.1:{server.port}") as shim:
        shim.initialize()
        before = shim.call("tools/list")
        for _ in range(2):
            server.kill()
            server.start()
            assert shim.call("tools/list") | {"id": 0} == before | {"id": 0}


def test_a_started_server_that_dies_is_started_again(home, env):
    with Shim(home, env=env) as shim:
        shim.initialize()
        pid = settled(place(home))["pid"]
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        assert "result" in shim.call("tools/list", timeout=30)
        assert settled(place(home))["pid"] != pid

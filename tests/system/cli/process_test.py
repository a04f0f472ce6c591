"""How the program runs: settings, starting and stopping, terminals, streams, the doctor."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from support.cli import Terminal, cli, url_of
from support.server import BINARY, PATIENCE, free_port, wait_until


@pytest.fixture
def background():
    """Starts commands that run until they are told to stop; all are ended after the test."""
    running = []

    def start(server, *args, env=None):
        out = open(server.home / f"out-{len(running)}", "wb+")
        err = open(server.home / f"err-{len(running)}", "wb+")
        process = subprocess.Popen([BINARY, *args], env={**server.environment(), **(env or {})},
                                   cwd=server.cwd, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err)
        process.out = lambda: pathlib.Path(out.name).read_text()
        process.err = lambda: pathlib.Path(err.name).read_text()
        running.append((process, out, err))
        return process

    yield start
    for process, out, err in running:
        if process.poll() is None:
            process.kill()
            process.wait()
        out.close()
        err.close()


# ---- Settings -------------------------------------------------------------------------------

def test_the_nearest_place_of_a_setting_counts(make_server, tmp_path):
    server = make_server(cwd=tmp_path)
    config = server.home / ".config/dyad-memory"
    config.mkdir(parents=True)

    def port(*args, env=None):
        done = server.cli("config", "show", "--json", *args, env=env)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)["WS_SYNC_PORT"]
        return shown["value"], shown["source"]

    assert port() == ("8765", "default")
    (config / "config.env").write_text("WS_SYNC_PORT=1001\n")
    assert port() == ("1001", f"{config}/config.env line 1")
    (tmp_path / ".env").write_text("# mine\nexport WS_SYNC_PORT='1002' # here\n")
    assert port() == ("1002", f"{tmp_path}/.env line 2")
    other = tmp_path / "other.env"
    other.write_text("WS_SYNC_PORT=1003\n")
    assert port("--env-file", str(other)) == ("1003", f"{other} line 1")
    assert port("--env-file", str(other), env={"WS_SYNC_PORT": "1004"}) == ("1004", "environment")
    missing = server.cli("config", "check", "--env-file", "/nonexistent")
    assert missing.returncode == 2 and "/nonexistent" in missing.stdout


def test_everything_that_is_wrong_is_said_at_once(make_server, tmp_path):
    (tmp_path / ".env").write_text("WS_SYNC_PORT=x\nREDIS_URL=http://h\nENABLE_WEBSOKET=true\n"
                                   "DISTRIBUTED_USER_ID=$(uuidgen)\n")
    server = make_server(cwd=tmp_path, port_by_flag=False)
    checked = server.cli("config", "check")
    assert checked.returncode == 2
    for part in ("WS_SYNC_PORT", "REDIS_URL", "did you mean ENABLE_WEBSOCKET", "not executed"):
        assert part in checked.stdout, checked.stdout
    as_json = json.loads(server.cli("config", "check", "--json").stdout)
    assert as_json["ok"] is False and len(as_json["problems"]) == 4
    started = server.cli("serve")
    assert started.returncode == 2
    assert "WS_SYNC_PORT" in started.stderr and "REDIS_URL" in started.stderr


def test_passwords_are_not_shown(make_server):
    server = make_server()
    env = {"MONGODB_URL": "mongodb://ada:s3cret@h", "REDIS_URL": "redis://:s3cret@h"}
    for arguments in (["config", "show"], ["config", "show", "--json"], ["config", "check"],
                      ["doctor"], ["serve", "--port", "x"]):
        done = server.cli(*arguments, env=env)
        assert "s3cret" not in done.stdout + done.stderr, arguments


def test_distributed_memory_is_said_not_to_be_part(make_server):
    env = {"ENABLE_DISTRIBUTED_MEMORY": "true"}
    refused = make_server(env=env).spawn()
    assert refused.wait_exit(10) == 2 and "DISTRIBUTED_USER_ID" in refused.log()
    server = make_server(env={**env, "DISTRIBUTED_USER_ID": "ada"}).start()
    assert "not part of this version" in server.log()
    assert json.loads(cli(server, "status", "--json").stdout)["userId"] == "ada"


def test_generated_documents(server):
    for part in ("list", "limits", "errors"):
        done = server.cli("config", part, "--markdown")
        assert done.returncode == 0 and done.stdout.startswith("# ")
        assert json.loads(server.cli("config", part, "--json").stdout)


# ---- Serving --------------------------------------------------------------------------------

def test_serve_says_where_everything_is(make_server):
    server = make_server().start()
    for part in (url_of(server), str(server.data_dir), str(server.process.pid), "Ctrl-C"):
        assert part in server.log(), server.log()


def test_serve_tells_programs_as_json(make_server):
    server = make_server(args=["--json"]).start()
    said = json.loads(next(line for line in server.log().splitlines() if line.startswith("{")))
    assert said["pid"] == server.process.pid and said["url"] == url_of(server)
    assert said["dataDir"] == str(server.data_dir)


def test_no_core_dump_holds_what_is_in_memory(server):
    proc = pathlib.Path(f"/proc/{server.process.pid}")
    limit = next(line for line in (proc / "limits").read_text().splitlines()
                 if line.startswith("Max core file size"))
    assert limit.split()[4:6] == ["0", "0"], limit
    assert int((proc / "coredump_filter").read_text(), 16) == 0


def heed_interrupts():
    # A test run in the background of a shell ignores them, and so would what it starts.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_one_interrupt_drains_and_a_second_forces(make_server):
    server = make_server(limits=heed_interrupts).start()
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        # A request that is not finished keeps a drain busy.
        slow.sendall(b"PUT /api/v1/contexts/k HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     b"Content-Length: 5\r\n\r\n" % server.port)
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        server.wait_log("stopping")
        started = time.monotonic()
        assert server.process.poll() is None, "it waits for the request"
        server.process.send_signal(signal.SIGINT)
        assert server.wait_exit(10) == 130
        assert time.monotonic() - started < 3 * PATIENCE
    again = make_server(limits=heed_interrupts).start()
    again.process.send_signal(signal.SIGINT)
    assert again.wait_exit(10) == 0


# ---- Streams --------------------------------------------------------------------------------

def put(server, key, n):
    done = cli(server, "context", "set", key, json.dumps({"n": n}), "--force")
    assert done.returncode == 0, done.stderr


def test_events_followed_over_a_restart_have_no_gap_and_no_double(make_server, background):
    server = make_server().start()
    put(server, "k", 0)
    follower = background(server, "events", "--follow", "--since", "0", "--json", "--url",
                          url_of(server))
    wait_until(lambda: follower.out().count("\n") >= 1, 10, what="the first event")
    put(server, "k", 1)
    wait_until(lambda: follower.out().count("\n") >= 2, 10, what="an event as it happens")
    server.kill()
    wait_until(lambda: "connection broke" in follower.err(), 10, what="the note of the break")
    server.start()
    for n in range(2, 6):
        put(server, "k", n)
    wait_until(lambda: follower.out().count("\n") >= 6, 20, what="the events after the restart")
    time.sleep(0.3)
    lines = [json.loads(line) for line in follower.out().splitlines()]
    assert [line["event"]["offset"] for line in lines] == [1, 2, 3, 4, 5, 6]
    follower.send_signal(signal.SIGINT)
    assert follower.wait(10) == 0
    assert lines[-1]["token"] in follower.err(), "it says how to go on"
    put(server, "k", 6)
    later = json.loads(cli(server, "events", "--since", lines[-1]["token"], "--json").stdout)
    assert [event["offset"] for event in later["events"]] == [7]


def test_watch_shows_the_changes_of_a_context(make_server, background):
    server = make_server().start()
    put(server, "before", 0)
    watcher = background(server, "context", "watch", "wanted", "--since", "1", "--url",
                         url_of(server))
    put(server, "other", 1)
    put(server, "wanted", 2)
    wait_until(lambda: "wanted created, version 1" in watcher.out(), 10, what="the change")
    assert "other" not in watcher.out() and "before" not in watcher.out()


def test_bench_measures_and_cleans_up(server):
    done = cli(server, "bench", "--writers", "3", "--seconds", "1", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["events"] > 0 and 0 < result["p50Ms"] <= result["p99Ms"] <= result["maxMs"]
    assert "events/s" in cli(server, "bench", "--writers", "1", "--seconds", "1").stdout


# ---- Terminals ------------------------------------------------------------------------------

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


def test_top_shows_lives_and_leaves_the_terminal_as_it_was(make_server):
    server = make_server().start()
    put(server, "shown/key", 1)
    with Terminal(server, "top", "--url", url_of(server)) as top:
        top.read_until(b"shown/key")
        assert ENTER in top.output and "3/3 Sync".encode() in top.output
        put(server, "another/key", 1)
        top.read_until(b"another/key")
        before = len(top.output)
        top.resize(60, 12)
        os.kill(top.process.pid, signal.SIGWINCH)
        top.read_until(b"q quits", since=before)
        assert not top.is_restored()
        top.type(b"q")
        assert top.wait() == 0
        assert top.output.rstrip().endswith(LEAVE) and top.is_restored()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV,
                                    signal.SIGQUIT])
def test_top_leaves_the_terminal_as_it_was_on_any_signal(server, number):
    with Terminal(server, "top", "--url", url_of(server)) as top:
        top.read_until(b"q quits")
        top.process.send_signal(number)
        top.wait()
        assert LEAVE in top.output and top.is_restored()


def test_top_goes_on_while_the_server_is_away(make_server):
    server = make_server().start()
    with Terminal(server, "top", "--url", url_of(server)) as top:
        top.read_until("3/3 Sync".encode())
        server.kill()
        top.read_until("0/3 Sync".encode(), 20)
        at = len(top.output)
        server.start()
        top.read_until("3/3 Sync".encode(), 20, since=at)
        top.type(b"q")
        assert top.wait() == 0


def test_colours_are_for_terminals_that_want_them(server):
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with Terminal(server, "status", "--url", url_of(server), env=env) as status:
            assert status.wait() == 0
            assert "3/3 Sync".encode() in status.output
            assert (b"\x1b[32m" in status.output) == coloured, (env, status.output)


def test_top_without_a_terminal_says_so(server):
    done = cli(server, "top")
    assert done.returncode == 2 and "terminal" in done.stderr
    sample = json.loads(cli(server, "top", "--json", "--once").stdout)
    assert sample["status"]["isFullyOperational"] is True


# ---- Doctor ---------------------------------------------------------------------------------

def verdicts(done):
    return {check["check"]: check["verdict"] for check in json.loads(done.stdout)["checks"]}


def test_doctor_finds_a_good_server_good(server):
    done = cli(server, "doctor", "--json", "--data-dir", str(server.data_dir))
    assert done.returncode == 0, done.stdout
    found = verdicts(done)
    for check in ("settings-file", "databases", "port", "data-folder", "disk-space", "descriptors",
                  "reachable", "ready", "version", "indicator", "round-trip", "websocket",
                  "mode-switch"):
        assert found.get(check) in ("ok", "warn"), (check, done.stdout)
    assert "0 wrong" in cli(server, "doctor").stdout
    users = json.loads(cli(server, "context", "ls", "--json").stdout)
    assert users["contexts"] == [], "the doctor leaves nothing in the user's memory"


def test_doctor_says_what_is_wrong_and_what_to_do(make_server, tmp_path):
    absent = make_server()
    done = cli(absent, "doctor")
    assert done.returncode == 1 and "dyad-memory serve" in done.stdout, done.stdout
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = absent.cli("doctor", "--url", f"http://127.0.0.1:{port}", "--timeout", "2",
                          "--json")
        assert verdicts(done)["port"] == "fail"
        assert str(os.getpid()) in done.stdout, "the process that has the port is named"
    taken = tmp_path / "file"
    taken.write_text("")
    done = cli(absent, "doctor", "--json", "--data-dir", str(taken))
    assert verdicts(done)["data-folder"] == "fail"
    wrong = absent.cli("doctor", "--json", env={"MONGODB_URL": "nonsense"})
    assert wrong.returncode == 1 and "MONGODB_URL" in wrong.stdout


def test_doctor_explains_a_partial_indicator(make_server):
    server = make_server(env={"ENABLE_WEBSOCKET": "false"}).start()
    done = cli(server, "doctor", "--json")
    assert verdicts(done)["indicator"] == "warn", done.stdout
    assert "2/2 Sync" in done.stdout and "websocket is switched off" in done.stdout


# ---- Completion -----------------------------------------------------------------------------

@pytest.mark.parametrize("line, expected", [
    ("dyad-memory sta", ["status"]), ("dyad-memory context se", ["set", "search"]),
    ("dyad-memory context set k --str", ["--strategy"]),
    ("dyad-memory context set k --strategy m", ["merge"]),
    ("dyad-memory mode set d", ["didactic"]), ("dyad-memory serve --po", ["--port"])])
def test_bash_completes(server, line, expected):
    script = server.home / "completion.bash"
    script.write_text(server.cli("completion", "bash").stdout)
    words = line.split(" ")
    done = subprocess.run(
        ["bash", "-c", 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); '
         '_dyad_memory; printf "%s\\n" "${COMPREPLY[@]}"', "-", str(script), *words],
        capture_output=True, text=True, timeout=30)
    assert done.stderr == "" and sorted(done.stdout.split()) == sorted(expected)


def test_free_port_is_what_the_doctor_says_it_is(make_server):
    server = make_server(port=free_port())
    assert verdicts(cli(server, "doctor", "--json"))["port"] == "ok"

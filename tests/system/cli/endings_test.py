"""How commands and the server end: by signals, and when nobody reads what they write."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from support.plain import Closed, Plain
from support.server import BINARY, PATIENCE

GONE = -signal.SIGPIPE  # 141 in a shell
FOLLOWING = [("events", "--follow", "--json"), ("events", "--follow"), ("context", "watch"),
             ("top", "--json")]


def environment(server, user="ends"):
    return {**server.environment(), "DYAD_URL": f"http://127.0.0.1:{server.port}",
            "DISTRIBUTED_USER_ID": user}


def spawn(server, *args, **more):
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen([BINARY, *args], env=environment(server), cwd=server.home,
                            stdin=subprocess.DEVNULL, **more)


def put(server, key="k"):
    done = server.cli("context", "set", key, "{}", env=environment(server))
    assert done.returncode == 0, done


# ---- The server -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_each_signal_drains_and_tells_the_clients(make_server, number):
    server = make_server().start()
    client = Plain(server.port, "ends", "one")
    put(server)
    server.process.send_signal(number)
    with pytest.raises(Closed) as closed:
        while True:
            client.read(10)
    assert closed.value.code == 1012
    assert server.wait_exit() == 0 and "stopped" in server.log().splitlines()[-1]
    server.start()
    assert server.cli("context", "get", "k", env=environment(server)).returncode == 0


def test_a_terminal_that_closes_twice_does_not_cut_the_drain_short(make_server):
    server = make_server().start()
    client = Plain(server.port, "ends", "one")
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
    with pytest.raises(Closed) as closed:
        while True:
            client.read(10)
    assert closed.value.code == 1012 and server.wait_exit() == 0


def test_a_hangup_that_was_ignored_at_the_start_stays_ignored(make_server):
    server = make_server(limits=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)).start()
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert server.get("/readyz")[0] == 200
    assert server.stop() == 0


def test_signals_of_others_say_nothing_to_it(make_server):
    server = make_server().start()
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF,
                   signal.SIGPIPE, signal.SIGIO, signal.SIGWINCH, signal.SIGCHLD, signal.SIGPWR,
                   signal.SIGRTMIN, signal.SIGRTMAX):
        server.process.send_signal(number)
    time.sleep(0.2)
    assert server.process.poll() is None and server.get("/readyz")[0] == 200
    assert server.stop() == 0


def test_its_files_never_take_the_place_of_a_closed_stream(make_server):
    """Where standard error is closed, the journal must not become it."""
    server = make_server()
    command = " ".join([BINARY, "serve", "--port", str(server.port), "--data-dir",
                        str(server.data_dir), "<&-", ">&-", "2>&-"])
    server.command = lambda: ["bash", "-c", f"exec {command}"]
    server.start()
    put(server)
    put(server, "again")
    for number in ("0", "1", "2"):
        assert os.readlink(f"/proc/{server.process.pid}/fd/{number}") == "/dev/null"
    assert server.stop() == 0
    server.start()
    assert server.cli("context", "get", "again", env=environment(server)).returncode == 0


# ---- Commands ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("command", FOLLOWING, ids=" ".join)
def test_a_following_command_ends_in_order_on_each_signal(server, command, number):
    put(server)
    follower = spawn(server, *command)
    time.sleep(0.4 * PATIENCE)
    follower.send_signal(number)
    out, err = follower.communicate(timeout=5 * PATIENCE)
    assert follower.returncode == 0, err
    if command[0] == "events":
        token = (json.loads(err.splitlines()[-1])["position"] if "--json" in command
                 else err.decode().split()[-1])
        later = server.cli("events", "--since", token, "--json", env=environment(server))
        assert later.returncode == 0 and later.stdout == ""


@pytest.mark.parametrize("command", FOLLOWING, ids=" ".join)
def test_a_following_command_ends_when_its_reader_is_gone_though_nothing_happens(server, command):
    put(server)
    for ignored in (False, True):
        follower = spawn(server, *command, restore_signals=not ignored)
        time.sleep(0.4 * PATIENCE)
        follower.stdout.close()
        started = time.monotonic()
        assert follower.wait(5 * PATIENCE) == GONE
        assert time.monotonic() - started < 2 * PATIENCE
        err = follower.stderr.read().decode()
        assert "written" not in err and "--since" not in err, err


def test_in_a_shell_it_is_as_with_any_other_program(server):
    put(server)
    script = f"'{BINARY}' events --follow --json | head -1; echo ${{PIPESTATUS[0]}}"
    started = time.monotonic()
    done = subprocess.run(["bash", "-c", script], env=environment(server), cwd=server.home,
                          capture_output=True, text=True, timeout=20 * PATIENCE)
    event, status = done.stdout.splitlines()
    assert json.loads(event)["offset"] >= 1 and status == "141"
    assert time.monotonic() - started < 5 * PATIENCE
    assert len(done.stderr.splitlines()) <= 1, done.stderr


def test_whoever_waits_for_an_answer_ends_too(server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for command in (("context", "search", "x"), ("context", "ls"), ("status",),
                        ("events", "--follow"), ("top", "--json")):
            waiting = spawn(server, *command, "--url", url)
            time.sleep(0.2 * PATIENCE)
            waiting.stdout.close()
            assert waiting.wait(3 * PATIENCE) == GONE, command


def test_a_write_is_not_given_up_because_nobody_reads_its_answer(server):
    writer = spawn(server, "context", "set", "unread", '{"n":1}')
    writer.stdout.close()
    writer.wait(10 * PATIENCE)
    assert server.cli("context", "get", "unread", env=environment(server)).returncode == 0


def test_bench_ends_and_leaves_nothing_when_its_reader_is_gone(server):
    bench = spawn(server, "bench", "--seconds", "60", "--writers", "2")
    assert b"writers" in bench.stderr.readline()
    time.sleep(0.5 * PATIENCE)
    bench.stdout.close()
    assert bench.wait(8 * PATIENCE) == GONE


def test_a_standard_error_that_is_gone_stops_nothing(server):
    reading, writing = os.pipe()
    os.close(reading)
    follower = spawn(server, "events", "--follow", "--json", stderr=writing)
    os.close(writing)
    try:
        for n in range(3):
            put(server, f"k{n}")
            assert json.loads(follower.stdout.readline())["offset"] > 0
    finally:
        follower.terminate()
        assert follower.wait(5 * PATIENCE) == 0


def test_a_closed_standard_output_is_a_failure_and_no_connection_takes_its_place(server):
    put(server)
    for closed in (">&-", ">&- 2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(["bash", "-c", f"exec '{BINARY}' context get k {closed}"],
                              env=environment(server), cwd=server.home, timeout=20)
        assert done.returncode == 1, closed


@pytest.mark.parametrize("command", FOLLOWING, ids=" ".join)
def test_whoever_follows_for_nobody_ends_at_once(server, command):
    put(server)
    started = time.monotonic()
    done = subprocess.run(["bash", "-c", f"exec '{BINARY}' {' '.join(command)} >&-"],
                          env=environment(server), cwd=server.home, stderr=subprocess.PIPE,
                          timeout=20 * PATIENCE)
    assert done.returncode == 1 and time.monotonic() - started < 3 * PATIENCE, done

"""The command line in a terminal, in a shell, and over a connection that loses answers."""

import json
import os
import signal
import subprocess

import pytest

from support.cli import DroppingProxy, Terminal, url_of

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


def put(server, key):
    done = server.cli("context", "set", key, "{}", "--url", url_of(server))
    assert done.returncode == 0, done.stderr


def test_top_shows_lives_and_leaves_the_terminal_as_it_was(make_server):
    server = make_server().start()
    put(server, "shown/key")
    with Terminal(server, "top", "--url", url_of(server)) as top:
        top.read_until(b"shown/key")
        assert ENTER in top.output and "3/3 Sync".encode() in top.output
        put(server, "another/key")
        top.read_until(b"another/key")
        before = len(top.output)
        top.resize(60, 12)
        os.kill(top.process.pid, signal.SIGWINCH)
        top.read_until(b"q quits", since=before)
        assert not top.is_restored()
        top.type(b"q")
        assert top.wait() == 0
        assert top.output.rstrip().endswith(LEAVE) and top.is_restored()


def test_top_ends_after_the_refreshes_that_were_asked_for(server):
    with Terminal(server, "top", "--count", "1", "--url", url_of(server)) as top:
        assert top.wait() == 0
        assert "3/3 Sync".encode() in top.output and top.is_restored()


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


@pytest.mark.parametrize("line, expected", [
    ("dyad-memory sta", ["status"]), ("dyad-memory context se", ["set", "search"]),
    ("dyad-memory context set k --str", ["--strategy"]),
    ("dyad-memory serve --po", ["--port"])])
def test_bash_completes(server, line, expected):
    script = server.home / "completion.bash"
    script.write_text(server.cli("completion", "bash").stdout)
    words = line.split(" ")
    done = subprocess.run(
        ["bash", "-c", 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); '
         '_dyad_memory; printf "%s\\n" "${COMPREPLY[@]}"', "-", str(script), *words],
        capture_output=True, text=True, timeout=30)
    assert done.stderr == "" and sorted(done.stdout.split()) == sorted(expected)


def test_a_write_whose_answer_is_lost_is_sent_again_and_applied_once(server):
    proxy = DroppingProxy(server.port, drops=2)
    try:
        done = server.cli("context", "set", "lost", '{"n":1}', "--user", "lost", "--json", "--url",
                          f"http://127.0.0.1:{proxy.port}")
    finally:
        proxy.close()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == 1
    keys = {line for request in proxy.requests for line in request.split(b"\r\n")
            if line.lower().startswith(b"idempotency-key")}
    writes = [request for request in proxy.requests if request.startswith(b"PUT")]
    assert len(writes) >= 2 and len(keys) == 1, proxy.requests
    log = server.cli("events", "--since", "0", "--user", "lost", "--json", "--url", url_of(server))
    assert len(log.stdout.splitlines()) == 1, log.stdout

"""The command line among others: servers that are not ours, texts that others wrote, shells, and
command lines that are wrong."""

import json
import os
import shlex
import socket
import subprocess
import threading

import pytest

from support.server import BINARY
from support.command_line import Cli, URL


@pytest.fixture
def cli(server, request):
    return Cli(server, request.node.name)


@pytest.fixture
def stranger(server):
    """Answers every request with the same bytes; says nothing where they are empty."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones = []

    class Stranger:
        answer = b""

        @staticmethod
        def run(*args):
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            return server.cli(*args, env={URL: url})

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if not Stranger.answer:
                open_ones.append(client)
                continue
            with client:
                client.settimeout(5)
                try:
                    client.recv(65536)
                    client.sendall(Stranger.answer)
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    yield Stranger
    listener.close()
    for client in open_ones:
        client.close()


def answer(status, body, *headers):
    head = "".join(f"{one}\r\n" for one in (f"HTTP/1.1 {status}", *headers))
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


COMMANDS = [("context", "set", "k", "{}"), ("context", "rm", "k"), ("context", "patch", "k", "{}"),
            ("context", "get", "k"), ("context", "ls"), ("mode", "set", "parallel"), ("mode",),
            ("response", "add", "{}"), ("status",), ("instances",), ("events",),
            ("context", "watch"), ("events", "--follow")]


@pytest.mark.parametrize("given,says", [
    (answer("301 Moved", "", "Location: https://other.example/"), "redirects to https://other"),
    (answer("200 OK", "[1]", "Content-Type: application/json"), "is not dyad-memory"),
    (answer("200 OK", ""), "is not dyad-memory"),
    (answer("200 OK", "<p>hello</p>", "Content-Type: text/html"), "is not dyad-memory"),
    (answer("404 Not Found", "no"), "is not dyad-memory"),
], ids=["redirect", "list", "nothing", "page", "404"])
def test_nothing_is_taken_from_a_server_that_is_not_ours(stranger, given, says):
    stranger.answer = given
    for command in COMMANDS:
        done = stranger.run(*command)
        assert done.returncode == 1, (command, done)
        assert says in done.stderr, (command, done)


def test_a_write_counts_only_with_its_place_in_the_log(stranger):
    stranger.answer = answer("200 OK", '{"version":1}', "Content-Type: application/json")
    done = stranger.run("context", "set", "k", "{}")
    assert done.returncode == 1 and "is not dyad-memory" in done.stderr


def test_whoever_follows_a_server_that_says_nothing_is_told_in_time(stranger):
    done = stranger.run("context", "watch", "--timeout", "1")
    assert done.returncode == 3 and "in time" in done.stderr, done


@pytest.mark.parametrize("instance", ["zed\r\nDyad-User: eve", "a\nb", " x", "x ", "i" * 300],
                         ids=["two lines", "line break", "blank before", "blank after", "long"])
def test_an_instance_that_is_no_name_is_refused(cli, instance):
    assert "--instance" in cli.fails(2, "context", "set", "k", "{}", "--instance", instance)
    assert cli.json("context", "ls")["contexts"] == []


def complete(cli, line, directory):
    """What bash offers behind `line`, as it would be inserted."""
    words = [shlex.quote(word) for word in line.split(" ")]
    script = (
        f"PATH={shlex.quote(str(directory))}:$PATH\n"
        "source <(dyad-memory completion bash)\n"
        f"COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}\n"
        f"COMP_WORDS=({' '.join(words)}) COMP_CWORD={len(words) - 1}\n"
        "_dyad_memory\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
    env = {**cli.server.environment(), URL: f"http://127.0.0.1:{cli.server.port}",
           "DISTRIBUTED_USER_ID": cli.user}
    done = subprocess.run(["bash", "-c", script], env=env, cwd=directory, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.splitlines()


def test_completion_offers_keys_quoted_and_never_runs_them(cli, tmp_path):
    (tmp_path / "dyad-memory").symlink_to(BINARY)
    evil = ["$(touch${IFS}pwned)", "`touch pwned`", "a b", "a'b", "chat:1", "chat:22", "-k"]
    for key in evil:
        cli.ok("context", "set", "--", key, "{}")
    offered = complete(cli, "dyad-memory context get ", tmp_path)
    names = [one for one in offered if not one.startswith("--")]
    assert sorted(shlex.split(" ".join(names))) == sorted(evil[:-1])
    assert "--version" in offered and not (tmp_path / "pwned").exists()
    # The shell takes words apart at colons: what stands before is there already.
    assert complete(cli, "dyad-memory context get chat:2", tmp_path) == ["chat:22"]
    assert complete(cli, "dyad-memory context ge", tmp_path) == ["get"]


def test_completion_in_zsh_and_fish_is_well_formed(cli, tmp_path):
    for shell in ("zsh", "fish"):
        script = cli.ok("completion", shell)
        assert "context ls --keys-only" in script and "eval" not in script


@pytest.mark.parametrize("args,says", [
    (("context", "ls", "--limit", "0"), 'must be a whole number from 1'),
    (("context", "ls", "--limit", "abc"), 'must be a whole number from 1'),
    (("context", "get", "k", "--version", "99999999999999999999"), "must be a whole number from 1"),
    (("context", "set", "k", "{}", "--if-version", "-1"), "must be a whole number from 0"),
    (("events", "--limit", "1.5"), "must be a whole number from 0 to 1000000"),
    (("context", "list", "--nothing"), "--nothing"),
    (("context", "set", "k", "@/nowhere"), "No such file"),
    (("context", "set", "k", "@/"), "folder"),
], ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "")
def test_a_wrong_command_line_is_refused_in_one_plain_sentence(cli, args, says):
    said = cli.fails(2, *args)
    assert says in said and len(said) < 300
    problem = json.loads(cli.fails(2, *args, "--json"))
    assert problem["code"] == "invalid_field" and says in problem["detail"]


@pytest.mark.parametrize("args", [
    ("mode", "set", "inspired", "--of", ""), ("mode", "--of=",), ("context", "set", "k", "{}",
                                                                  "--instance", ""),
    ("events", "--since", ""), ("events", "--follow", "--since="),
    ("context", "watch", "--since", ""),
    ("context", "ls", "--tag", ""), ("context", "ls", "--prefix", ""), ("events", "--type", ""),
    ("response", "ls", "--chat", ""), ("conflicts", "ls", "--context", "")], ids=" ".join)
def test_an_option_without_a_value_means_nothing_else(cli, args):
    """--of "$UNSET" is not this instance, and --since "$UNSET" not from now on."""
    assert args[-1].rstrip("=") in cli.fails(2, *args) or args[-2] in cli.fails(2, *args)
    assert cli.json("mode", "ls")["modes"] == [] and cli.json("context", "ls")["contexts"] == []


def test_a_tag_is_one_word_whatever_it_looks_like(cli):
    cli.ok("context", "set", "k", "--tag", "[x,y]", '{"a":1}')
    assert cli.json("context", "get", "k")["tags"] == ["[x,y]"]


def test_a_file_may_begin_with_a_byte_order_mark(cli, tmp_path):
    path = tmp_path / "data.json"
    path.write_bytes(b'\xef\xbb\xbf{"a":1}')
    cli.ok("context", "set", "k", f"@{path}")
    assert cli.json("context", "get", "k")["data"] == {"a": 1}


def test_events_of_one_type_are_found_however_old_they_are(cli):
    cli.ok("mode", "set", "parallel", "--of", "desk")
    for n in range(25):
        cli.ok("context", "set", "k", f'{{"n":{n}}}')
    cli.ok("mode", "set", "didactic", "--of", "desk")
    shown = cli.run("events", "--type", "mode-changed", "--json")
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [line["offset"] for line in lines] == [1, 27]
    assert json.loads(shown.stderr)["position"].split(".")[1] == "27"
    newest = cli.ok("events", "--type", "mode-changed", "--limit", "1", "--json").splitlines()
    assert [json.loads(line)["offset"] for line in newest] == [27]


def test_a_place_beyond_the_end_of_the_log_is_refused(cli):
    cli.ok("context", "set", "k", "{}")
    for more in ((), ("--follow",)):
        assert "ends at 1" in cli.fails(1, "events", "--since", "99", *more)
    assert cli.ok("events", "--since", "1") == ""


def test_merge_names_the_version_it_was_made_from(cli):
    cli.ok("context", "set", "k", '{"x":1,"y":1}')
    cli.ok("context", "set", "k", '{"x":2,"y":1}')
    cli.ok("context", "merge", "k", '{"x":1,"y":4}', "--base", "1")
    assert cli.json("context", "get", "k")["data"] == {"x": 2, "y": 4}


def test_help_that_cannot_be_written_is_a_failure(cli):
    for args in (["--help"], ["context", "set", "--help"], []):
        with open("/dev/full", "w") as full:
            done = subprocess.run([BINARY, *args], env=cli.server.environment(), stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 1 and "could not be written" in done.stderr, done


def test_serve_names_its_own_address_where_clients_are_told_another(make_server):
    server = make_server(env={URL: "http://other.example:9999"}).start()
    server.stop()
    assert "other.example" not in server.log()
    assert f"listening at http://localhost:{server.port}" in server.log()


def test_config_check_reports_what_is_wrong_at_once(cli):
    said = cli.run("config", "check", env={
        "LOG_LEVEL": "loud", "WS_TLS": "true", "DYAD_HOST": "0.0.0.0",
        "ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": ""})
    assert said.returncode == 2
    for name in ("LOG_LEVEL", "WS_TLS", "DYAD_HOST", "DISTRIBUTED_USER_ID"):
        assert name in said.stdout + said.stderr, said

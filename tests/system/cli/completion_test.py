"""Completion in the shells themselves: bash, zsh and fish are started, and TAB is what they see."""

import os
import pty
import re
import select
import shlex
import socket
import subprocess
import time

import pytest

from support.server import BINARY, PATIENCE

KEYS = {"ada": ["ada/one", "ada two", "$(touch${IFS}pwned)", "it's", "chat:1", "chat:22", "a=b"],
        "bob": ["bobs/only", "Łódź", "李 明"]}


@pytest.fixture(scope="module")
def place(server, tmp_path_factory):
    """A folder with the program on the PATH, the scripts, and a memory for each of two users."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "dyad-memory").symlink_to(BINARY)
    for user, keys in KEYS.items():
        for key in keys:
            status, _, _ = server.request(
                "PUT", f"/api/v1/contexts/{''.join(f'%{b:02X}' for b in key.encode())}",
                '{"data":{},"force":true}',
                {"Content-Type": "application/json", "Dyad-User": user})
            assert status in (200, 201), key
    (folder / "other.env").write_text("DISTRIBUTED_USER_ID=bob\n")
    for shell in ("bash", "zsh", "fish"):
        (folder / shell).write_text(server.cli("completion", shell).stdout)
    return folder


def environment(server, place, **more):
    return {**server.environment(), "PATH": f"{place}:{os.environ['PATH']}", "TERM": "dumb",
            "DYAD_URL": f"http://127.0.0.1:{server.port}", "LANG": "C.UTF-8", **more}


def bash(server, place, line, **more):
    """What bash would insert, by its own rules for taking words apart."""
    words = re.findall(r"[^\s:=]+|[:=]+", line) + ([""] if line.endswith((" ", "=", ":")) else [])
    script = (f"source '{place}/bash'\nCOMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}\n"
              f"COMP_WORDS=({' '.join(map(shlex.quote, words))}) COMP_CWORD={len(words) - 1}\n"
              "_dyad_memory\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
    done = subprocess.run(["bash", "-c", script], env=environment(server, place, **more),
                          cwd=place, capture_output=True, text=True, timeout=30 * PATIENCE)
    assert done.returncode == 0 and done.stderr == "", done
    return [one for one in done.stdout.splitlines() if one and not one.startswith("--")]


def fish(server, place, line, **more):
    script = f"source '{place}/fish'; complete --do-complete {shlex.quote(line)}"
    done = subprocess.run(["fish", "--no-config", "-c", script], cwd=place, capture_output=True,
                          text=True, timeout=30 * PATIENCE,
                          env=environment(server, place, **more))
    assert done.stderr == "", done
    names = [one.split("\t")[0] for one in done.stdout.splitlines()]
    return [one for one in names if not one.startswith("--") or "=" in one]


def zsh(server, place, line, **more):
    """Types the line and TAB into a zsh in a terminal, and reads what it makes of the line."""
    master, slave = pty.openpty()
    process = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave,
                               env=environment(server, place, **more), cwd=place,
                               start_new_session=True)
    os.close(slave)
    seen = b""

    def until(text, timeout=20 * PATIENCE):
        nonlocal seen
        end = time.monotonic() + timeout
        while text not in seen:
            assert select.select([master], [], [], max(0, end - time.monotonic()))[0], seen
            seen += os.read(master, 65536)

    try:
        os.write(master, b"PS1='> '; autoload -Uz compinit; compinit -D -u; "
                         b"source %s/zsh; unsetopt zle_bracketed_paste; "
                         b"show() { print -r -- \"LINE:$BUFFER:END\" > %s/shown; zle -I }; "
                         b"zle -N show; bindkey '^O' show; print rea''dy\n" %
                 (str(place).encode(), str(place).encode()))
        until(b"ready", 60 * PATIENCE)  # compinit reads a thousand files, from the disk at first
        (place / "shown").unlink(missing_ok=True)
        os.write(master, line.encode() + b"\t\x0f")
        end = time.monotonic() + 20 * PATIENCE
        while not (place / "shown").exists() or ":END" not in (place / "shown").read_text():
            assert time.monotonic() < end, seen
            if select.select([master], [], [], 0.05)[0]:
                seen += os.read(master, 65536)
        return (place / "shown").read_text().split("LINE:")[1].split(":END")[0]
    finally:
        process.kill()
        process.wait()
        os.close(master)


USERS = ["--user bob context get {}", "--user=bob context get {}",
         "context get --user bob {}", "context get --user=bob {}", "context get --user 'bob' {}",
         "context get --env-file other.env {}", "--env-file=other.env context get {}",
         "context rm --json --user bob {}", "context history --limit 3 --user bob {}"]


@pytest.mark.parametrize("form", USERS)
def test_what_the_line_says_counts(server, place, form):
    # A file that the line names does not go before the environment.
    others = {} if "env-file" in form else {"DISTRIBUTED_USER_ID": "ada"}
    for shell in (bash, fish):
        offered = shell(server, place, "dyad-memory " + form.format("bob"), **others)
        assert offered == ["bobs/only"], (shell, form)


def test_the_servers_address_on_the_line_counts(server, place):
    url = f"http://127.0.0.1:{server.port}"
    for line in (f"--url {url} context get bob", f"context get --url={url} bob"):
        for shell in (bash, fish):
            assert shell(server, place, f"dyad-memory {line}", DISTRIBUTED_USER_ID="bob",
                         DYAD_URL="http://127.0.0.1:1") == ["bobs/only"], (shell, line)


def test_zsh_completes_with_what_the_line_says(server, place):
    assert zsh(server, place, "dyad-memory --user bob context get bob",
               DISTRIBUTED_USER_ID="ada").rstrip() == "dyad-memory --user bob context get bobs/only"
    assert zsh(server, place, "dyad-memory --user=ada context get 'ada t").rstrip() == \
        "dyad-memory --user=ada context get 'ada two'"
    assert zsh(server, place, "dyad-memory --user=ada context get ada\\ t").rstrip() == \
        "dyad-memory --user=ada context get ada\\ two"
    assert zsh(server, place, "dyad-memory --user ada context get '$(to").rstrip().startswith(
        "dyad-memory --user ada context get '$(touch${IFS}pwned)")
    assert zsh(server, place, "dyad-memory mode set para").rstrip() == \
        "dyad-memory mode set parallel"
    assert not (place / "pwned").exists()


def test_a_user_only_the_shell_knows_is_nobody(server, place):
    for line in ('--user "$U" context get bob', "context get --user $U bob",
                 "context get --user `whoami` bob"):
        assert bash(server, place, "dyad-memory " + line, DISTRIBUTED_USER_ID="bob", U="ada") == []


def test_keys_are_quoted_and_nothing_runs(server, place):
    for user, keys in KEYS.items():
        offered = bash(server, place, f"dyad-memory --user {user} context get ")
        assert sorted(shlex.split(" ".join(offered))) == sorted(keys)
        assert sorted(fish(server, place, f"dyad-memory --user {user} context get ")) == \
            sorted(keys)
    assert bash(server, place, "dyad-memory --user ada context get chat:2") == ["22"]
    assert bash(server, place, "dyad-memory --user ada context get a=") == ["b"]
    assert bash(server, place, 'dyad-memory --user ada context get "ada t') == ["ada two"]
    assert bash(server, place, "dyad-memory --user ada context get 'ada t") == ["ada two"]
    assert bash(server, place, "dyad-memory --user ada context get ada\\ t") == ["ada\\ two"]
    assert not (place / "pwned").exists()


def test_all_keys_are_offered_however_many(server, place):
    for n in range(1203):
        status, _, _ = server.request(
            "PUT", f"/api/v1/contexts/many{n:04}", '{"data":{},"force":true}',
            {"Content-Type": "application/json", "Dyad-User": "many"})
        assert status in (200, 201)
    assert len(bash(server, place, "dyad-memory --user many context get many")) == 1203
    assert bash(server, place, "dyad-memory --user many context get many120") == \
        ["many1200", "many1201", "many1202"]


@pytest.mark.parametrize("line,expected", [
    ("sta", ["status"]), ("context se", ["search", "set"]), ("mode set ", ["didactic", "inspired",
                                                                         "parallel"]),
    ("context set k --strategy m", ["merge"]), ("events --type=mode", ["mode-changed"]),
    ("serve --log-level de", ["debug"]), ("serve --websocket ", ["false", "true"]),
    ("conflicts resolve x s", ["stored"]),
    ("--json con", ["config", "conflicts", "connect", "context"]),
    ("context get ada/one x", []), ("comple", ["completion"])])
def test_words_come_from_the_commands_themselves(server, place, line, expected):
    for shell in (bash, fish):
        offered = shell(server, place, "dyad-memory " + line, DISTRIBUTED_USER_ID="ada")
        if "--type=" in line and shell is fish:
            expected = ["--type=mode-changed"]
        if not expected:
            offered = [one for one in offered if one in sum(KEYS.values(), [])]
        assert sorted(offered) == expected, (shell, line)


def test_a_server_that_is_away_or_silent_costs_a_moment_and_says_nothing(server, place):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for url in ("http://127.0.0.1:1", f"http://127.0.0.1:{silent.getsockname()[1]}", "ftp://x"):
            started = time.monotonic()
            assert bash(server, place, "dyad-memory context get k", DYAD_URL=url) == []
            assert time.monotonic() - started < 3 * PATIENCE


def test_an_id_is_not_made_by_pressing_tab(server, place, tmp_path):
    bash(server, place, "dyad-memory context get k", DISTRIBUTED_USER_ID="$(uuidgen)",
         XDG_CONFIG_HOME=str(tmp_path))
    assert list(tmp_path.iterdir()) == []

"""The command line against a running server: every subcommand, exit statuses, pipes, JSON."""

import json
import os
import signal
import subprocess
import time

import pytest

from support.command_line import Cli
from support.server import BINARY, PATIENCE, free_port, wait_until


@pytest.fixture
def cli(server, request):
    """A user of its own for each test."""
    return Cli(server, request.node.name)


def test_alone_it_greets_with_the_most_used_commands(cli):
    shown = cli.ok()
    assert len([line for line in shown.splitlines() if line.startswith("  dyad-memory")]) == 5


def commands_of(cli, *path):
    shown = cli.ok(*path, "--help")
    if "Subcommands:" not in shown:
        return []
    lines = shown.split("Subcommands:")[1].split("\n\n")[0].splitlines()
    return [line.split()[0].rstrip(",") for line in lines
            if line.startswith("  ") and not line.startswith("   ")]


def test_every_command_has_help_with_the_common_options_and_the_exit_statuses(cli):
    names = commands_of(cli)
    assert {"serve", "status", "mode", "context", "events", "response", "instances", "conflicts",
            "top", "doctor", "bench", "config", "completion", "version"} <= set(names)
    leaves = []
    for name in names:
        children = commands_of(cli, name)
        leaves += [(name, child) for child in children] or [(name,)]
    for leaf in leaves:
        shown = cli.ok(*leaf, "--help")
        for part in ("--url", "--json", "Exit status: 0 done"):
            assert part in shown, (leaf, part)
        for line in shown.splitlines():
            assert len(line) <= 110, (leaf, line)


def test_set_get_and_their_versions(cli):
    cli.ok("context", "set", "project/plan", '{"n":1}', "--type", "project", "--tag", "a",
           "--tag", "b")
    cli.ok("context", "set", "project/plan", '{"n":2}')
    got = cli.json("context", "get", "project/plan")
    assert (got["data"], got["version"]) == ({"n": 2}, 2)
    assert cli.ok("context", "get", "project/plan", "--version", "1", "--data-only") == '{"n":1}\n'
    shown = cli.ok("context", "get", "project/plan")
    assert "version 2" in shown and '"n": 2' in shown
    history = cli.json("context", "history", "project/plan")["versions"]
    assert [item["context"]["version"] for item in history] == [2, 1]
    cli.ok("context", "restore", "project/plan", "1")
    assert cli.json("context", "get", "project/plan")["data"] == {"n": 1}
    cli.ok("context", "rm", "project/plan")
    cli.fails(4, "context", "get", "project/plan")


def test_data_comes_from_standard_input_and_files(cli, tmp_path):
    cli.ok("context", "set", "k", "-", stdin='{"from": "stdin"}')
    piped = cli.ok("context", "get", "k", "--data-only")
    cli.ok("context", "set", "copy", "-", stdin=piped)
    assert cli.json("context", "get", "copy")["data"] == {"from": "stdin"}
    path = tmp_path / "data.json"
    path.write_text('{"from": "file"}')
    cli.ok("context", "set", "k", f"@{path}")
    assert cli.json("context", "get", "k")["data"] == {"from": "file"}
    assert "nowhere" in cli.fails(2, "context", "set", "k", "@/nowhere")


def test_expected_versions(cli):
    cli.ok("context", "set", "k", '{"n":1}', "--if-version", "0")
    assert "version 1" in cli.fails(5, "context", "set", "k", '{"n":2}', "--if-version", "0")
    cli.ok("context", "set", "k", '{"n":2}', "--if-version", "1")
    problem = json.loads(cli.fails(5, "context", "set", "k", "{}", "--if-version", "1", "--json"))
    assert problem["code"] == "version_conflict" and problem["current"]["data"] == {"n": 2}
    cli.fails(2, "context", "set", "k", "{}", "--if-version", "2", "--force")
    cli.fails(5, "context", "rm", "k", "--if-version", "1")
    cli.fails(5, "context", "patch", "k", '{"a":1}', "--if-version", "1")


def test_a_write_says_which_version_it_followed(cli):
    assert cli.ok("context", "set", "k", '{"n":1}') == "k: created, version 1\n"
    assert cli.ok("context", "set", "k", '{"n":2}') == "k: written, version 1 -> 2\n"
    assert cli.ok("context", "patch", "k", '{"m":2}') == "k: patched, version 2 -> 3\n"
    assert cli.ok("context", "restore", "k", "1") == "k: restored, version 3 -> 4\n"
    assert "version 4 -> 5" in cli.ok("context", "rm", "k")
    assert cli.json("context", "set", "k", "{}")["previousVersion"] == 5
    kept = cli.ok("context", "set", "k", "{}", "--strategy", "ignore")
    assert "kept as it was, version 6" in kept
    assert "replaces what is there, unless" in cli.ok("context", "set", "--help")


def test_create_writes_only_where_there_is_nothing(cli):
    assert cli.ok("context", "set", "k", '{"n":1}', "--create") == "k: created, version 1\n"
    assert "version 1" in cli.fails(5, "context", "set", "k", '{"n":2}', "--create")
    assert cli.json("context", "get", "k")["data"] == {"n": 1}
    cli.ok("context", "rm", "k")
    cli.ok("context", "set", "k", '{"n":3}', "--create")
    for other in (["--force"], ["--if-version", "1"], ["--strategy", "merge"]):
        cli.fails(2, "context", "set", "k", "{}", "--create", *other)


def test_patches(cli):
    cli.ok("context", "set", "k", '{"a":1,"b":2}')
    cli.ok("context", "patch", "k", '{"b":null,"c":3}')
    assert cli.json("context", "get", "k")["data"] == {"a": 1, "c": 3}
    cli.ok("context", "patch", "k", '[{"op":"add","path":"/d","value":[1]}]', "--json-patch")
    assert cli.json("context", "get", "k")["data"] == {"a": 1, "c": 3, "d": [1]}
    cli.fails(5, "context", "patch", "k", '[{"op":"test","path":"/a","value":9}]')


def test_conflicts_are_kept_and_resolved(cli):
    cli.ok("context", "set", "k", '{"x":1,"y":1}')
    cli.ok("context", "set", "k", '{"x":2,"y":1}')
    done = cli.run("context", "merge", "k", '{"x":3,"y":4}', "--if-version", "1")
    assert done.returncode == 0, done.stderr
    open_ones = cli.json("conflicts", "ls")["conflicts"]
    assert len(open_ones) == 1 and open_ones[0]["contextKey"] == "k"
    conflict = open_ones[0]["id"]
    shown = cli.ok("conflicts", "show", conflict)
    assert "Stored" in shown and "Incoming" in shown
    cli.fails(2, "conflicts", "resolve", conflict, "value")
    cli.ok("conflicts", "resolve", conflict, "value", "--value", "7")
    assert cli.json("context", "get", "k")["data"] == {"x": 7, "y": 4}
    assert cli.json("conflicts", "ls")["conflicts"] == []
    cli.fails(4, "conflicts", "show", conflict)


def test_lists_go_over_pages(cli):
    for n in range(12):
        cli.ok("context", "set", f"p/{n:02}", "{}", "--tag", "even" if n % 2 == 0 else "odd")
    assert len(cli.json("context", "ls", "--all")["contexts"]) == 12
    limited = cli.json("context", "ls", "--limit", "5")
    assert len(limited["contexts"]) == 5 and limited["next"]
    keys = cli.ok("context", "ls", "--keys-only", "--tag", "odd").split()
    assert keys == [f"p/{n:02}" for n in range(1, 12, 2)]


def test_search_finds_words(cli):
    cli.ok("context", "set", "notes", '{"text":"the heliotrope blooms"}')
    hits = wait_until(lambda: cli.json("context", "search", "heliotrope")["hits"], 5)
    assert hits[0]["contextKey"] == "notes"
    assert "heliotrope" in cli.ok("context", "search", "Hëliotrope — “blooms”")


def test_keys_of_every_kind(cli):
    for key in ("a/b", "ü n", "%2F", "?x=1&y", "#", ".."):
        cli.ok("context", "set", key, '{"k":1}')
        assert cli.json("context", "get", key)["contextKey"] == key


def test_modes(cli):
    cli.fails(4, "mode")
    cli.ok("mode", "set", "parallel", "--config", '{"budget":3}', "--instance", "desk")
    assert cli.ok("mode", "--of", "desk").strip() == "parallel"
    assert cli.json("mode", "get", "--instance", "desk")["configuration"] == {"budget": 3}
    cli.ok("mode", "set", "didactic", "--instance", "desk")
    modes = cli.json("mode", "ls")["modes"]
    assert [(mode["instanceId"], mode["currentMode"]) for mode in modes] == [("desk", "didactic")]
    assert len(cli.json("mode", "log")["transitions"]) == 2
    assert "desk" in cli.ok("instances")
    cli.fails(2, "mode", "set", "loud")


def test_the_log_of_modes_goes_over_pages_that_end_early(cli):
    snapshot = json.dumps({"text": "x" * 250_000})
    for n in range(20):  # more than fits into one page
        status, _, body = cli.server.request(
            "PUT", "/api/v1/modes/desk",
            json.dumps({"mode": "parallel", "contextSnapshot": json.loads(snapshot)}),
            {"Content-Type": "application/json", "Dyad-User": cli.user})
        assert status == (201 if n == 0 else 200), body
    shown = cli.json("mode", "log", "--limit", "20")
    assert [one["syncVersion"] for one in shown["transitions"]] == list(range(20, 0, -1))


def test_status_shows_the_indicator_but_not_in_inspired_mode(cli):
    assert cli.ok("status").rstrip().endswith("[📡 Sync] [✓ 3/3 Sync]")
    cli.ok("mode", "set", "inspired", "--instance", "desk")
    assert "3/3 Sync" not in cli.ok("status", "--instance", "desk")
    assert cli.json("status", "--instance", "desk")["indicatorHidden"] is True
    assert cli.json("status")["isFullyOperational"] is True


def test_responses(cli):
    record = {"chatId": "c", "messageId": "m", "mode": "parallel", "sourceType": "harmonized",
              "provider": "openai", "model": "x", "responseText": "hi", "confidence": 0}
    cli.ok("response", "add", json.dumps(record))
    shown = cli.ok("response", "show", "c", "m")
    assert "0.00" in shown and "openai" in shown, "a confidence of 0 is one"
    assert len(cli.json("response", "ls")["responses"]) == 1
    cli.fails(4, "response", "show", "c", "another")
    cli.fails(1, "response", "add", '{"chatId":"c"}')


def test_events_and_their_token(cli):
    for n in range(3):
        cli.ok("context", "set", "k", f'{{"n":{n}}}')
    first = cli.run("events", "--json", "--limit", "2")
    assert [json.loads(line)["offset"] for line in first.stdout.splitlines()] == [2, 3]
    token = json.loads(first.stderr)["position"]
    cli.ok("context", "set", "k", '{"n":9}')
    later = cli.run("events", "--json", "--since", token)
    assert [json.loads(line)["offset"] for line in later.stdout.splitlines()] == [4]
    assert "k updated, version 4" in cli.ok("events")
    cli.fails(4, "events", "--since", "0123456789abcdef.2.0123456789abcdef")


def lines_of(process):
    """Reads lines in the background; the list grows."""
    import threading
    lines = []

    def read():
        for line in process.stdout:
            lines.append(line)
    threading.Thread(target=read, daemon=True).start()
    return lines


def test_follow_goes_on_over_a_crash_of_the_server(make_server):
    server = make_server().start()
    cli = Cli(server, "follower")
    cli.ok("context", "set", "k", '{"n":0}')
    follower = cli.spawn("events", "--follow", "--json", "--since", "0")
    try:
        lines = lines_of(follower)
        wait_until(lambda: len(lines) == 1, what="the first event")
        cli.ok("context", "set", "k", '{"n":1}')
        wait_until(lambda: len(lines) == 2, what="a live event")
        server.kill()
        server.start()
        cli.ok("context", "set", "k", '{"n":2}')
        cli.ok("context", "set", "k", '{"n":3}')
        wait_until(lambda: len(lines) == 4, 20, what="the events after the crash")
        assert [json.loads(line)["offset"] for line in lines] == [1, 2, 3, 4]
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 0
        assert json.loads(follower.stderr.read().splitlines()[-1])["position"].split(".")[1] == "4"
    finally:
        follower.kill()
        follower.wait()


def test_every_line_of_json_has_the_token_to_go_on_from(cli):
    for n in range(5):
        cli.ok("context", "set", "k", f'{{"n":{n}}}')
    lines = [json.loads(line) for line in cli.ok("events", "--json").splitlines()]
    assert [line["offset"] for line in lines] == [1, 2, 3, 4, 5]
    for line in lines:
        later = cli.ok("events", "--json", "--since", line["position"]).splitlines()
        assert [json.loads(one) for one in later] == lines[line["offset"]:]


def test_a_follower_that_is_killed_goes_on_without_a_hole_and_without_a_repetition(cli):
    seen, since = [], ["--since", "0"]
    for round_number in range(3):
        follower = cli.spawn("events", "--follow", "--json", *since)
        try:
            lines = lines_of(follower)
            for n in range(3):
                cli.ok("context", "set", "k", f'{{"n":{round_number * 3 + n}}}')
            wait_until(lambda: len(lines) >= 2, what="some events")
        finally:
            follower.kill()
            follower.wait()
        cli.ok("mode", "set", "parallel", "--of", f"away-{round_number}")
        seen += [json.loads(line) for line in lines[:2]]  # the script came as far as this
        since = ["--since", seen[-1]["position"]]
    seen += [json.loads(line) for line in cli.ok("events", "--json", *since).splitlines()]
    assert [event["offset"] for event in seen] == list(range(1, 13))


def test_following_says_where_it_began_before_anything_happens(cli):
    follower = cli.spawn("events", "--follow", "--json")
    try:
        token = json.loads(follower.stderr.readline())["position"]
    finally:
        follower.kill()
        follower.wait()
    cli.ok("context", "set", "k", "{}")
    later = cli.ok("events", "--json", "--since", token).splitlines()
    assert [json.loads(line)["offset"] for line in later] == [1]


def test_watch_goes_on_from_a_token(cli):
    for n in range(4):
        cli.ok("context", "set", "a/1", f'{{"n":{n}}}')
        cli.ok("context", "set", "b/1", f'{{"n":{n}}}')
    place = json.loads(cli.ok("events", "--json", "--since", "0").splitlines()[2])["position"]
    watcher = cli.spawn("context", "watch", "a/1", "--json", "--since", place)
    try:
        lines = lines_of(watcher)
        wait_until(lambda: len(lines) == 2, what="what was missed")
        cli.ok("context", "set", "a/1", '{"n":4}')
        wait_until(lambda: len(lines) == 3, what="what comes later")
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(10) == 0
        last = json.loads(watcher.stderr.read().splitlines()[-1])["position"]
    finally:
        watcher.kill()
        watcher.wait()
    events = [json.loads(line) for line in lines]
    assert [event["data"]["context"]["data"]["n"] for event in events] == [2, 3, 4]
    assert events[-1]["position"] == last
    cli.fails(4, "context", "watch", "--since", "0123456789abcdef.2.0123456789abcdef")


def test_watch_shows_only_what_was_asked_for(cli):
    watcher = cli.spawn("context", "watch", "--prefix", "a/", "--data-only")
    try:
        lines = lines_of(watcher)
        deadline = time.monotonic() + 10 * PATIENCE
        while not lines and time.monotonic() < deadline:
            cli.ok("context", "set", "a/1", '{"n":1}')
            cli.ok("context", "set", "b/1", '{"n":2}')
            time.sleep(0.1)
        assert lines and {line.strip() for line in lines} == {'{"n":1}'}
    finally:
        watcher.kill()
        watcher.wait()


def test_a_write_waits_for_a_server_that_comes_back_and_is_applied_once(make_server):
    server = make_server().start()
    cli = Cli(server, "patient")
    server.process.send_signal(signal.SIGSTOP)
    writer = cli.spawn("context", "set", "k", '{"n":1}', "--json")
    time.sleep(0.5)
    server.kill()
    server.start()
    out, err = writer.communicate(timeout=30 * PATIENCE)
    assert writer.returncode == 0, err
    assert json.loads(out)["version"] == 1
    events = cli.run("events", "--json").stdout.splitlines()
    assert len(events) == 1, events


def test_without_a_server_it_says_so_at_once(make_server):
    server = make_server()
    started = time.monotonic()
    for command in (["context", "ls"], ["status"], ["context", "set", "k", "{}"], ["bench"],
                    ["events", "--follow"]):
        done = Cli(server, "u").run(*command)
        assert done.returncode == 3, (command, done)
        assert "dyad-memory serve" in done.stderr
    assert time.monotonic() - started < 5 * PATIENCE


def test_what_comes_from_the_memory_does_not_drive_the_terminal(cli):
    cli.ok("context", "set", "k", json.dumps({"evil": "\x1b]0;title\x07\x9b31m\u202e"}))
    for command in (["context", "get", "k"], ["context", "ls"], ["events"],
                    ["context", "history", "k"]):
        shown = cli.ok(*command)
        assert not any(c in shown for c in "\x1b\x07\x9b\u202e"), (command, shown)


def test_users_do_not_see_each_other(cli):
    cli.ok("context", "set", "secret", "{}")
    cli.fails(4, "context", "get", "secret", "--user", "somebody else")


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_options_of_every_command_may_stand_anywhere(cli, at):
    cli.ok("context", "set", "k", "{}", "--user", "ada")
    words = ["context", "get", "k"]
    assert "k" in cli.ok(*words[:at], "--user", "ada", *words[at:])
    cli.fails(4, *words[:at], "--user", "bob", *words[at:])


@pytest.mark.parametrize("wrong, hint", [
    (["stauts"], "status"), (["context", "gte", "k"], "get"), (["serve", "--prot", "1"], "--port"),
    (["context"], "needs one of"), (["context", "get"], "KEY"), (["context", "set", "k", "{a:1}"],
                                                                 "single quotes"),
    (["status", "--url", "ftp://x"], "http://127.0.0.1:8765"), (["top"], "terminal"),
    (["status", "--timeout", "0"], "timeout"), (["status", "--env-file", "/nowhere"], "/nowhere")])
def test_wrong_usage_is_status_2_with_a_hint(cli, wrong, hint):
    assert hint in cli.fails(2, *wrong)


def test_a_full_standard_output_is_a_failure(server):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([BINARY, "config", "list"], stdout=full, stderr=subprocess.PIPE,
                              env={"PATH": os.environ["PATH"]}, check=False)
    assert done.returncode == 1 and done.stderr


def test_bench_measures_and_leaves_nothing(cli):
    result = cli.json("bench", "--seconds", "1", "--writers", "4")
    assert result["acknowledged"] > 0 and 0 < result["p50Ms"] <= result["p99Ms"]
    assert result["refused"] == 0
    assert cli.json("context", "ls")["contexts"] == []


def test_version_and_completion(cli):
    assert cli.json("version")["version"] in cli.ok("--version")
    for shell in ("bash", "zsh", "fish"):
        assert "context get" in cli.ok("completion", shell)
    script = cli.ok("completion", "bash")
    asked = script + ('\nCOMP_WORDS=(dyad-memory mode set ""); COMP_CWORD=3; _dyad_memory; '
                      'echo "${COMPREPLY[@]}"\nCOMP_WORDS=(dyad-memory con); COMP_CWORD=1; '
                      '_dyad_memory; echo "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    modes, commands = done.stdout.splitlines()
    assert {"inspired", "didactic", "parallel"} <= set(modes.split())
    assert set(commands.split()) == {"context", "conflicts", "config", "connect"}


def test_top_prints_a_line_of_json_for_each_refresh(cli):
    first, second = map(json.loads, cli.ok("top", "--json", "--count", "2").splitlines())
    assert first["reachable"] and first["indicator"] == "[📡 Sync] [✓ 3/3 Sync]"
    assert first["status"]["isFullyOperational"] is True and first["instances"] == []
    assert set(first["rates"].values()) == {None}, "one look knows no rate"
    assert second["timestamp"] >= first["timestamp"] + 900
    requests = "dyad_http_requests_total"
    assert second["metrics"][requests] > first["metrics"][requests]
    assert second["rates"]["requests"] > 0 and second["rates"]["events"] == 0
    cli.ok("mode", "set", "parallel", "--of", "desk")
    once = cli.ok("top", "--json", "--once").splitlines()
    assert [one["instanceId"] for one in json.loads(once[0])["instances"]] == ["desk"]
    assert len(once) == 1
    cli.fails(2, "top", "--json", "--once", "--count", "3")
    endless = cli.spawn("top", "--json")
    try:
        json.loads(endless.stdout.readline())
        endless.send_signal(signal.SIGINT)
        assert endless.wait(10) == 0
    finally:
        endless.kill()
        endless.wait()


def test_top_in_json_says_that_no_server_answers(make_server):
    cli = Cli(make_server(), "u")
    done = cli.run("top", "--json", "--once")
    assert done.returncode == 3
    line = json.loads(done.stdout)
    assert line["reachable"] is False and "dyad-memory serve" in line["problem"]


def test_a_port_nobody_has_is_named_in_the_url(make_server):
    port = free_port()
    done = make_server().cli("status", "--url", f"http://127.0.0.1:{port}")
    assert done.returncode == 3 and str(port) in done.stderr

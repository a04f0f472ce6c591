"""The command line against a running server."""

import json
import subprocess

import pytest

from support.cli import DroppingProxy, cli
from support.server import BINARY


@pytest.fixture
def user(request):
    return f"user-{request.node.name}"


def ok(server, user, *args, **kwargs):
    done = cli(server, *args, "--user", user, **kwargs)
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout


def ok_json(server, user, *args, **kwargs):
    return json.loads(ok(server, user, *args, "--json", **kwargs))


def test_a_context_is_set_read_and_deleted(server, user):
    written = ok_json(server, user, "context", "set", "a/b c", '{"n":1}', "--type", "project",
                      "--tag", "x", "--tag", "y")
    assert written["version"] == 1 and written["position"]
    read = ok_json(server, user, "context", "get", "a/b c")
    assert read["data"] == {"n": 1} and read["tags"] == ["x", "y"]
    assert read["contextType"] == "project" and read["lastModifiedBy"].startswith("cli-")
    assert "deleted" in ok(server, user, "context", "rm", "a/b c")
    assert cli(server, "context", "get", "a/b c", "--user", user).returncode == 4


def test_a_key_may_be_named_like_a_command(server, user):
    for key in ("status", "ls", "context", "get"):
        ok(server, user, "context", "set", key, '{"key":true}')
        assert ok_json(server, user, "context", "get", key)["contextKey"] == key


def test_data_comes_from_standard_input_or_a_file_and_goes_into_pipes(server, user, tmp_path):
    ok(server, user, "context", "set", "one", "-", stdin='{"from":"stdin"}')
    data = ok(server, user, "context", "get", "one", "--data-only", "--json")
    assert data == '{"from":"stdin"}\n'
    ok(server, user, "context", "set", "two", "-", stdin=data)
    path = tmp_path / "data.json"
    path.write_text('{"from":"file"}')
    ok(server, user, "context", "set", "three", f"@{path}")
    assert ok_json(server, user, "context", "get", "two", "--data-only") == {"from": "stdin"}
    assert ok_json(server, user, "context", "get", "three", "--data-only") == {"from": "file"}


def test_what_is_stored_is_replaced_knowingly_only(server, user):
    ok(server, user, "context", "set", "k", '{"n":1}')
    refused = cli(server, "context", "set", "k", '{"n":2}', "--user", user)
    assert refused.returncode == 5 and "--if-version 1" in refused.stderr, refused.stderr
    as_json = cli(server, "context", "set", "k", '{"n":2}', "--user", user, "--json")
    assert as_json.returncode == 5 and json.loads(as_json.stderr)["code"] == "version_conflict"
    assert as_json.stdout == ""
    assert ok_json(server, user, "context", "set", "k", '{"n":2}', "--if-version", "1")[
        "version"] == 2
    assert cli(server, "context", "set", "k", "{}", "--if-version", "1", "--user",
               user).returncode == 5
    assert ok_json(server, user, "context", "set", "k", '{"n":3}', "--force")["version"] == 3


def test_merge_leaves_conflicts_that_can_be_resolved(server, user):
    ok(server, user, "context", "set", "k", '{"a":1,"b":1}')
    ok(server, user, "context", "set", "k", '{"a":2,"b":1}', "--if-version", "1")
    merged = ok_json(server, user, "context", "merge", "k", '{"a":3,"b":2}', "--if-version", "1")
    assert merged["context"]["data"] == {"a": 2, "b": 2}
    conflict = merged["conflicts"][0]["id"]
    assert conflict in ok(server, user, "conflicts", "ls")
    assert "/a" in ok(server, user, "conflicts", "show", conflict)
    assert cli(server, "conflicts", "resolve", conflict, "--user", user).returncode == 2
    resolved = ok_json(server, user, "conflicts", "resolve", conflict, "incoming")
    assert resolved["context"]["data"] == {"a": 3, "b": 2}
    assert ok_json(server, user, "conflicts", "ls") == {"conflicts": []}
    assert cli(server, "conflicts", "show", conflict, "--user", user).returncode == 4


def test_patches_of_both_kinds(server, user):
    ok(server, user, "context", "set", "k", '{"a":1,"list":[1]}')
    ok(server, user, "context", "patch", "k", '{"a":null}')
    ok(server, user, "context", "patch", "k", '[{"op":"add","path":"/list/-","value":2}]')
    assert ok_json(server, user, "context", "get", "k", "--data-only") == {"list": [1, 2]}
    failed = cli(server, "context", "patch", "k", '[{"op":"test","path":"/list","value":0}]',
                 "--user", user)
    assert failed.returncode == 5, failed


def test_history_and_restore(server, user):
    for n in range(1, 4):
        ok(server, user, "context", "set", "k", json.dumps({"n": n}), "--force")
    versions = ok_json(server, user, "context", "history", "k")["versions"]
    assert [version["context"]["data"]["n"] for version in versions] == [3, 2, 1]
    assert ok_json(server, user, "context", "get", "k", "--version", "1")["data"] == {"n": 1}
    assert ok_json(server, user, "context", "restore", "k", "1")["version"] == 4
    assert ok_json(server, user, "context", "get", "k", "--data-only") == {"n": 1}


def test_lists_are_filtered_and_paged(server, user):
    for n in range(7):
        ok(server, user, "context", "set", f"p/{n}", "{}", "--type", "chat" if n % 2 else "custom")
    assert len(ok_json(server, user, "context", "ls", "--type", "chat")["contexts"]) == 3
    first = cli(server, "context", "ls", "--limit", "5", "--user", user)
    assert "--cursor" in first.stderr
    page = ok_json(server, user, "context", "ls", "--limit", "5")
    rest = ok_json(server, user, "context", "ls", "--cursor", page["next"])
    keys = [context["contextKey"] for context in page["contexts"] + rest["contexts"]]
    assert keys == [f"p/{n}" for n in range(7)] and rest["next"] is None
    assert len(ok_json(server, user, "context", "ls", "--all")["contexts"]) == 7


def test_search_finds_words(server, user):
    ok(server, user, "context", "set", "k", '{"text":"the quick brown fox"}')
    assert "k" in ok(server, user, "context", "search", "brown")
    nothing = cli(server, "context", "search", "zebra", "--user", user)
    assert nothing.returncode == 0 and nothing.stdout == ""


def test_modes_instances_and_responses(server, user):
    ok(server, user, "mode", "set", "didactic", "desk-1")
    ok(server, user, "mode", "set", "parallel", "desk-1", "--configuration", '{"models":["a"]}')
    mode = ok_json(server, user, "mode", "get", "desk-1")
    assert mode["currentMode"] == "parallel" and mode["previousMode"] == "didactic"
    assert mode["configuration"] == {"models": ["a"]}
    assert "desk-1" in ok(server, user, "instances")
    assert len(ok_json(server, user, "mode", "ls", "--transitions")["transitions"]) == 2
    assert cli(server, "mode", "get", "nobody", "--user", user).returncode == 4
    record = {"chatId": "1", "messageId": "2", "mode": "didactic", "sourceType": "external",
              "provider": "p", "model": "m", "responseText": "hidden text"}
    ok(server, user, "response", "add", "-", stdin=json.dumps(record))
    shown = ok(server, user, "response", "show", "1", "2")
    assert "p/m" in shown and "hidden" not in shown
    assert "p/m" in ok(server, user, "response", "ls")
    assert cli(server, "response", "show", "1", "3", "--user", user).returncode == 4


def test_a_write_whose_answer_is_lost_is_sent_again_and_applied_once(server, user):
    proxy = DroppingProxy(server.port, drops=2)
    try:
        done = server.cli("context", "set", "k", '{"n":1}', "--user", user, "--json", "--url",
                          f"http://127.0.0.1:{proxy.port}")
    finally:
        proxy.close()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == 1
    keys = {line for request in proxy.requests for line in request.split(b"\r\n")
            if line.lower().startswith(b"idempotency-key")}
    assert len(proxy.requests) == 3 and len(keys) == 1, proxy.requests
    assert len(ok_json(server, user, "events", "--since", "0")["events"]) == 1


def test_wrong_use_says_what_is_meant(server):
    for arguments, text in ((["stauts"], "did you mean status"),
                            (["context", "get"], "KEY"),
                            (["context", "set", "k", "[1]"], "object"),
                            (["context", "set", "k", "{bad"], "JSON"),
                            (["context", "set", "k", "@/nonexistent"], "cannot be opened"),
                            (["status", "--timeout", "0"], "from 1"),
                            (["status", "--url", "ftp://x"], "http://")):
        done = server.cli(*arguments)
        assert done.returncode == 2 and text in done.stderr, (arguments, done)
        assert done.stdout == ""


def test_no_server_is_told_from_all_else(make_server):
    absent = make_server()
    for arguments in (["status"], ["context", "ls"], ["events", "--follow"], ["bench"],
                      ["context", "set", "k", "{}"]):
        done = cli(absent, *arguments)
        assert done.returncode == 3, (arguments, done)
        assert "dyad-memory serve" in done.stderr or "nothing answers" in done.stderr, done.stderr
    assert "[✗ 0/3 Sync]" in cli(absent, "status").stdout


def test_output_has_no_colours_where_it_is_no_terminal(server, user):
    ok(server, user, "context", "set", "k", '{"x":"\\u001b[31mred"}')
    for arguments in (["context", "get", "k"], ["status"], ["events"], ["context", "ls"]):
        assert "\x1b" not in ok(server, user, *arguments), arguments


def test_a_closed_pipe_ends_it_quietly(server):
    done = subprocess.run(["bash", "-c", f"'{BINARY}' config list | head -1"],
                          capture_output=True, text=True, env=server.environment(), timeout=30)
    assert done.stdout.count("\n") == 1 and done.stderr == ""

"""Keys and identities that are awkward to name, from the command line."""

import pytest

from support.command_line import Cli


@pytest.fixture
def cli(server, request):
    """A user of its own for each test."""
    return Cli(server, request.node.name)


def test_any_key_is_reached_and_those_that_look_alike_are_told_apart(cli):
    for key in ("..", ".", "a/b", "a//b", "?#%"):
        cli.ok("context", "set", key, '{"n":1}')
        assert cli.json("context", "get", key)["contextKey"] == key
        assert len(cli.json("context", "history", key)["versions"]) == 1
        cli.ok("context", "rm", key)
    cli.ok("context", "set", "Jos\u00e9", "{}")
    cli.ok("context", "set", "Jose\u0301", "{}")
    shown = cli.ok("context", "ls")
    assert "Jos\u00e9 " in shown and "Jose\\u0301 " in shown
    assert {one["contextKey"] for one in cli.json("context", "ls")["contexts"]} == \
        {"Jos\u00e9", "Jose\u0301"}, "programs get the key itself"
    cli.ok("mode", "set", "parallel", "--of", "..")
    assert cli.json("mode", "get", "--of", "..")["instanceId"] == ".."


def test_who_is_meant_is_refused_where_it_looks_like_another_one(cli):
    for bad in (" carol", "carol ", "carol\u00a0", "car\u200bol", "\ufeffcarol", "Jose\u0301",
                "car\u202eol", "a\nb"):
        for flag in ("--user", "--instance"):
            error = cli.fails(2, "context", "ls", flag, bad)
            assert "begins or ends" in error or "invisible" in error or "normal" in error \
                or "control" in error, error
        assert "DISTRIBUTED_USER_ID" in cli.fails(2, "context", "ls",
                                                  env={"DISTRIBUTED_USER_ID": bad})

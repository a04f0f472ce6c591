"""`dyad-memory bridge --once`, --dry-run and --status: what is shared, and what is left alone."""

import json
import os
import random
import subprocess

import pytest

from support.bridge import (BEGIN, END, PROJECT, block, context_of, inner, key_of, share, shared,
                            unshare)
from support.cli import DroppingProxy
from support.server import BINARY, wait_until


def tree(*folders):
    """Everything that can be seen of some folders."""
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino, path.lstat().st_mode,
                        path.read_bytes() if path.is_file() else None)
            for folder in folders for path in sorted(folder.rglob("*"))}


def test_a_block_goes_to_another_machine_and_comes_back(server, machine):
    a, b = machine("a"), machine("b")
    a.write(block("one\ntwo\n", "# mine\n", "rest"))
    assert "CLAUDE.md: sent" in a.once()
    context = context_of(server, "CLAUDE.md")
    assert context["data"] == {"text": "one\ntwo\n"}
    assert (context["contextType"], context["tags"]) == ("project", ["bridge"])
    assert context.get("expiresAt") is None
    assert "CLAUDE.md: received" in b.once()
    assert inner(b.read()) == "one\ntwo\n"
    b.write(b.read().replace("two\n", "two\nthree\n"))
    b.once()
    a.write(a.read().replace("one\n", "ONE\n"))
    assert "CLAUDE.md: merged" in a.once()
    b.once()
    assert inner(a.read()) == inner(b.read()) == shared(server) == "ONE\ntwo\nthree\n"
    assert a.read() == block("ONE\ntwo\nthree\n", "# mine\n", "rest")
    assert a.once() == ""


def test_a_dry_run_changes_nothing(server, machine):
    a = machine("a")
    a.write(block("same\nhere\n", "x\n"))
    before = tree(a.folder, a.home), server.get("/api/v1/events")[2]
    assert "CLAUDE.md: changed here" in a.run("--dry-run").stdout
    assert "changed here" in a.run("--status").stdout
    assert (tree(a.folder, a.home), server.get("/api/v1/events")[2]) == before
    a.once()
    a.write(block("same\nhere too\n", "x\n"))
    share(server, "there\nsame\nhere\n")
    share(server, "new\n", "AGENTS.md")
    before = tree(a.folder, a.home), server.get("/api/v1/events")[2]
    done = a.run("--dry-run")
    assert (tree(a.folder, a.home), server.get("/api/v1/events")[2]) == before
    assert "CLAUDE.md: changed on both sides\n" in done.stdout
    assert "+there\n" in done.stdout and "-here\n+here too\n" in done.stdout
    assert "--- AGENTS.md\n+++ AGENTS.md\n@@ -0,0 +1,3 @@\n" in done.stdout
    line = next(json.loads(line) for line in a.run("--dry-run", "--json").stdout.splitlines()
                if '"CLAUDE.md"' in line)
    assert line["contextKey"] == key_of("CLAUDE.md") and line["sharedDiff"].startswith("--- file:")
    # What it shows is what happens.
    a.once()
    assert inner(a.read()) == shared(server) == "there\nsame\nhere too\n"


def test_what_is_outside_of_the_block_keeps_its_bytes(server, machine):
    a = machine("a")
    dice = random.Random(14)
    pieces = ["a", "é", " ", "\t", "\r\n", "\n", "\r", "<!--", "\ufeff"]
    for turn in range(12):
        before, after = ("".join(dice.choice(pieces) for _ in range(dice.randrange(60)))
                         for _ in range(2))
        a.write(block(f"turn {turn}\n", before + "\n", after))
        a.once()
        share(server, f"from there {turn}\nmore\n")
        a.once()
        assert a.read() == block(f"from there {turn}\nmore\n", before + "\n", after)


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_files_keep_the_ends_of_their_lines(server, machine, eol):
    a, b = machine("a"), machine("b")
    a.write(block("one\ntwo\n", f"x{eol}", eol=eol))
    a.once()
    assert shared(server) == "one\ntwo\n"
    b.write("b\n")
    b.once()
    b.write(b.read().replace("two", "two\nthree"))
    b.once()
    a.once()
    assert a.read() == block("one\ntwo\nthree\n", f"x{eol}", eol=eol)


def test_a_whole_file_keeps_its_missing_last_newline(server, machine):
    a, b = machine("a"), machine("b")
    a.write("---\nalwaysApply: true\n---\nrule", ".cursor/rules/deep/one.mdc")
    a.once()
    b.once()
    assert b.read(".cursor/rules/deep/one.mdc") == "---\nalwaysApply: true\n---\nrule"
    share(server, "no end")
    b.once()
    assert inner(b.read()) == "no end\n"
    b.once()
    assert shared(server) == "no end"
    b.write(b.read().replace("no end\n", "begin\nno end\n"))
    b.once()
    assert shared(server) == "begin\nno end"


def test_mode_and_symbolic_link_stay(server, machine):
    a = machine("a")
    a.write(block("one\n"), "real/notes.md")
    a.path("real/notes.md").chmod(0o640)
    a.path("CLAUDE.md").symlink_to("real/notes.md")
    a.once()
    share(server, "two\n")
    a.once()
    assert a.path().is_symlink() and os.readlink(a.path()) == "real/notes.md"
    assert inner(a.read("real/notes.md")) == "two\n"
    assert a.path("real/notes.md").stat().st_mode & 0o7777 == 0o640
    assert sorted(path.name for path in a.path("real").iterdir()) == ["notes.md"]


def test_a_conflict_is_kept_shown_and_decided_by_the_file(server, machine):
    a = machine("a")
    a.write(block("top\n-\nfirst\n-\nend\n"))
    a.once()
    a.write(block("TOP\n-\nmine\n-\nend\n"))
    share(server, "top\n-\ntheirs\n-\nend\nmore\n")
    assert "CLAUDE.md: conflict" in a.once(status=5)
    # Everything else was merged, the conflict was not.
    for _ in range(2):
        assert inner(a.read()) == "TOP\n-\nmine\n-\nend\nmore\n"
        assert shared(server) == "TOP\n-\ntheirs\n-\nend\nmore\n"
        assert "mine" in a.conflict() and "theirs" in a.conflict() and "first" in a.conflict()
        a.once(status=5)
    assert "conflict" in a.run("--status").stdout
    # An edit elsewhere in the file decides nothing.
    a.write(a.read().replace("end\n", "END\n"))
    a.once(status=5)
    assert "theirs" in shared(server) and "END" in shared(server)
    # What was written there since it was shown is not overwritten unseen.
    before = shared(server)
    share(server, before.replace("theirs", "newer"))
    a.path("CLAUDE.md.dyad-conflict").unlink()
    a.once(status=5)
    assert "newer" in shared(server) and "newer" in a.conflict()
    a.write(a.read().replace("mine", "decided"))
    a.path("CLAUDE.md.dyad-conflict").unlink()
    a.once()
    assert inner(a.read()) == shared(server)
    assert "decided" in shared(server) and "newer" not in shared(server)
    assert a.conflict() is None
    assert a.once() == ""


def test_a_conflict_is_over_when_the_sides_agree(server, machine):
    a = machine("a")
    a.write(block("first\n"))
    a.once()
    a.write(block("mine\n"))
    share(server, "theirs\n")
    a.once(status=5)
    share(server, "mine\n")
    a.once()
    assert a.conflict() is None and inner(a.read()) == shared(server) == "mine\n"


def test_two_files_that_meet_for_the_first_time_lose_nothing(server, machine):
    a = machine("a")
    share(server, "common\ntheirs\n")
    a.write(block("common\nmine\n"))
    a.once(status=5)
    assert inner(a.read()) == "common\nmine\n" and shared(server) == "common\ntheirs\n"
    a.once(status=5)
    a.write(block("common\nmine\ntheirs\n"))
    a.path("CLAUDE.md.dyad-conflict").unlink()
    a.once()
    assert shared(server) == "common\nmine\ntheirs\n"


def test_what_is_deleted_on_one_side_stays_on_the_other(server, machine):
    a = machine("a")
    a.write(block("one\n", "x\n"))
    a.write("rule\n", ".cursor/rules/one.mdc")
    a.once()
    a.write("x\n")
    a.path(".cursor/rules/one.mdc").unlink()
    assert "CLAUDE.md: gone here" in a.once()
    assert shared(server) == "one\n" and shared(server, ".cursor/rules/one.mdc") == "rule\n"
    share(server, "one\ntwo\n")
    a.once()
    assert a.read() == "x\n" and a.read(".cursor/rules/one.mdc") is None
    a.once("--restore")
    assert inner(a.read()) == "one\ntwo\n" and a.read(".cursor/rules/one.mdc") == "rule\n"
    unshare(server)
    assert "CLAUDE.md: gone there" in a.once()
    assert shared(server) is None and inner(a.read()) == "one\ntwo\n"
    # An edit shares it again.
    a.write(block("one\ntwo\nthree\n"))
    a.once()
    assert shared(server) == "one\ntwo\nthree\n"


def test_with_delete_it_goes_on_both_sides_unless_it_was_changed(server, machine):
    a = machine("a")
    rule = ".cursor/rules/one.mdc"
    a.write(block("one\n", "x\n"))
    a.write("rule\n", rule)
    a.once()
    unshare(server)
    a.path(rule).unlink()
    a.once("--delete")
    assert a.read() == "x\n" and shared(server, rule) is None
    a.write("rule\n", rule)
    a.once("--delete")
    assert shared(server, rule) == "rule\n"
    a.path(rule).unlink()
    share(server, "rule\nnew\n", rule)
    a.once("--delete")
    assert a.read(rule) == "rule\nnew\n"
    unshare(server, rule)
    a.once("--delete")
    assert a.read(rule) is None


def test_an_emptied_file_counts_as_deleted(server, machine):
    a = machine("a")
    a.write("rule\n", ".cursor/rules/one.mdc")
    a.once()
    a.write("", ".cursor/rules/one.mdc")
    a.once()
    assert shared(server, ".cursor/rules/one.mdc") == "rule\n"


@pytest.mark.parametrize("content, why", [
    (b"\xff\xfe bad \x80", "UTF-8"),
    (BEGIN.encode() + b"\na\n", "one pair"),
    (f"{BEGIN}\na\n{END}\n{BEGIN}\nb\n{END}\n".encode(), "one pair"),
    (block("x" * 270_000 + "\n").encode(), "document_bytes_max allows 262144"),
    (b"a" * 1_100_000, "bytes, and may have 1048576"),
    (b"a\0b", "NUL"),
])
def test_a_file_that_cannot_be_shared_is_named_and_left(server, machine, content, why):
    a = machine("a")
    a.write(content)
    a.write(block("other\n"), "AGENTS.md")
    out = a.once(status=1)
    assert "CLAUDE.md: skipped" in out and why in out
    assert a.path().read_bytes() == content
    assert shared(server) is None and shared(server, "AGENTS.md") == "other\n"
    # It is repeated for as long as it is so.
    assert "CLAUDE.md: skipped" in a.once(status=1)
    a.write(block("good\n"))
    a.once()
    assert shared(server) == "good\n"


def test_a_read_only_file_and_hard_links_are_not_replaced(server, machine):
    a = machine("a")
    a.write(block("one\n"))
    a.write(block("two\n"), "AGENTS.md")
    a.once()
    a.path().chmod(0o444)
    os.link(a.path("AGENTS.md"), a.path("copy"))
    share(server, "new\n")
    share(server, "new\n", "AGENTS.md")
    out = a.once(status=1)
    assert "read-only" in out and "hard links" in out
    assert inner(a.read()) == "one\n" and inner(a.read("AGENTS.md")) == "two\n"


@pytest.mark.parametrize("name", ["../evil.md", "/tmp/evil.mdc", ".cursor/rules/../../../evil.mdc",
                                  "claude-memory/../../evil.md", ".bashrc", "src/main.c"])
def test_no_key_leads_out_of_the_known_places(server, machine, name):
    a = machine("a")
    (a.home / ".claude").mkdir()
    share(server, "evil\n", name)
    share(server, "a shared text with\n" + BEGIN + "\nin it\n", "AGENTS.md")
    before = tree(a.folder)
    out = a.once(status=1)
    assert "AGENTS.md: skipped" in out and "marker" in out
    assert tree(a.folder) == before
    assert not list(a.folder.parent.rglob("*evil*"))


def test_members_that_others_gave_the_context_stay(server, machine):
    a = machine("a")
    share(server, "one\n", note="kept")
    a.once()
    a.write(block("two\n"))
    a.once()
    assert context_of(server, "CLAUDE.md")["data"] == {"text": "two\n", "note": "kept"}
    status, _, _ = server.request(
        "PUT", "/api/v1/context?contextKey=file%3Ap%2FCLAUDE.md",
        '{"data":{"text":7},"force":true}', {"Content-Type": "application/json"})
    assert status == 200
    assert "data.text must be a string" in a.once(status=1)


def test_another_memory_is_told_what_the_first_one_had(server, machine, make_server):
    a = machine("a")
    a.write(block("one\n"))
    a.once()
    other = make_server().start()
    a.server = other
    a.once()
    assert shared(other) == "one\n"
    # The same address, and an empty folder behind it.
    other.kill()
    fresh = make_server(port=other.port).start()
    a.server = fresh
    assert "CLAUDE.md: sent" in a.once()
    assert shared(fresh) == "one\n" and inner(a.read()) == "one\n"


def test_adopt_makes_a_block_of_what_a_file_holds(server, machine):
    a = machine("a")
    a.write("one\r\ntwo")
    assert a.once() == "" and shared(server) is None
    assert "no block" in a.run("--status").stdout
    a.once("--adopt")
    assert shared(server) == "one\ntwo\n"
    lines = a.read().split("\r\n")
    assert lines[1:3] == ["one", "two"] and lines[0].startswith("<!-- dyad-memory:begin")


def test_whole_and_file_say_what_is_shared(server, machine):
    a = machine("a")
    a.write("all of it", "docs/notes.md")
    a.write(block("one\n"))
    a.once("--whole", "--file", "docs/notes.md")
    assert shared(server, "docs/notes.md") == "all of it" and shared(server) is None
    assert "holds a block" in a.once("--whole", status=1)
    assert a.run("--once", "--file", "../x").returncode == 2


def test_the_memory_folder_of_claude_code(server, machine):
    a, b = machine("a"), machine("b")
    for one in (a, b):
        (one.home / ".claude").mkdir()
    slug = "".join(c if c.isalnum() else "-" for c in str(a.folder.resolve()))
    memory = a.home / ".claude/projects" / slug / "memory"
    memory.mkdir(parents=True)
    (memory / "MEMORY.md").write_text("- [a](a.md)\n")
    (memory / "a.md").write_text("---\ntype: user\n---\nlikes tea")
    a.once()
    b.once()
    slug = "".join(c if c.isalnum() else "-" for c in str(b.folder.resolve()))
    there = b.home / ".claude/projects" / slug / "memory"
    assert (there / "a.md").read_text() == "---\ntype: user\n---\nlikes tea"
    assert (there / "MEMORY.md").read_text() == "- [a](a.md)\n"


def test_the_project_is_called_as_its_remote(server, machine):
    a = machine("a")
    a.write(block("one\n"))
    subprocess.run(["git", "init", "-q", str(a.folder)], check=True)
    subprocess.run(["git", "-C", str(a.folder), "remote", "add", "origin",
                    "git@example.com:ada/notes.git"], check=True)
    done = a.run(command=[BINARY, "bridge", "--once"])
    assert done.returncode == 0, done.stderr
    status, _, body = server.get("/api/v1/contexts?prefix=file%3Aexample.com%2Fada%2Fnotes%2F")
    assert [context["contextKey"] for context in json.loads(body)["contexts"]] == \
        ["file:example.com/ada/notes/CLAUDE.md"]


def test_one_bridge_at_a_time_has_a_folder(machine):
    a = machine("a").start()
    a.wait_connected()
    done = a.run("--once")
    assert done.returncode == 1 and "another bridge is at work" in done.stderr
    assert a.run("--status").returncode == 0
    assert a.stop() == 0


def test_usage_and_reach(server, machine, make_server):
    a = machine("a")
    assert a.run("--once", "--root", "/nowhere").returncode == 2
    done = a.run("--help")
    assert done.returncode == 0 and "dyad-memory:begin" in done.stdout
    gone = make_server()
    a.server = gone
    assert a.run("--once").returncode == 3
    complete = a.run(command=[BINARY, "complete", "bash", "dyad-memory bridge --", ""])
    assert "--dry-run" in complete.stdout and "--project" in complete.stdout
    assert PROJECT == "p"


def test_a_write_whose_answer_was_lost_is_known_after_a_kill(server, machine):
    a = machine("a")
    a.write(block("one\n"))
    proxy = DroppingProxy(server.port, drops=0)
    a.port = proxy.port
    a.once()
    proxy.drops = 10_000
    a.write(block("one\nmine\n"))
    a.start("--once")
    wait_until(lambda: shared(server) == "one\nmine\n", what=a.log())
    a.kill()
    # The line is edited again before the bridge knows what became of it; another one writes, too.
    a.write(block("one\nmine, edited\n"))
    share(server, "zero\none\nmine\n")
    proxy.drops = 0
    a.once()
    assert inner(a.read()) == shared(server) == "zero\none\nmine, edited\n"
    proxy.close()


def test_a_write_that_is_sent_again_is_applied_once(server, machine):
    a = machine("a")
    proxy = DroppingProxy(server.port, drops=2)
    a.port = proxy.port
    a.write(block("one\n"))
    a.once()
    assert context_of(server, "CLAUDE.md")["version"] == 1
    writes = [request for request in proxy.requests if request.startswith(b"PUT")]
    keys = {line for request in writes for line in request.split(b"\r\n")
            if line.lower().startswith(b"idempotency-key")}
    assert len(writes) == 3 and len(keys) == 1
    proxy.close()

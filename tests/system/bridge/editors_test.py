"""`dyad-memory bridge` as it goes on: every way in which editors write, in both directions."""

import json
import os
import re
import subprocess
import time

import pytest

from support.bridge import block, context_of, inner, share, shared
from support.server import wait_until


def rename_over(path, text):
    fresh = path.with_name("fresh")
    with open(fresh, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def truncate_and_write(path, text):
    path.write_text(text)


def in_parts(path, text):
    """Truncated, and written slowly: nobody may take a part for the whole."""
    with open(path, "w", buffering=1) as file:
        for line in text.splitlines(keepends=True):
            time.sleep(0.25)
            file.write(line)
            file.flush()


def in_parts_reopened(path, text):
    path.write_text("")
    for line in text.splitlines(keepends=True):
        with open(path, "a") as file:
            file.write(line)
        time.sleep(0.03)


def with_backup(path, text):
    """As vim does: the old file gets another name, the new one is written, the backup goes."""
    backup = path.with_name(path.name + "~")
    os.rename(path, backup)
    time.sleep(0.2)
    path.write_text(text)
    time.sleep(0.05)
    backup.unlink()


def deleted_and_made_again(path, text):
    path.unlink()
    time.sleep(0.4)
    path.write_text(text)


def hard_link_backup(path, text):
    backup = path.with_name(path.name + ".bak")
    os.link(path, backup)
    rename_over(path, text)
    backup.unlink()


def by_sed(path, text):
    before = path.read_text().splitlines()
    for number, (old, new) in enumerate(zip(before, text.splitlines()), 1):
        if old != new:
            subprocess.run(["sed", "-i", f"{number}s/.*/{new}/", str(path)], check=True)


EDITORS = [rename_over, truncate_and_write, in_parts, in_parts_reopened, with_backup,
           deleted_and_made_again, hard_link_backup, by_sed]
LINES = "".join(f"line {number}\n" for number in range(6))


def versions(server, name="CLAUDE.md"):
    return context_of(server, name)["version"]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("editor", EDITORS, ids=lambda editor: editor.__name__)
def test_an_editor_writes_while_the_memory_changes(server, machine, editor, whole):
    a = machine("a")
    wrap = (lambda text: text) if whole else (lambda text: block(text, "# mine\n", "rest"))
    a.write(wrap(LINES))
    a.start("--delete", *(["--whole"] if whole else []))
    wait_until(lambda: shared(server) == LINES, what=a.log())
    editor(a.path(), wrap(LINES.replace("line 1", "mine")))
    wanted = LINES.replace("line 1", "mine")
    wait_until(lambda: shared(server) == wanted, 15, what=f"{shared(server)!r} {a.log()}")
    # One save is one version: no half of it was ever shared. Whoever closes the file between the
    # parts, and takes longer than files need to settle, has saved each of them.
    assert versions(server) == 2 or editor is in_parts_reopened
    share(server, wanted.replace("line 4", "theirs"))
    editor(a.path(), wrap(wanted.replace("line 0", "again"))) if editor is truncate_and_write \
        else None
    wait_until(lambda: "theirs" in a.read(), 15, what=a.log())
    text = a.read() if whole else inner(a.read())
    wait_until(lambda: shared(server) == text and "theirs" in text, 15, what=a.log())
    if not whole:
        assert a.read().startswith("# mine\n") and a.read().endswith("rest")
    closed_between = "one pair" in a.log() and editor is in_parts_reopened
    assert not re.search("conflict|skipped|gone", a.log()) or closed_between, a.log()
    assert a.stop() == 0


def test_a_file_that_is_open_for_writing_is_not_replaced(server, machine):
    a = machine("a")
    a.write(block("one\n"))
    a.write(block("other\n"), "AGENTS.md")
    a.start()
    wait_until(lambda: shared(server) == "one\n", what=a.log())
    with open(a.path(), "a") as file:
        share(server, "one\ntwo\n")
        share(server, "other\nmore\n", "AGENTS.md")
        wait_until(lambda: "more" in a.read("AGENTS.md"), 15, what=a.log())
        wait_until(lambda: "open for writing" in a.log(), 15, what=a.log())
        time.sleep(0.5)
        assert inner(a.read()) == "one\n"
        file.write("written late\n")
    wait_until(lambda: "two" in a.read(), 15, what=a.log())
    assert a.read() == block("one\ntwo\n", after="written late\n")


def test_both_files_of_a_link_and_a_new_folder_are_followed(server, machine):
    a = machine("a")
    a.write(block("one\n"), "AGENTS.md")
    a.path("CLAUDE.md").symlink_to("AGENTS.md")
    a.start()
    wait_until(lambda: shared(server) == shared(server, "AGENTS.md") == "one\n", what=a.log())
    share(server, "one\ntwo\n")
    wait_until(lambda: shared(server, "AGENTS.md") == "one\ntwo\n", 15, what=a.log())
    a.write("rule\n", ".cursor/rules/late/one.mdc")
    wait_until(lambda: shared(server, ".cursor/rules/late/one.mdc") == "rule\n", 15, what=a.log())
    share(server, "other\n", ".cursor/rules/two.mdc")
    wait_until(lambda: a.read(".cursor/rules/two.mdc") == "other\n", 15, what=a.log())


def test_a_conflict_is_shown_live_and_decided(server, machine):
    a = machine("a")
    a.write(block("first\n"))
    a.start()
    wait_until(lambda: shared(server) == "first\n", what=a.log())
    with open(a.path(), "r+") as file:  # nothing is synced meanwhile
        share(server, "theirs\n")
        file.write(block("mine\n"))
        file.truncate()
    wait_until(a.conflict, 15, what=a.log())
    assert inner(a.read()) == "mine\n" and shared(server) == "theirs\n"
    a.path().write_text(block("mine and theirs\n"))
    time.sleep(1)
    assert shared(server) == "theirs\n"
    a.path("CLAUDE.md.dyad-conflict").unlink()
    wait_until(lambda: shared(server) == "mine and theirs\n", 15, what=a.log())
    assert a.conflict() is None


def test_the_server_goes_and_comes_back(server, machine):
    a, b = machine("a"), machine("b")
    a.write(block(LINES))
    a.start()
    b.start()
    wait_until(lambda: b.read() and inner(b.read()) == LINES, 15, what=b.log())
    server.kill()
    a.edit(lambda text: text.replace("line 1", "from a"))
    b.edit(lambda text: text.replace("line 4", "from b"), by_rename=True)
    wait_until(lambda: "connection is lost" in a.log() + b.log(), 15, what=a.log())
    time.sleep(0.5)
    server.start()
    wanted = LINES.replace("line 1", "from a").replace("line 4", "from b")
    wait_until(lambda: inner(a.read()) == inner(b.read()) == shared(server) == wanted, 30,
               what=a.log() + b.log())
    assert a.stop() == 0 and b.stop() == 0


def test_what_was_written_in_inspired_mode_waits_until_it_is_left(server, machine):
    a = machine("a")
    a.write(block("one\n"))
    a.start()
    wait_until(lambda: shared(server) == "one\n", what=a.log())
    for mode, text in (("inspired", "one\nprivate\n"), ("didactic", "one\nprivate\n")):
        status, _, _ = server.request("PUT", "/api/v1/mode?instanceId=a", f'{{"mode":"{mode}"}}',
                                      {"Content-Type": "application/json"})
        assert status in (200, 201)
        a.write(block(text))
        if mode == "inspired":
            wait_until(lambda: "CLAUDE.md: waiting" in a.log(), 15, what=a.log())
            assert shared(server) == "one\n"
    wait_until(lambda: shared(server) == "one\nprivate\n", 15, what=a.log())


def test_it_ends_in_order_and_its_lines_are_json_where_that_is_asked_for(server, machine):
    a = machine("a")
    a.write(block("one\n"))
    a.start("--json")
    wait_until(lambda: '"sent"' in a.log(), what=a.log())
    assert a.stop() == 0
    lines = [json.loads(line) for line in a.log().splitlines()]
    assert [(line["file"], line["state"], line["contextKey"]) for line in lines] == \
        [("CLAUDE.md", "sent", "file:p/CLAUDE.md")]

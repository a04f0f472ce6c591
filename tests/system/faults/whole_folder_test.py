"""A folder that is not whole is refused by name, and stays as it is to the byte."""

import itertools
import os
import shutil

import pytest

from support.v2 import V2
from faults.disk_test import refused_start, stored_contexts

PARTS = ["memory.db", "memory.db-log0", "memory.db-log1", "memory.db-journal"]


def snapshot(folder):
    """What is in a folder: bytes, kind and time of each thing."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else \
            path.read_bytes() if path.is_file() else None
        found[path.name] = (status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.fixture
def used(make_server):
    """A server that was killed with acknowledged writes in its folder."""
    server = make_server().start()
    with V2(server.port, "u") as client:
        client.put("kept", {"n": 1})
    server.kill()
    server.log_path.unlink()
    return server


def refused_as_it_is(server, name):
    before = snapshot(server.data_dir)
    log = refused_start(server)
    assert name in log, log
    assert snapshot(server.data_dir) == before
    return log


@pytest.mark.parametrize("missing", [
    parts for count in range(1, len(PARTS)) for parts in itertools.combinations(PARTS, count)],
    ids="+".join)
def test_a_missing_part_is_named_and_nothing_is_changed(used, missing):
    for part in missing:
        (used.data_dir / part).unlink()
    first = "memory.db" if "memory.db" in missing else \
        min(missing, key=["memory.db-journal", "memory.db-log0", "memory.db-log1"].index)
    log = refused_as_it_is(used, first)
    assert "is missing" in log and "backup" in log and "salvage" in log


@pytest.mark.parametrize("part", PARTS[:3])  # SQLite shortens the last one itself
@pytest.mark.parametrize("bytes_left", [0, 1, 100, -1])
def test_a_part_cut_short_is_named_and_nothing_is_changed(used, part, bytes_left):
    whole = (used.data_dir / part).stat().st_size
    os.truncate(used.data_dir / part, bytes_left if bytes_left >= 0 else whole - 1)
    refused_as_it_is(used, part)


def test_an_empty_rollback_journal_is_as_none(used):
    os.truncate(used.data_dir / "memory.db-journal", 0)
    refused_as_it_is(used, "memory.db-journal")


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_link(path):
    shutil.move(path, path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("part", PARTS + ["memory.lock"])
@pytest.mark.parametrize("replace, says", [
    (replace_by_folder, "is a folder"), (replace_by_link, "is a symbolic link"),
    (replace_by_pipe, "is no regular file")], ids=["folder", "link", "pipe"])
def test_what_is_no_file_is_named_and_nothing_is_changed(used, part, replace, says):
    replace(used.data_dir / part)
    assert says in refused_as_it_is(used, part)
    before = snapshot(used.data_dir)
    done = used.cli("doctor", str(used.data_dir), timeout=10)
    assert done.returncode == 1 and part in done.stdout and says in done.stdout, done
    assert snapshot(used.data_dir) == before


def test_only_a_folder_of_that_name_is_no_reason_to_begin(make_server):
    server = make_server()
    (server.data_dir / "memory.db").mkdir(parents=True)
    assert "is a folder" in refused_as_it_is(server, "memory.db")


def test_a_link_that_leads_nowhere_is_named(make_server, tmp_path):
    folder = tmp_path / "data"
    folder.symlink_to(tmp_path / "gone")
    assert str(folder) in refused_start(make_server(data_dir=folder))
    assert not (tmp_path / "gone").exists()


def test_stray_files_a_linked_folder_and_a_missing_lock_do_no_harm(used, make_server, tmp_path):
    (used.data_dir / "memory.lock").unlink()
    (used.data_dir / "notes.txt").write_text("mine")
    (used.data_dir / "memory.db-log2").write_text("mine, too")
    link = tmp_path / "link"
    link.symlink_to(used.data_dir)
    server = make_server(data_dir=link).start()
    assert set(stored_contexts(server.port, "u")) == {"kept"}
    assert (used.data_dir / "notes.txt").read_text() == "mine"


def test_a_refused_folder_gets_no_lock_file(used):
    (used.data_dir / "memory.lock").unlink()
    (used.data_dir / "memory.db-log1").unlink()
    refused_as_it_is(used, "memory.db-log1")
    assert not (used.data_dir / "memory.lock").exists()

"""What the disk can do to the store: full, read-only, damaged, in use, newer, failing to sync."""

import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import time

import pytest

from support.plain import Closed, Plain
from support.rest import read_json
from support.server import ROOT, wait_until
from support.v2 import V2, Refused

SHIM = ROOT / "tests/support/full_disk.c"


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "full_disk.so"
    subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIM), "-ldl"],
                   check=True)
    return library


@pytest.fixture
def faulty(make_server, shim, tmp_path):
    """A server whose disk fails while `fault` exists."""
    fault = tmp_path / "fault"
    server = make_server(env={"LD_PRELOAD": str(shim), "DYAD_TEST_FAULT": str(fault)}).start()
    return server, fault


def put_until_refused(client, size=20000, tries=2000):
    """Writes until the store refuses; how many were acknowledged, and the refusal."""
    for done in range(tries):
        try:
            client.put(f"key-{done}", {"n": done, "pad": "x" * size})
        except Refused as refusal:
            return done, refusal
    raise AssertionError(f"{tries} writes were taken")


def stored_contexts(port, user):
    """What the user's memory holds, by key."""
    with Plain(port, user) as client:
        return {context["contextKey"]: context for context in client.state()["contexts"]}


@pytest.mark.parametrize("kind", ["", "quota", "large"])
@pytest.mark.parametrize("applied", [False, True], ids=["journal", "tables"])
def test_full_disk_refuses_writes_and_keeps_what_was_acknowledged(faulty, kind, applied):
    server, fault = faulty
    with V2(server.port, "u") as client:
        client.put("before", {"n": 1})
        if not applied:
            time.sleep(0.5)  # it is applied while nothing else happens; else there is work to do
        fault.write_text(kind)
        with pytest.raises(Refused) as refusal:
            client.put("during", {"n": 2})
        assert refusal.value.code == "storage_full", refusal.value.payload
        time.sleep(0.5)  # for the tables, which cannot be written either
        assert server.request("GET", "/api/v1/contexts/before",
                              headers={"Dyad-User": "u"})[0] == 200
        fault.unlink()
        assert server.process.poll() is None, server.log()
        wait_until(lambda: try_put(client, "after"), 10, 0.2, "writes to be taken again")
    server.kill()
    server.start()
    kept = stored_contexts(server.port, "u")
    assert {"before", "after"} <= set(kept) and "during" not in kept


@pytest.mark.parametrize("kind", ["", "quota", "large"])
def test_no_room_for_a_first_start_is_said_and_the_next_one_makes_it(make_server, shim, tmp_path,
                                                                     kind):
    fault = tmp_path / "fault"
    fault.write_text(kind)
    server = make_server(env={"LD_PRELOAD": str(shim), "DYAD_TEST_FAULT": str(fault)})
    log = refused_start(server)
    assert "full" in log or "free some space" in log, log
    fault.unlink()
    server.start()


def try_put(client, key):
    try:
        client.put(key, {"n": 3})
        return True
    except Refused:
        return False


def test_full_disk_is_reported_as_not_ready(faulty):
    server, fault = faulty
    with V2(server.port, "u") as client:
        fault.touch()
        with pytest.raises(Refused):
            client.put("k", {})
        assert server.get("/healthz")[0] == 200, "the process itself is alive"
        assert server.get("/readyz")[0] == 503
        status = read_json(server, "/api/v1/status")
        assert not status["isFullyOperational"] and not status["storage"]["healthy"]
        assert "storage_full" in status["storage"]["problem"]
        assert "✓ 2/3 Sync" in server.cli("status", "--url",
                                          f"http://127.0.0.1:{server.port}").stdout
        fault.unlink()
        wait_until(lambda: try_put(client, "after"), 10, 0.2, "writes to be taken again")
        assert server.get("/readyz")[0] == 200
        assert read_json(server, "/api/v1/status")["isFullyOperational"]


def test_failed_sync_ends_the_server_and_nothing_acknowledged_is_lost(faulty):
    server, fault = faulty
    with V2(server.port, "u") as client:
        client.put("before", {"n": 1})
        fault.write_text("sync")
        with pytest.raises((Refused, Closed)):
            client.put("during", {"n": 2})
    assert server.wait_exit(10) != 0
    assert "sync" in server.log().lower() or "i/o" in server.log().lower(), server.log()
    fault.unlink()
    server.start()
    assert "before" in stored_contexts(server.port, "u")


def test_full_disk_on_a_real_small_tmpfs(make_server, tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(mount)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("no right to mount a tmpfs here")
    try:
        server = make_server(data_dir=mount / "data").start()
        with V2(server.port, "u") as client:
            acknowledged, refusal = put_until_refused(client)
            assert refusal.code == "storage_full", refusal.payload
            assert acknowledged > 5
        assert server.process.poll() is None, server.log()
        server.kill()
        subprocess.run(["mount", "-o", "remount,size=80m", str(mount)], check=True)
        server.start()
        kept = stored_contexts(server.port, "u")
        assert {f"key-{n}" for n in range(acknowledged)} <= set(kept)
        server.kill()
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_file_size_limit_never_kills_the_server_silently(make_server):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))

    server = make_server(limits=limit).spawn()
    try:
        server.wait_ready()
    except AssertionError:
        # Files of this size cannot even be made: then that is what the log must say.
        assert server.process.returncode > 0, server.log()
        assert "file" in server.log().lower() or "disk" in server.log().lower()
        return
    with V2(server.port, "u") as client:
        try:
            put_until_refused(client)
        except Closed:
            pass
    if server.process.poll() is not None:
        assert server.process.returncode > 0, "killed by a signal"
        assert "store" in server.log().lower() or "disk" in server.log().lower()


def refused_start(server):
    """The server ends by itself, orderly; its log."""
    assert server.spawn().wait_exit(15) > 0, "it must end with an error, not by a signal"
    return server.log()


def test_read_only_folder_is_refused_with_its_name(make_server, tmp_path):
    folder = tmp_path / "fixed"
    folder.mkdir()
    (folder / "data").write_text("a file where the folder should be")
    log = refused_start(make_server(data_dir=folder / "data"))
    assert str(folder / "data") in log, log


def test_folder_without_write_permission_is_refused_with_its_name(make_server, tmp_path):
    folder = tmp_path / "fixed"
    folder.mkdir(mode=0o555)

    def as_nobody():
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.owner() == pathlib.Path("/").owner() and parent != pathlib.Path("/tmp") and \
                "pytest" in parent.name:
            parent.chmod(0o755)
    server = make_server(data_dir=folder / "data", limits=as_nobody)
    server.home.chmod(0o777)
    log = refused_start(server)
    assert str(folder) in log and "ermission" in log, log


def fill(server, user="u", count=300):
    with V2(server.port, user) as client:
        for n in range(count):
            client.put(f"key-{n % 20}", {"n": n, "pad": "p" * 200})


def damage(folder, seed):
    """Overwrites bytes in the middle of the largest file; its name."""
    files = sorted((path for path in folder.rglob("*") if path.is_file()),
                   key=lambda path: path.stat().st_size)
    victim = files[-1]
    size = victim.stat().st_size
    chance = random.Random(seed)
    with open(victim, "r+b") as file:
        for _ in range(40):
            file.seek(chance.randrange(0 if seed % 2 else size // 4, size - 16))
            file.write(chance.randbytes(16))
    return victim


@pytest.mark.parametrize("seed", range(8))
def test_damaged_store_is_never_served_as_if_it_were_whole(make_server, seed):
    server = make_server().start()
    fill(server)
    before = {key: context["data"] for key, context in stored_contexts(server.port, "u").items()}
    assert server.stop() == 0
    damage(server.data_dir, seed)
    server.spawn()
    try:
        server.wait_ready(15)
    except AssertionError:
        assert server.process.returncode is not None and server.process.returncode > 0, \
            "it must refuse orderly, not crash"
        assert "damage" in server.log().lower() or "corrupt" in server.log().lower() or \
            "malformed" in server.log().lower() or "not a database" in server.log().lower()
        return
    # Where it starts, it serves the truth or an error.
    try:
        after = stored_contexts(server.port, "u")
    except (Refused, Closed, TimeoutError, OSError):
        return
    for key, context in after.items():
        assert context["data"] == before.get(key), "a damaged value was served"
    assert set(after) == set(before), "contexts vanished without an error"


def test_second_server_on_the_same_folder_is_refused_naming_the_first(make_server):
    first = make_server().start()
    second = make_server(data_dir=first.data_dir)
    log = refused_start(second)
    assert str(first.process.pid) in log, log
    assert first.get("/readyz")[0] == 200, "the first must not notice"
    with V2(first.port, "u") as client:
        client.put("still", {"works": True})


def test_lock_of_a_killed_server_does_not_hinder_the_next(make_server):
    first = make_server().start()
    fill(first, count=5)
    first.kill()
    started = time.monotonic()
    first.start()
    assert time.monotonic() - started < 10
    assert stored_contexts(first.port, "u")


def test_newer_schema_is_refused_untouched(make_server):
    server = make_server().start()
    fill(server, count=5)
    assert server.stop() == 0
    databases = [path for path in server.data_dir.rglob("*") if path.is_file() and
                 path.read_bytes()[:15] == b"SQLite format 3"]
    assert databases, "no SQLite file in the folder"
    for path in databases:
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 9999")
        database.close()
    copies = {path: path.read_bytes() for path in databases}
    server.log_path.unlink()
    log = refused_start(server)
    assert "newer" in log, log
    for path, content in copies.items():
        assert path.read_bytes() == content, "the refused store was changed"


def test_folder_is_private(make_server):
    server = make_server().start()
    fill(server, count=3)
    for path in [server.data_dir, *server.data_dir.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, f"{path} can be read by others"


def test_copy_of_the_folder_serves_the_same(make_server, tmp_path):
    server = make_server().start()
    fill(server, count=50)
    before = stored_contexts(server.port, "u")
    assert server.stop() == 0
    shutil.copytree(server.data_dir, tmp_path / "copy")
    again = make_server(data_dir=tmp_path / "copy").start()
    assert stored_contexts(again.port, "u") == before


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_damaged_row_stops_its_user_and_nobody_else(make_server):
    server = make_server().start()
    for user in ("ada", "bob"):
        with V2(server.port, user) as client:
            for n in range(30):
                client.put(f"{user}-{n}", {"text": f"{user} says {n} " + "x" * 900})
    assert server.stop() == 0
    database = server.data_dir / "memory.db"
    content = database.read_bytes()
    # A leaf (10) of the contexts' tree with rows of one user only.
    page = next(at for at in range(4096, len(content), 4096) if content[at] == 10
                and b"ada says" in content[at:at + 4096]
                and b"bob says" not in content[at:at + 4096])
    text = content.index(b"ada says", page)
    key = "ada-" + content[text:].split()[2].decode()
    flip(database, text + 20)
    server.start()
    user = {"Dyad-User": "ada"}
    status, _, body = server.request("GET", f"/api/v1/contexts/{key}", headers=user)
    assert status == 500 and b"storage_damaged" in body, body
    status, _, body = server.request(
        "PATCH", f"/api/v1/contexts/{key}", b'[{"op":"add","path":"/more","value":1}]',
        {**user, "Content-Type": "application/json-patch+json"})
    assert status == 500, body
    assert len(stored_contexts(server.port, "bob")) == 30
    with V2(server.port, "bob") as client:
        client.put("still", {"works": True})
    assert server.get("/readyz")[0] == 200, "the others' memory is served"
    log = server.log()
    assert "memory.db: page " in log and log.count("does not verify") <= 1
    assert log.count("not as it was written") == 1, log
    status, _, body = server.get("/api/v1/status")
    assert b"memory.db: page " in body and b'"isFullyOperational":false' in body, body
    assert b"dyad_storage_damages_total 1\n" in server.get("/metrics")[2]

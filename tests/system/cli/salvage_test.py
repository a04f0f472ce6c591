"""Salvage by the real binary: the damaged folder stays as it is, the new one is whole."""

import json
import shutil

import pytest

from support.server import Server


def write(server, key, value, user="ada"):
    status, _, body = server.request(
        "PUT", f"/api/v1/contexts/{key}", json.dumps({"data": {"v": value}, "force": True}),
        {"Content-Type": "application/json", "Dyad-User": user})
    assert status in (200, 201), body
    return json.loads(body)["position"]


def contexts(server, user="ada"):
    body = json.loads(server.get("/api/v1/contexts", {"Dyad-User": user})[2])
    return {item["contextKey"]: item["data"]["v"] for item in body["contexts"]}


def everything_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def store(make_server):
    """A folder whose events stand in the database and in the journals; what is in it."""
    server = make_server().start()
    for n in range(30):
        write(server, f"k{n % 5}", n)
    assert server.stop() == 0
    server.start()
    last = [write(server, "new", n) for n in range(5)][-1]
    write(server, "other", 1, "bob")
    server.kill()
    return server, {**{f"k{n}": 25 + n for n in range(5)}, "new": 4}, last


def salvage(server, source=None, **more):
    target = server.home / f"saved{len(list(server.home.iterdir()))}"
    before = everything_in(source or server.data_dir)
    done = server.cli("salvage", str(source or server.data_dir), "--to", str(target), "--json")
    assert everything_in(source or server.data_dir) == before
    if done.returncode == 2:
        assert not target.exists()
        return done, None
    return done, Server(data_dir=target, **more)


def change_everywhere(folder, old, new):
    """Whether an event stands in the database, in a journal, or in both."""
    changed = 0
    for path in folder.glob("memory.db*"):
        data = path.read_bytes()
        changed += data.count(old)
        path.write_bytes(data.replace(old, new))
    assert changed


def test_a_whole_folder_becomes_the_same_memory(store):
    server, truth, last = store
    done, saved = salvage(server)
    account = json.loads(done.stdout)
    assert done.returncode == 0 and account["whole"], account
    assert {user["userId"]: user["whole"] for user in account["users"]} == \
        {"ada": True, "bob": True}
    with saved:
        assert contexts(saved) == truth and contexts(saved, "bob") == {"other": 1}
        # A client goes on from where it was.
        status, _, body = saved.get(f"/api/v1/events?after={last}", {"Dyad-User": "ada"})
        assert status == 200 and json.loads(body)["events"] == []


def test_what_is_damaged_is_named_and_the_rest_is_there(store):
    server, truth, last = store
    change_everywhere(server.data_dir, b'"data":{"v":2}', b'"data":{"v":9}')
    done, saved = salvage(server)
    account = json.loads(done.stdout)
    assert done.returncode == 1 and not account["whole"], account
    ada = next(user for user in account["users"] if user["userId"] == "ada")
    assert len(ada["eventsLost"]) == 2 and ada["newEpoch"], ada
    assert all("memory.db" in lost["why"] or "record" in lost["why"] for lost in ada["eventsLost"])
    assert ada["eventsKept"][0]["first"] == 1
    with saved:
        assert contexts(saved) == truth
        lost = ada["eventsLost"][0]["first"]
        event = json.loads(saved.get(f"/api/v1/events/{lost}", {"Dyad-User": "ada"})[2])["event"]
        assert event["kind"] == "event-lost", event
        # Who was further than that is told so.
        status, _, body = saved.get(f"/api/v1/events?after={last}", {"Dyad-User": "ada"})
        assert status in (404, 410), body
        assert write(saved, "new", 99) and contexts(saved)["new"] == 99


@pytest.mark.parametrize("missing", [["memory.db"], ["memory.db-log0", "memory.db-log1"]])
def test_parts_that_are_missing_are_named(store, missing):
    server, truth, _ = store
    for name in missing:
        (server.data_dir / name).unlink()
    done, saved = salvage(server)
    account = json.loads(done.stdout)
    assert done.returncode == 1
    for name in missing:
        assert any(name in damage for damage in account["damages"]), account
    with saved:
        there = contexts(saved)
        # What was only in the journals may be older.
        assert there and all(value <= truth[key] for key, value in there.items())


def test_a_file_cut_in_half_gives_what_is_left(store):
    server, _, _ = store
    database = server.data_dir / "memory.db"
    database.write_bytes(database.read_bytes()[:database.stat().st_size // 2])
    done, saved = salvage(server)
    assert done.returncode in (0, 1)
    with saved:
        assert contexts(saved)["new"] == 4


@pytest.mark.parametrize("damage", ["zeros", "first page", "header", "folder", "link"])
def test_a_database_that_is_none_any_more_is_named_and_the_journals_are_saved(store, damage):
    server, truth, _ = store
    database = server.data_dir / "memory.db"
    whole = database.read_bytes()
    if damage in ("folder", "link"):
        database.rename(server.home / "elsewhere")
        database.mkdir() if damage == "folder" else database.symlink_to(server.home / "elsewhere")
    else:
        size = {"zeros": len(whole), "first page": 4096, "header": 100}[damage]
        database.write_bytes(bytes(size) + whole[size:])
    done, saved = salvage(server)
    account = json.loads(done.stdout)
    assert done.returncode == 1 and not account["whole"], account
    assert any("memory.db" in one for one in account["damages"]), account
    with saved:
        assert contexts(saved) == truth


def test_a_database_of_another_folder_does_not_hide_the_journals(make_server):
    """Both young: everything acknowledged stands in the journals."""
    folders = []
    for value in (1, 2):
        server = make_server().start()
        write(server, "k", value)
        server.kill()
        folders.append(server)
    shutil.copy(folders[1].data_dir / "memory.db", folders[0].data_dir / "memory.db")
    done, saved = salvage(folders[0])
    account = json.loads(done.stdout)
    assert done.returncode == 1, account
    assert any("another store" in one for one in account["damages"]), account
    with saved:
        assert contexts(saved) == {"k": 1}


def test_a_journal_of_which_nothing_can_be_read_may_have_held_more(store):
    server, truth, _ = store
    journal = server.data_dir / "memory.db-log1"
    journal.write_bytes(bytes(journal.stat().st_size))
    done, saved = salvage(server)
    account = json.loads(done.stdout)
    assert done.returncode == 1 and not account["whole"], account
    with saved:
        assert contexts(saved) == truth


def test_where_the_only_journal_is_lost_it_is_named(make_server):
    server = make_server().start()
    write(server, "k", 1)
    server.kill()
    (server.data_dir / "memory.db-log0").unlink()
    done, _ = salvage(server)
    assert done.returncode == 2 and "memory.db-log0: is missing" in done.stderr, done
    assert "of this product" not in done.stderr


def test_a_memory_that_nobody_wrote_to_is_saved_as_what_it_is(make_server):
    server = make_server().start()
    server.stop()
    done, saved = salvage(server)
    assert done.returncode == 0 and json.loads(done.stdout)["users"] == [], done
    with saved:
        assert contexts(saved) == {}


@pytest.mark.parametrize("target", ["{}/inside", "{}/a/b", "{}/../data/x", "link/x"])
def test_nothing_is_saved_into_the_damaged_folder(store, target):
    server, _, _ = store
    (server.home / "link").symlink_to(server.data_dir)
    before = sorted(path.name for path in server.data_dir.rglob("*"))
    done = server.cli("salvage", str(server.data_dir), "--to", target.format(server.data_dir))
    assert done.returncode == 2 and "inside" in done.stderr, done
    assert sorted(path.name for path in server.data_dir.rglob("*")) == before


def test_what_is_there_already_is_never_removed(store):
    server, _, _ = store
    mine = server.home / "new.part" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    done = server.cli("salvage", str(server.data_dir), "--to", str(server.home / "new"))
    assert done.returncode == 2 and "new.part" in done.stderr, done
    assert mine.read_text() == "precious" and not (server.home / "new").exists()


def test_refusals_name_what_is_wrong(store):
    server, _, _ = store
    target = server.home / "full"
    target.mkdir()
    (target / "file").touch()
    done = server.cli("salvage", str(server.data_dir), "--to", str(target))
    assert done.returncode == 2 and "not empty" in done.stderr
    done = server.cli("salvage", str(server.home / "nowhere"), "--to", str(server.home / "n"))
    assert done.returncode == 2 and "is not a folder" in done.stderr
    empty = server.home / "empty"
    empty.mkdir()
    done = server.cli("salvage", str(empty), "--to", str(server.home / "n"))
    assert done.returncode == 2 and "nothing of this product" in done.stderr
    server.start()
    done = server.cli("salvage", "--to", str(server.home / "n"),
                      env={"DYAD_DATA_DIR": str(server.data_dir)})
    assert done.returncode == 2 and str(server.process.pid) in done.stderr
    assert not (server.home / "n").exists() and not (server.home / "n.part").exists()


def test_a_folder_may_be_given_that_is_there_and_empty(store):
    server, truth, _ = store
    target = server.home / "empty-one"
    target.mkdir()
    assert server.cli("salvage", str(server.data_dir), "--to", f"{target}/").returncode == 0
    with Server(data_dir=target) as saved:
        assert contexts(saved) == truth
    shutil.rmtree(target)

"""backup, restore and migrate: between the embedded store and MongoDB, and with the tools of others
that know mongodump's layout."""

import datetime
import json
import shutil
import subprocess
import threading
import time

import pytest

from support.backends import pymongo
from support.moving import (NAME, USERS, fill, needs_mongo, on_folder, on_mongo, run, seen_by,
                            without_hashes)
from support.rest import Api, read_json
from support.server import PATIENCE, ROOT, Server

pytestmark = needs_mongo
COLLECTIONS = ["ai_response_sources", "distributed_context", "dyad_heads", "dyad_meta",
               "dyad_state", "mode_state", "mode_transitions", "sync_events"]
THEIRS = ["ai_response_sources", "distributed_context", "mode_state", "mode_transitions",
          "sync_events"]
RESTORE = ROOT / "tests/system/node/restore_backup.mjs"


def decode(place, name):
    pymongo()  # makes its bson importable
    import bson
    return bson.decode_all((place / f"{name}.bson").read_bytes())


# ---- backups, as others read them ---------------------------------------------------------------


def test_a_running_embedded_server_goes_on_while_it_is_backed_up(tmp_path):
    with Server(data_dir=tmp_path / "data") as server:
        fill(server, "ada", 200)
        acknowledged, stop = [], threading.Event()

        def write():
            api = Api(server, "ada", "writer")
            while not stop.is_set():
                status, answer = api.call("PUT", "contexts/busy", {"data": {"n": len(acknowledged)},
                                                                   "force": True})
                assert status in (200, 201), answer
                acknowledged.append(answer["context"]["offset"])

        writer = threading.Thread(target=write)
        writer.start()
        try:
            env = on_folder(tmp_path, server.port)
            for n in range(5):
                before = acknowledged[-1] if acknowledged else 0
                run("backup", tmp_path / f"b{n}", env=env)
                events = decode(tmp_path / f"b{n}" / NAME, "sync_events")
                offsets = [event["offset"] for event in events]
                assert offsets == list(range(1, len(offsets) + 1)) and offsets[-1] >= before
        finally:
            stop.set()
            writer.join()
        assert len(acknowledged) > 20
        assert not (tmp_path / "data/copy").exists()
        out = run("backup", tmp_path / "b0", env=env, good=False)
        assert "not empty" in out
    # What was restored is a prefix: whatever it has is as it was.
    env = {**on_folder(tmp_path), "DYAD_DATA_DIR": str(tmp_path / "again")}
    run("restore", tmp_path / "b4", env=env)
    with Server(data_dir=tmp_path / "again") as server:
        events = decode(tmp_path / "b4" / NAME, "sync_events")
        page = read_json(server, "/api/v1/contexts/busy", "ada")
        last = [event for event in events if event["scope"] == "ctx:busy"][-1]
        assert page["offset"] == last["offset"]


def test_a_backup_of_the_embedded_store_is_what_mongodb_would_have(folder, database, tmp_path):
    home, _ = folder
    run("backup", tmp_path / "embedded", env=on_folder(home))
    db, settings = database
    run("migrate", "--to", "mongodb", env=on_mongo(home, settings))
    for name in COLLECTIONS:
        metadata = json.loads((tmp_path / "embedded" / NAME / f"{name}.metadata.json").read_text())
        assert metadata["collectionName"] == name and len(metadata["uuid"]) == 32
        if name == "dyad_meta":
            continue
        live = db[name].index_information()
        assert {index["name"] for index in metadata["indexes"]} == set(live), name
        for index in metadata["indexes"]:
            there = live[index["name"]]
            assert [(field, int(way["$numberInt"])) for field, way in index["key"].items()] == \
                [(field, int(way)) for field, way in there["key"]]
            assert index.get("unique", False) == there.get("unique", False)
            assert ("expireAfterSeconds" in index) == ("expireAfterSeconds" in there)
            assert index.get("partialFilterExpression") == there.get("partialFilterExpression")

        def bare(documents):
            return sorted(json.dumps({key: value for key, value in one.items()
                                      if key not in ("_id", "documents") or name == "dyad_state"},
                                     default=repr) for one in documents)
        assert bare(decode(tmp_path / "embedded" / NAME, name)) == bare(db[name].find()), name


def test_a_backup_of_mongodb_is_what_pymongo_reads(folder, database, tmp_path):
    home, _ = folder
    db, settings = database
    run("migrate", "--to", "mongodb", env=on_mongo(home, settings))
    with Server(env=settings) as server:
        fill(server, "carol")
        db.distributed_context.insert_one({"userId": "dan", "contextKey": "theirs", "data": {}})
        # While it runs, and again with nobody there.
        run("backup", tmp_path / "live", env=on_mongo(home, settings, server.port))
        assert server.stop() == 0
    run("backup", tmp_path / "b", env=on_mongo(home, settings))
    place = tmp_path / "b" / settings["MONGODB_DATABASE"]
    for name in COLLECTIONS:
        mine, live = decode(place, name), list(db[name].find())
        assert sorted(map(repr, mine)) == sorted(map(repr, live)), name
    live = decode(tmp_path / "live" / settings["MONGODB_DATABASE"], "sync_events")
    assert sorted(event["offset"] for event in live if event["userId"] == "carol") == \
        sorted(event["offset"] for event in db.sync_events.find({"userId": "carol"}))


def test_a_stranger_restores_our_backup_and_our_server_shows_everything(folder, database, tmp_path):
    if not (ROOT / "tests/system/node/node_modules/@cdxoo").exists():
        pytest.skip("npm packages of the tests are not installed: ./x setup-tests")
    home, seen = folder
    db, settings = database
    run("backup", tmp_path / "b", env=on_folder(home))
    done = subprocess.run(["node", str(RESTORE), settings["MONGODB_URL"],
                           settings["MONGODB_DATABASE"], str(tmp_path / "b" / NAME)],
                          capture_output=True, text=True, timeout=60 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert seen_by(settings) == seen
    assert db.sync_events.count_documents({}) == sum(len(one["events"]) for one in seen.values())


def dump_by_hand(db, place, names):
    """As mongodump writes it."""
    pymongo()
    import bson
    from bson import json_util
    place.mkdir(parents=True)
    for name in names:
        with open(place / f"{name}.bson", "wb") as out:
            for document in db[name].find():
                out.write(bson.encode(document))
        indexes = [dict(index) for index in db[name].list_indexes()]
        (place / f"{name}.metadata.json").write_text(json_util.dumps(
            {"options": {}, "indexes": indexes, "uuid": "0" * 32, "collectionName": name,
             "type": "collection"}, json_options=json_util.CANONICAL_JSON_OPTIONS))


@pytest.mark.parametrize("target", ["mongodb", "sqlite"])
def test_what_mongodump_wrote_is_restored_in_a_new_epoch(folder, database, tmp_path, target):
    home, seen = folder
    db, settings = database
    run("migrate", "--to", "mongodb", env=on_mongo(home, settings))
    dump_by_hand(db, tmp_path / "dump" / NAME, COLLECTIONS)
    if target == "mongodb":
        out = run("restore", tmp_path / "dump", env=on_mongo(home, settings), good=False)
        assert "not empty" in out and "--drop" in out
        out = run("restore", tmp_path / "dump", "--drop", env=on_mongo(home, settings), good=False)
        assert "--yes" in out
        run("restore", tmp_path / "dump", "--drop", "--yes", env=on_mongo(home, settings))
        again = seen_by(settings)
    else:
        env = {**on_folder(home), "DYAD_DATA_DIR": str(tmp_path / "again")}
        run("restore", tmp_path / "dump", env=env)
        again = seen_by(data_dir=tmp_path / "again")
    for user in USERS:
        assert without_hashes(again[user]) == without_hashes(seen[user])
        hashes = [[event["hash"] for event in one[user]["events"]] for one in (again, seen)]
        assert all(a != b for a, b in zip(*hashes))


def test_a_client_notices_a_restore_and_not_a_migration(filled, database, tmp_path):
    source = filled[0]
    shutil.copytree(source, tmp_path / "data")
    with Server(data_dir=tmp_path / "data") as server:
        position = Api(server, "ada").call("PUT", "contexts/mark", {"data": {}})[1]["position"]
        assert server.stop() == 0
    db, settings = database
    run("migrate", "--to", "mongodb", env=on_mongo(tmp_path, settings))

    def answer(server):
        return server.get(f"/api/v1/events?after={position}",
                          {"Dyad-User": "ada"})
    with Server(env=settings) as server:
        code, _, body = answer(server)
        assert code == 200 and json.loads(body)["events"] == [], body
        assert server.stop() == 0
    run("backup", tmp_path / "b", env=on_mongo(tmp_path, settings))
    run("restore", tmp_path / "b", "--drop", "--yes", env=on_mongo(tmp_path, settings))
    with Server(env=settings) as server:
        code, _, body = answer(server)
        assert code != 200 or json.loads(body).get("reset"), body


@pytest.mark.parametrize("target", ["mongodb", "sqlite"])
def test_a_dump_of_an_existing_instance_is_taken_in(database, mongo, tmp_path, target):
    source = mongo.client()[f"theirs_{target}"]
    now = pymongo_date()
    for n in range(20):
        source.distributed_context.insert_one(
            {"userId": "ada", "contextKey": f"their-{n}", "contextType": "project",
             "mode": "didactic", "data": {"n": n}, "metadata": {"createdBy": "old", "version": n,
             "lastModifiedBy": "old", "tags": ["t"]}, "createdAt": now, "updatedAt": now,
             "expiresAt": None})
    source.mode_state.insert_one({"userId": "ada", "instanceId": "old", "currentMode": "parallel",
                                  "previousMode": "didactic", "activatedAt": now,
                                  "updatedAt": now, "syncVersion": 3})
    source.sync_events.insert_one({"userId": "ada", "eventType": "mode-changed", "timestamp": now,
                                   "eventData": {"toMode": "parallel"}})
    dump_by_hand(source, tmp_path / "dump" / "x", THEIRS)
    db, settings = database
    if target == "mongodb":
        run("restore", tmp_path / "dump", env=on_mongo(tmp_path, settings))
        assert db.sync_events.count_documents({}) == 1
    else:
        settings = None
        out = run("restore", tmp_path / "dump", env=on_folder(tmp_path))
        assert "21 events made of" in out and "1 document left" in out, out
    with Server(env=settings, data_dir=tmp_path / "data") as server:
        api = Api(server, "ada", "desk")
        deadline = time.monotonic() + 20 * PATIENCE
        while len(api.get("contexts?limit=100")["contexts"]) < 20 and time.monotonic() < deadline:
            time.sleep(0.2)
        theirs = {one["contextKey"]: one for one in api.get("contexts?limit=100")["contexts"]}
        assert {key: one["data"] for key, one in theirs.items()} == \
            {f"their-{n}": {"n": n} for n in range(20)}
        assert theirs["their-7"]["version"] >= 7 and theirs["their-7"]["tags"] == ["t"]


def pymongo_date():
    return datetime.datetime.fromtimestamp(int(time.time()), datetime.timezone.utc)


def test_a_dump_whose_documents_are_ahead_of_its_log_loses_nothing(folder, database, tmp_path):
    """mongodump reads one collection after the other, while a server goes on."""
    home, _ = folder
    db, settings = database
    run("migrate", "--to", "mongodb", env=on_mongo(home, settings))
    dump_by_hand(db, tmp_path / "dump" / NAME, ["sync_events"])
    with Server(env=settings) as server:
        api = Api(server, "ada", "desk")
        for n in range(3):
            assert api.call("PUT", "contexts/key-5", {"data": {"late": n}, "force": True})[0] == 200
        assert server.stop() == 0
    dump_by_hand(db, tmp_path / "rest" / NAME, [one for one in COLLECTIONS if one != "sync_events"])
    for path in (tmp_path / "rest" / NAME).iterdir():
        shutil.move(path, tmp_path / "dump" / NAME / path.name)
    for env, settings in ((on_mongo(home, settings), settings),
                          ({**on_folder(home), "DYAD_DATA_DIR": str(tmp_path / "again")}, None)):
        out = run("restore", tmp_path / "dump", *(["--drop", "--yes"] if settings else []), env=env)
        assert "made of documents that no event has" in out
        with Server(env=settings, data_dir=tmp_path / "again") as server:
            assert read_json(server, "/api/v1/contexts/key-5", "ada")["data"] == \
                {"late": 2}
            assert read_json(server, "/api/v1/contexts/key-6", "ada")["data"]["n"] == 6


# ---- what is damaged, and what is in use --------------------------------------------------------


def test_a_changed_event_is_found_before_anything_is_written(folder, database, tmp_path):
    home, _ = folder
    run("backup", tmp_path / "b", env=on_folder(home))
    path = tmp_path / "b" / NAME / "sync_events.bson"
    content = path.read_bytes()
    at = content.rindex(b"apple9 pear")  # in an event's text
    path.write_bytes(content[:at] + b"apple8" + content[at + 6:])
    db, settings = database
    for env in (on_mongo(home, settings),
                {**on_folder(home), "DYAD_DATA_DIR": str(tmp_path / "again")}):
        out = run("restore", tmp_path / "b", env=env, good=False)
        assert "its content was changed" in out and "user " in out
    assert not (tmp_path / "again").exists() and db.list_collection_names() == []
    run("migrate", "--to", "mongodb", env=on_mongo(home, settings))
    before = list(db.sync_events.find())
    out = run("restore", tmp_path / "b", "--drop", "--yes", env=on_mongo(home, settings),
              good=False)
    assert "its content was changed" in out and list(db.sync_events.find()) == before
    path.write_bytes(content[:-3])
    assert "no list of BSON documents" in run("restore", tmp_path / "b", env=env, good=False)


def test_what_is_in_use_is_refused(folder, database, tmp_path):
    home, _ = folder
    db, settings = database
    run("backup", tmp_path / "b", env=on_folder(home))
    with Server(data_dir=home / "data") as server:
        env = on_folder(home, server.port)
        assert "uses this folder" in run("restore", tmp_path / "b", "--drop", "--yes", env=env,
                                         good=False)
        env = on_mongo(home, settings, server.port)
        assert "uses this folder" in run("migrate", "--to", "mongodb", env=env, good=False)
    run("migrate", "--to", "mongodb", env=on_mongo(home, settings))
    assert "not empty" in run("migrate", "--to", "mongodb", env=on_mongo(home, settings),
                              good=False)
    assert "not empty" in run("migrate", "--to", "sqlite", env=on_mongo(home, settings), good=False)
    with Server(env=settings) as server:
        env = on_mongo(home, settings, server.port)
        assert "stop it" in run("restore", tmp_path / "b", "--drop", "--yes", env=env, good=False)


# ---- there and back -----------------------------------------------------------------------------


def test_the_round_trip_is_the_same_to_whoever_reads_it(folder, database, tmp_path):
    home, seen = folder
    db, settings = database
    run("migrate", "--to", "mongodb", env=on_mongo(home, settings))
    assert seen_by(settings) == seen
    back = {**on_mongo(home, settings), "DYAD_DATA_DIR": str(tmp_path / "back")}
    run("migrate", "--to", "sqlite", env=back)
    assert seen_by(data_dir=tmp_path / "back") == seen
    # And it goes on from there.
    with Server(data_dir=tmp_path / "back") as server:
        events = len(seen["ada"]["events"])
        answer = Api(server, "ada", "desk").call("PUT", "contexts/new", {"data": {}})[1]
        assert answer["context"]["offset"] == events + 1

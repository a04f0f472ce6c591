"""backup, restore and migrate that are killed, and memories of which most has expired."""

import random
import signal
import subprocess

from support.backends import Mongo
from support.moving import (USERS, everything, fill, needs_mongo, on_folder, on_mongo, run, seen_by,
                            without_hashes)
from support.rest import Api
from support.server import BINARY, Server, _end_with_parent, wait_until

pytestmark = needs_mongo
DAY = 86400


def test_what_has_expired_stays_known_wherever_it_goes(shim, tmp_path, monkeypatch):
    """Of the log: the contexts stay, and the operations are not done again. (A server looks for
    what is over a minute after its start: both at the same time.)"""
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    clock = {"LD_PRELOAD": str(shim), "DYAD_TEST_CLOCK": str(ahead), "DYAD_CLOCK_HOLD_HOURS": "0"}
    for name in ("LD_PRELOAD", "DYAD_TEST_CLOCK"):  # nodes go by the database's clock
        monkeypatch.setenv(name, clock[name])
    with Mongo() as mongo:
        monkeypatch.undo()
        settings = {"ENABLE_DISTRIBUTED_MEMORY": "true", "ENABLE_REDIS": "false",
                    "DISTRIBUTED_USER_ID": "ada", **mongo.env()}
        move_what_expired(mongo.db, settings, clock, ahead, tmp_path)


def move_what_expired(db, settings, clock, ahead, tmp_path):

    def write(server, key):
        return Api(server, "ada", "desk").call("PUT", f"contexts/{key}", {"data": {"n": 1}},
                                               Idempotency_Key=f"op-{key}")

    def is_known(server, key):
        write(server, key)
        contexts = {one["contextKey"]: one for one in everything(server, "ada", False)["contexts"]}
        return contexts[key]["version"] == 1

    def has_expired(server):
        return server.get("/api/v1/events?after=0", {"Dyad-User": "ada"})[0] != 200

    def tell(server):
        seen = {user: everything(server, user, False) for user in USERS}
        assert is_known(server, "early")
        assert write(server, "later")[0] == 201 and is_known(server, "later")
        after = {user: everything(server, user, False) for user in USERS}
        assert server.stop() == 0
        return seen, after

    servers = [Server(data_dir=tmp_path / "data", env=clock), Server(env={**settings, **clock})]
    try:
        for server in servers:
            server.start()
            for user in USERS:
                # Whose claim ends is read before the events expire, and what was deleted is known.
                fill(server, user, claim=False)
            assert write(server, "early")[0] == 201
            assert server.stop() == 0
        ahead.write_text(str(8 * DAY))
        for server in servers:
            server.start()
        for server in servers:
            wait_until(lambda: has_expired(server), 90, 0.2, "the events to expire")
        told = [tell(server) for server in servers]
    finally:
        for server in servers:
            server.close()
    # Of MongoDB, into a folder; and of a folder, into MongoDB and back.
    run("backup", tmp_path / "b", env=on_mongo(tmp_path, settings))
    env = {**on_mongo(tmp_path, settings), "DYAD_DATA_DIR": str(tmp_path / "moved")}
    run("migrate", "--to", "sqlite", env=env)
    run("restore", tmp_path / "b",
        env={**on_folder(tmp_path), "DYAD_DATA_DIR": str(tmp_path / "restored")})
    for name in list(db.list_collection_names()):
        db.drop_collection(name)
    run("migrate", "--to", "mongodb", env=on_mongo(tmp_path, settings))
    with Server(env={**settings, **clock}) as server:
        assert {user: everything(server, user, False) for user in USERS} == told[0][1]
        assert server.stop() == 0
    env = {**on_mongo(tmp_path, settings), "DYAD_DATA_DIR": str(tmp_path / "back")}
    run("migrate", "--to", "sqlite", env=env)
    for name, seen in (("moved", told[1][1]), ("restored", told[1][1]), ("back", told[0][1])):
        with Server(data_dir=tmp_path / name, env=clock) as server:
            assert {user: everything(server, user, False) for user in USERS} == seen, name
            assert is_known(server, "early") and is_known(server, "later"), name


# ---- kill -9 ------------------------------------------------------------------------------------


def killed_now_and_then(arguments, env, longest, seed):
    """Runs it again and again, each time killed after a while, until it is done. How often."""
    chance = random.Random(seed)
    for kills in range(200):
        process = subprocess.Popen([BINARY, *map(str, arguments)], env=env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, preexec_fn=_end_with_parent)
        try:
            out, _ = process.communicate(timeout=chance.uniform(0, longest * (1 + kills / 4)))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            continue
        # Killed at its very end, it was done before.
        assert process.returncode == 0 or (kills and b"not empty" in out), out.decode()
        return kills
    raise AssertionError("it is never done")


def test_kill_9_in_the_middle_of_everything(folder, database, tmp_path):
    home, seen = folder
    db, settings = database
    kills = killed_now_and_then(["backup", tmp_path / "b"], on_folder(home), 0.02, 1)
    mongo_env = on_mongo(home, settings)
    kills += killed_now_and_then(["restore", tmp_path / "b"], mongo_env, 0.1, 2)
    again = seen_by(settings)
    for user in USERS:
        assert without_hashes(again[user]) == without_hashes(seen[user])
    env = {**on_folder(home), "DYAD_DATA_DIR": str(tmp_path / "again")}
    kills += killed_now_and_then(["restore", tmp_path / "b"], env, 0.05, 3)
    for user, one in seen_by(data_dir=tmp_path / "again").items():
        assert without_hashes(one) == without_hashes(seen[user])
    for name in db.list_collection_names():
        db.drop_collection(name)
    kills += killed_now_and_then(["migrate", "--to", "mongodb"], mongo_env, 0.1, 4)
    assert seen_by(settings) == seen
    env = {**mongo_env, "DYAD_DATA_DIR": str(tmp_path / "back")}
    kills += killed_now_and_then(["migrate", "--to", "sqlite"], env, 0.05, 5)
    assert seen_by(data_dir=tmp_path / "back") == seen
    assert kills > 5
    left = [path.name for path in tmp_path.iterdir() if "." in path.name]
    assert [name for name in left if not name.endswith(".mark")] == [], left


def test_no_server_starts_on_half_a_restore(folder, database, tmp_path):
    home, _ = folder
    db, settings = database
    run("migrate", "--to", "mongodb", env=on_mongo(home, settings))
    db.dyad_meta.update_one({"_id": "store"}, {"$set": {"moving": True}})
    server = Server(env=settings).spawn()
    try:
        assert server.wait_exit() != 0
        assert "was broken off; run that again" in server.log()
    finally:
        server.close()

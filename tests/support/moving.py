"""A memory that has something of everything, all that can be read of one, and the commands that
move it."""

import json
import os
import subprocess

import pytest

from support.backends import MONGO_VENV
from support.rest import Api, read_log
from support.server import BINARY, PATIENCE, Server

needs_mongo = pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                                 reason="the MongoDB server of the tests is not installed")
USERS = ["ada", "bob@example.com"]
NAME = "dyad_distributed"
SOURCE = {"sourceType": "local", "provider": "p", "model": "m", "responseText": "t"}
# What BSON or JavaScript would spoil.
ODD = {"a.b": 1, "$set": {"nul\u0000": "\u0000"}, "": [9007199254740993, 1.5e300, -0.0, None],
       "é": "日本語 𝄞", "z": 1, "a": True}


def fill(server, user, contexts=30, claim=True):
    desk, phone = Api(server, user, "desk"), Api(server, user, "phone")
    for instance in ("desk", "phone"):
        for mode in ("didactic", "parallel"):
            assert Api(server, user, instance).call("PUT", f"modes/{instance}", {"mode": mode}
                                                    )[0] in (200, 201)
    for n in range(contexts):
        assert desk.call("PUT", f"contexts/key-{n}", {"data": {"n": n, "word": f"apple{n} pear"}}
                         )[0] in (200, 201)
    assert desk.call("PUT", "contexts/odd", {"data": ODD, "tags": ["x", "y"]})[0] == 201
    for n in range(5):
        assert phone.call("PUT", "contexts/key-1", {"data": {"n": n, "of": "phone"}, "force": True}
                          )[0] == 200
    for n in range(3):
        assert phone.call("DELETE", f"contexts/key-{n + 10}")[0] in (200, 204)
    # Both change the same member: a conflict that stays open.
    assert desk.call("PUT", "contexts/shared", {"data": {"v": 1}})[0] == 201
    assert desk.call("PUT", "contexts/shared", {"data": {"v": 2}, "expectedVersion": 1})[0] == 200
    assert phone.call("PUT", "contexts/shared", {"data": {"v": 3}, "expectedVersion": 1,
                                                 "mergeStrategy": "merge"})[0] == 200
    for n in range(4):
        answer = {"chatId": "c", "messageId": f"m{n % 3}", "mode": "parallel", **SOURCE}
        assert desk.call("POST", "responses", answer)[0] in (200, 201)
    assert desk.call("POST", "events/mcp", {"type": "mcp:tool-executed",
                                            "payload": {"tool": "t"}})[0] in (200, 201)
    assert desk.call("PUT", "contexts/of-a-model", {
        "data": {"n": 1}, "provenance": {"kind": "model", "model": "m"}})[0] == 201
    for resource in ("file:/kept", "file:/released") if claim else ():
        held = desk.call("POST", "claims", {"resource": resource, "ttlMs": 86400000, "note": "n",
                                            "session": "s"})[1]["claim"]
    if claim:
        assert desk.call("DELETE", f"claims?resource=file:/released&token={held['token']}"
                         )[0] == 200


def everything(server, user, log=True):
    """All that REST says of the user, but for where in time the server is."""
    api = Api(server, user)

    def listed(path, name):
        items, place = [], ""
        while True:
            page = api.get(path + place)
            items += page[name]
            if not page.get("next"):
                return items
            place = f"{'&' if '?' in path else '?'}before={page['next']}"

    contexts = api.get("contexts?limit=1000")["contexts"]
    keys = sorted(one["contextKey"] for one in contexts) + ["key-10"]
    seen = {
        "contexts": contexts,
        "history": {key: api.call("GET", f"contexts/{key}/history?limit=1000")
                    for key in keys},
        "versions": [api.call("GET", f"contexts/key-1/history/{version}")
                     for version in (1, 3, 6)],
        "modes": api.get("modes")["modes"],
        "transitions": api.get("transitions?limit=1000")["transitions"],
        "responses": api.get("responses?limit=1000")["responses"],
        "conflicts": api.get("conflicts")["conflicts"],
        "claims": api.get("claims")["claims"],
        "search": [api.get(f"search?q={word}")["hits"] for word in ("pear", "apple7", "phone")],
    }
    if log:
        seen["events"] = read_log(server, user)
    return json.loads(json.dumps(seen))


def without_hashes(seen):
    return {**seen, "events": [{name: value for name, value in event.items() if name != "hash"}
                               for event in seen["events"]]}


def on_folder(home, port=1):
    return {"HOME": str(home), "PATH": os.environ["PATH"], "DYAD_DATA_DIR": str(home / "data"),
            "DYAD_URL": f"http://127.0.0.1:{port}", "LANG": "C.UTF-8"}


def on_mongo(home, settings, port=1):
    return {**on_folder(home, port), **settings}


def run(*arguments, env, good=True, **more):
    done = subprocess.run([BINARY, *map(str, arguments)], env=env, text=True, input="",
                          capture_output=True, timeout=60 * PATIENCE, **more)
    assert (done.returncode == 0) == good, done.stdout + done.stderr
    return done.stdout + done.stderr


def seen_by(settings=None, data_dir=None, log=True):
    """What a server on this store tells of both users."""
    with Server(env=settings, data_dir=data_dir) as server:
        return {user: everything(server, user, log) for user in USERS}

"""Existing instances beside our nodes, at smoke size, and the negative controls of the checker.
Full size: ./x foreign."""

import copy
import json
import pathlib
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from history import Checker, ForeignWrite, History  # noqa: E402
from support.backends import MONGO_VENV, Mongo, Redis  # noqa: E402
from support.foreign import ForeignInstance  # noqa: E402
from support.rest import Api, read_log  # noqa: E402
from support.server import PATIENCE, Server, wait_until  # noqa: E402

PROGRAM = pathlib.Path(__file__).with_name("interleavings.py")
USER = "ada@example.com"

pytestmark = pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                                reason="the MongoDB server of the tests is not installed")


def test_nothing_foreign_is_lost_and_ours_is_seen():
    """Two worlds: in the first one something is killed all the time, in the other nothing."""
    done = subprocess.run([sys.executable, str(PROGRAM), "--interleavings", "40"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=230 * PATIENCE)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    found = re.search(r"foreign: (\d+) interleavings, (\d+) problems", done.stdout)
    assert found and found.groups() == ("40", "0"), done.stdout
    figures = {name: int(number) for number, name in
               re.findall(r"^ +(\d+) (.+)$", done.stdout, re.M)}
    assert figures["adopted"] > 100 and figures["envelopes"] > 100, done.stdout
    assert sum(figures[f"kills of {what}"] for what in ("node", "redis", "mongo")) > 2, done.stdout
    # The excuse must stay the exception, or it would hide what is lost.
    assert figures["overwritten by its own writer"] < figures["foreign writes"] / 3, done.stdout
    unknown = figures.get("not known what overwrote it", 0)
    assert unknown < figures["foreign writes"] / 10, done.stdout


@pytest.fixture(scope="module")
def systems():
    with Redis() as redis, Mongo() as mongo:
        yield redis, mongo


def node_of(systems):
    redis, mongo = systems
    return Server(env={"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER,
                       **redis.env(), **mongo.env()})


def test_indexes_are_made_by_whoever_comes_first_and_never_changed(systems):
    redis, mongo = systems

    def indexes():
        return {name: {index["name"]: index for index in mongo.db[name].list_indexes()}
                for name in ("mode_state", "mode_transitions", "distributed_context",
                             "ai_response_sources", "sync_events")}

    with ForeignInstance(mongo, redis, "first") as first:
        theirs = indexes()
        with node_of(systems).start(30) as node:
            both = indexes()
            for collection, found in theirs.items():
                for name, index in found.items():
                    assert both[collection][name] == index, "none of theirs is changed"
            with ForeignInstance(mongo, redis, "second") as second:
                for instance in (first, second):
                    instance.call("indexes")
            assert indexes() == both
            assert "error" not in node.log(), node.log()


@pytest.mark.parametrize("redis_is_up", [True, False])
def test_each_way_to_write_a_document_is_adopted_in_time(systems, redis_is_up):
    """Written one after the other, with time to be seen, no value may be missing."""
    _, mongo = systems
    with Redis() as redis, node_of((redis, mongo)).start(30) as node, \
            ForeignInstance(mongo, redis, "electron-1") as foreign:
        user = f"{USER}-{redis_is_up}"
        api = Api(node, user, "ours")
        assert api.call("PUT", "contexts/k", {"data": {"id": 0}})[0] == 201
        if not redis_is_up:
            redis.kill()
        ways = ["findOneAndUpdate", "findOneAndReplace", "updateOne", "replaceOne", "deleteInsert"]
        versions = []
        for number, how in enumerate(ways * 2, 1):
            answer = foreign.call("context", userId=user, key="k", how=how, data={"id": number},
                                  silent=not redis_is_up)
            versions.append(answer["version"])
            wait_until(lambda: api.get("contexts/k")["data"] == {"id": number},
                       6, what=f"{how} to be seen")
        events = [event["data"]["context"] for event in read_log(node, user)[1:]]
        assert [event["data"]["id"] for event in events] == list(range(1, len(versions) + 1))
        assert [event["version"] for event in events] == versions
        assert {event["lastModifiedBy"] for event in events} == {"electron-1"}


def test_the_checker_sees_a_value_that_was_overwritten_unseen(systems):
    """The control with a real loss: somebody puts our older document back before a node looks."""
    redis, mongo = systems
    user = "robbed@example.com"
    with node_of(systems).start(30) as node:
        assert Api(node, user, "ours").call("PUT", "contexts/k", {"data": {"id": 1}})[0] == 201
        place = {"userId": user, "contextKey": "k"}
        ours = wait_until(lambda: mongo.db.distributed_context.find_one(place), 10)
        node.kill()
        with ForeignInstance(mongo, redis, "electron-1") as foreign:
            answer = foreign.call("context", userId=user, key="k", how="updateOne",
                                  data={"id": 2})
            mongo.db.distributed_context.replace_one(place, ours)
        node.start(30)
        time.sleep(0.5)
        history = History(log=read_log(node, user), foreign=[
            ForeignWrite("k", 2, answer["version"], True, [1])])
    checker = Checker(history)
    checker.nothing_foreign_lost()
    assert checker.problems == ["seed 0: foreign value 2 of k is lost; afterwards nothing"]


# ---- the checker must see each of these -----------------------------------------------------

def event(offset, key, value, version, source="ours", action="updated"):
    return {"offset": offset, "kind": "context-changed", "sourceInstanceId": source,
            "operationId": f"op-{offset}" if source == "ours" else f"adopt:{offset}:{key}",
            "data": {"action": action, "context": {"contextKey": key, "version": version,
                                                   "data": {"id": value}}}}


def good():
    name = "6b089da21de0edda3e92c101"
    log = [event(1, "k", 1, 1), event(2, "k", 2, 1000, "foreign"), event(3, "k", 3, 1001),
           {"offset": 4, "kind": "mode-changed", "sourceInstanceId": "foreign",
            "operationId": f"mode:16000000075f696400{name}00",
            "data": {"instanceId": "e", "currentMode": "didactic"}},
           {"offset": 5, "kind": "mcp-tool-executed", "sourceInstanceId": "foreign",
            "operationId": "bus:said", "data": {}},
           event(6, "k", 5, 1002, "foreign")]
    return History(
        log=log,
        foreign=[ForeignWrite("k", 2, 1000, True, [1]), ForeignWrite("k", 4, 1, True, [3]),
                 ForeignWrite("k", 5, 1, True, [4])],
        ours={"op-1": ("k", 1, True), "op-3": ("k", 3, True)},
        transitions=[(name, "e", "didactic")], announced=["said"],
        contexts=[{"k": (5, 1002)}], rest_transitions=[("e", "didactic")],
        rest_modes={"e": "didactic"},
        documents={
            "distributed_context": [{"contextKey": "k", "data": {"id": 5},
                                     "metadata": {"version": 1002}}],
            "mode_transitions": [{"_id": name, "instanceId": "e", "toMode": "didactic",
                                  "dyad": {"offset": 4}}],
            "mode_state": [{"instanceId": "e", "currentMode": "didactic"}]},
        heard={"e": [{"metadata": {"dyad": {"offset": offset}}} for offset in range(1, 7)]},
        pushed=[("k", 1), ("k", 1000), ("k", 1001), ("k", 1002)])


def test_the_checker_finds_nothing_in_what_is_good():
    assert Checker(good()).run() == []


def test_a_write_that_found_itself_does_not_tell_what_was_there():
    history = good()
    history.foreign[2].overwrote = [5]
    checker = Checker(history)
    assert checker.run() == []
    assert checker.figures["not known what overwrote it"] == 1


def test_a_write_that_deleted_and_then_found_another_took_both_away():
    history = good()
    history.foreign[2].overwrote = [4, 3]
    assert Checker(history).run() == []


BROKEN = {
    "a foreign value dropped": lambda h: h.log.pop(1),
    "a foreign value twice": lambda h: h.log.append(event(7, "k", 5, 1003, "foreign")),
    "a value that its writer did not overwrite": lambda h: setattr(h.foreign[2], "overwrote", [3]),
    "the last value lost": lambda h: h.foreign.append(ForeignWrite("k", 9, 1, True, [5])),
    "a value nobody wrote": lambda h: h.foreign.pop(0),
    "the foreign version not taken": lambda h: h.log[1]["data"]["context"].update(version=2),
    "a version that goes back": lambda h: h.log[5]["data"]["context"].update(version=1),
    "our write lost": lambda h: h.ours.update({"op-9": ("k", 9, True)}),
    "our write twice": lambda h: h.log[2].update(operationId="op-1"),
    "a hole": lambda h: h.log[5].update(offset=7),
    "a stale document": lambda h: h.documents["distributed_context"][0].update(data={"id": 3}),
    "a document missing": lambda h: h.documents["distributed_context"].clear(),
    "a node that lags": lambda h: h.contexts.append({"k": (3, 1001)}),
    "a transition lost": lambda h: h.transitions.append(("ff", "e", "parallel")),
    "a transition written down twice": lambda h: h.documents["mode_transitions"].append(
        dict(h.documents["mode_transitions"][0], _id="ff")),
    "a transition that no node took": lambda h: h.documents["mode_transitions"].append(
        {"_id": "ff", "instanceId": "e", "toMode": "didactic"}),
    "a transition's document lost": lambda h: h.documents["mode_transitions"].clear(),
    "a transition's document of another": lambda h: h.documents["mode_transitions"][0].update(
        toMode="parallel"),
    "a mode that is not the last one": lambda h: h.rest_modes.update(e="parallel"),
    "a mode's document that is stale": lambda h: h.documents["mode_state"][0].update(
        currentMode="inspired"),
    "an announcement lost": lambda h: h.announced.append("said too"),
    "an announcement twice": lambda h: h.log.append(dict(h.log[4], offset=7)),
    "an announcement of nobody": lambda h: h.announced.clear(),
    "an envelope missing": lambda h: h.heard["e"].pop(2),
    "an envelope twice": lambda h: h.heard["e"].append(h.heard["e"][0]),
    "a push missing": lambda h: h.pushed.pop(1),
    "a push twice": lambda h: h.pushed.append(("k", 1002)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_checker_sees(what):
    history = copy.deepcopy(good())
    BROKEN[what](history)
    assert Checker(history).run(), json.dumps(history.log)

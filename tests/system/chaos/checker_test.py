"""The test of the checker: of a history that is right it finds nothing, and each of the twelve
points is found where a history is doctored."""

import copy
import sys

import pytest

from support import chain
from support.server import ROOT

sys.path.insert(0, str(ROOT / "tests/system/chaos"))
import checker  # noqa: E402
import faults  # noqa: E402
from history import (History, Memory, Operation, Outage, PlainSlice, Read,  # noqa: E402
                     Slice)

EPOCH = "0123456789abcdef"
SALT = "00" * 16


def write(history, user, number, key, deleted=False, base=0, plain=False):
    """One more write of the user: asked for, in the log, acknowledged."""
    memory = history.memories.setdefault(user, Memory())
    offset = len(memory.log) + 1
    data = None if deleted else {"user": user, "by": "desk", "n": number}
    context = {"contextKey": key, "data": data, "version": base + 1}
    if deleted:
        context["deleted"] = True
    event = {"offset": offset, "timestamp": 1000 + offset, "kind": "context-changed",
             "scope": "ctx:" + key, "sourceInstanceId": "desk", "operationId": f"op-{number}",
             "data": {"context": context, "previousVersion": base}}
    prev = memory.proofs[-1]["hash"] if memory.proofs else chain.genesis(user, EPOCH)
    content = chain.content_hash(SALT, event["data"])
    whole = chain.event_hash(prev, EPOCH, event, content)
    event["hash"] = whole[:16]
    memory.log.append(event)
    memory.proofs.append({"salt": SALT, "contentHash": content, "prevHash": prev, "hash": whole,
                          "epoch": EPOCH})
    history.operations.append(Operation(
        user, "desk", f"op-{number}", key, data, 10.0 * offset, offset - 1,
        expected=base if number % 2 else None, sent=1, plain=plain,
        **({} if plain else {"answered": 10.0 * offset + 1, "offset": offset,
                             "version": base + 1})))
    return event


@pytest.fixture
def good():
    history = History()
    for user in ("ada", "bob"):
        write(history, user, 1, "a")
        write(history, user, 2, "b")
        write(history, user, 3, "a", base=1)
        write(history, user, 4, "b", base=1, deleted=True)
        write(history, user, 5, "c", plain=True)
        memory = history.memories[user]
        memory.states = {node: checker.folded(memory.log) for node in ("node 0", "node 1")}
        events = [(event["offset"], event["hash"], user) for event in memory.log]
        history.slices += [Slice(user, user + "/1", 0, events[:3]),
                           Slice(user, user + "/1", 3, events[3:])]
        seen = [(event["scope"][4:], checker.context_of(event)["version"],
                 checker.context_of(event)["data"]) for event in memory.log]
        history.plain_slices.append(PlainSlice(user, user + "/2", seen))
        data = [checker.context_of(event)["data"] for event in memory.log]
        history.reads += [Read(user, "a", 35, 36, 3, 2, 3, data[2]),
                          Read(user, "b", 45, 46, 4), Read(user, "c", 11, 12, 1),
                          Read(user, "b", 35, 45, 3, 1, 2, data[1])]
        history.recoveries[user] = 2.0
    history.outages.append(Outage(31.5, 39.5))
    return history


def points(history):
    return {point for point, _ in checker.check(history)}


def test_nothing_is_found_in_a_history_that_is_right(good):
    assert checker.check(good) == []


def ada(history):
    return history.memories["ada"]


def lose_the_last(history):
    """As if the database had lost it: the log, its proofs and the states agree."""
    for part in (ada(history).log, ada(history).proofs):
        del part[3]
        del part[3]
    for node in ada(history).states:
        ada(history).states[node] = checker.folded(ada(history).log)


def change(target, **fields):
    target.update(fields)


def again(history):
    twice = copy.deepcopy(ada(history).log[0])
    twice["offset"] = 6
    ada(history).log.append(twice)


DOCTORED = {
    "lost": (1, lose_the_last),
    "twice": (1, again),
    "another content": (1, lambda h: setattr(h.operations[0], "data", {"n": 77})),
    "acknowledged elsewhere": (1, lambda h: setattr(h.operations[0], "offset", 2)),
    "another version": (1, lambda h: setattr(h.operations[0], "version", 9)),
    "nobody asked": (1, lambda h: h.operations.pop(0)),
    "refused and applied": (1, lambda h: setattr(h.operations[4], "refused", "not_found")),
    "a hole": (2, lambda h: change(ada(h).log[4], offset=6)),
    "delivered with a gap": (3, lambda h: h.slices[0].events.pop(1)),
    "delivered twice": (3, lambda h: h.slices[0].events.insert(1, h.slices[0].events[0])),
    "resumed too late": (3, lambda h: setattr(h.slices[1], "after", 2)),
    "delivered, not in the log": (3, lambda h: h.slices[1].events.append((6, "f" * 16, "ada"))),
    "reset": (3, lambda h: setattr(h.slices[0], "reset", True)),
    "plain, out of order": (3, lambda h: h.plain_slices[0].seen.reverse()),
    "plain, not the log's": (3, lambda h: h.plain_slices[0].seen.append(("a", 7, None))),
    "another user's": (4, lambda h: h.slices[0].events.__setitem__(
        0, (*h.slices[0].events[0][:2], "bob"))),
    "plain, another user's": (4, lambda h: h.plain_slices[0].seen.__setitem__(
        0, h.plain_slices[1].seen[0])),
    "read, another user's": (4, lambda h: setattr(h.reads[0], "data", {"user": "bob"})),
    "another base": (5, lambda h: change(ada(h).log[2]["data"], previousVersion=0)),
    "accepted on another base": (5, lambda h: setattr(h.operations[2], "expected", 0)),
    "a version twice": (5, lambda h: change(checker.context_of(ada(h).log[2]), version=1)),
    "a node's state": (6, lambda h: ada(h).states["node 1"].pop("a")),
    "a deleted context": (6, lambda h: change(ada(h).states["node 0"], b=(1, {"user": "ada"}))),
    "no states": (6, lambda h: ada(h).states.clear()),
    "an old value read": (7, lambda h: change(vars(h.reads[0]), version=1, offset=1)),
    "a deletion not read": (7, lambda h: setattr(h.reads[3], "floor", 4)),
    "nothing read": (7, lambda h: change(vars(h.reads[0]), version=None, offset=None)),
    "read before it was": (7, lambda h: change(vars(h.reads[0]), floor=1, begun=11, ended=12)),
    "a broken chain": (8, lambda h: change(ada(h).proofs[2], prevHash="0" * 64)),
    "a changed event": (8, lambda h: change(checker.context_of(ada(h).log[4])["data"], n=6)),
    "no proof": (8, lambda h: ada(h).proofs.pop()),
    "time goes back": (9, lambda h: change(ada(h).log[3], timestamp=1)),
    "too late": (10, lambda h: change(h.recoveries, ada=5.1)),
    "never": (10, lambda h: change(h.recoveries, ada=None)),
    "in an outage": (11, lambda h: h.outages.append(Outage(9, 12))),
    "out of order": (12, lambda h: setattr(h.operations[1], "floor", 2)),
    "seen by a client": (0, lambda h: h.broken.append("an answer to nothing")),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_what_is_doctored_is_found(good, name):
    point, doctor = DOCTORED[name]
    doctor(good)
    assert point in points(good), checker.check(good)


def test_every_point_has_a_negative_control():
    assert {point for point, _ in DOCTORED.values()} == set(range(len(checker.POINTS)))


def test_a_refused_copy_may_be_decided_later_on_another_state(good):
    one = good.operations[3]  # a deletion that names no base
    one.offset = one.answered = one.version = None
    one.refused, one.sent, one.sent_floor = "not_found", 2, 3
    assert points(good) == set()
    one.sent_floor = 4  # it was known to be applied when it was sent again
    assert points(good) == {1}


def test_a_seed_gives_its_schedule_and_all_of_it_ends():
    first, again_, other = (faults.schedule(seed, 60) for seed in (1, 1, 2))
    assert first == again_ != other
    assert {fault.kind for fault in first + other} == set(faults.KINDS)
    assert all(0 < fault.at < fault.until <= 60 for fault in first)

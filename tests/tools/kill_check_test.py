"""The checker of the kill -9 test against histories that are wrong in one way each."""

import hashlib
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system/kill"))

import check  # noqa: E402
import load  # noqa: E402
from support import chain  # noqa: E402

USER, EPOCH = "ada", "00000000000000a7"


class Log:
    """Answers like the server, from a list of events with their proofs."""

    def __init__(self, count):
        self.events, self.proofs = [], []
        previous = chain.genesis(USER, EPOCH)
        for offset in range(1, count + 1):
            event = {"offset": offset, "timestamp": 1000 + offset, "kind": "context-changed",
                     "scope": "ctx:k", "sourceInstanceId": "one", "operationId": f"op-{offset}",
                     "data": {"context": {"data": {"by": "one", "n": offset}}}}
            salt = hashlib.sha256(bytes([offset])).hexdigest()[:32]
            content = chain.content_hash(salt, event["data"])
            own = chain.event_hash(previous, EPOCH, event, content)
            event["hash"] = own[:16]
            self.events.append(event)
            self.proofs.append({"salt": salt, "contentHash": content, "prevHash": previous,
                                "hash": own, "epoch": EPOCH})
            previous = own

    def get(self, path, headers):
        assert headers
        if "?" in path:
            after = int(path.split("after=")[1].split("&")[0])
            return 200, {}, json.dumps({"events": self.events[after:after + 1000]}).encode()
        proof = self.proofs[int(path.rsplit("/", 1)[1]) - 1]
        return 200, {}, json.dumps({"proof": proof}).encode()


@pytest.fixture
def history():
    log = Log(9)
    memory = load.Memory(USER)
    client = load.Client(memory, lambda: 0)
    client.instance = "one"
    for event in log.events:
        client.acknowledged[event["operationId"]] = (event["offset"], event["offset"])
        memory.saw(event["offset"], event["hash"])
    return log, memory, client


def verdict_on(history):
    log, memory, client = history
    verdict = check.Verdict()
    check.check_user(log, memory, [client], verdict, 3)
    return verdict


def test_a_right_history_is_right(history):
    assert verdict_on(history).ok()


def test_lost_end(history):
    del history[0].events[-1]
    verdict = verdict_on(history)
    assert verdict.lost >= 1


def test_lost_middle_is_not_dense(history):
    del history[0].events[4]
    assert verdict_on(history).wrong


def test_doubled_operation(history):
    history[0].events[5]["operationId"] = "op-3"
    assert verdict_on(history).doubled == 1


def test_other_content(history):
    history[0].events[5]["data"]["context"]["data"]["n"] = 77
    verdict = verdict_on(history)
    assert verdict.lost == 1 and verdict.wrong


def test_acknowledged_out_of_order(history):
    client = history[2]
    for one, other in (("op-3", "op-7"), ("op-7", "op-3")):
        client.acknowledged[one] = (int(other[3:]), int(one[3:]))
    assert verdict_on(history).disordered > 0


def test_what_was_to_come_again_stands_where_it_came_again(history):
    client = history[2]

    def disordered():
        verdict = check.Verdict()
        check.check_order(client, verdict)
        return verdict.disordered

    # The third write came again behind the sixth.
    places = {1: 1, 2: 2, 4: 3, 5: 4, 6: 5, 3: 6, 7: 7, 8: 8, 9: 9}
    client.acknowledged = {f"op-{number}": place for number, place in enumerate(places.items())}
    client.first_sent = {number: number for number in range(1, 7)} | {7: 8, 8: 9, 9: 10}
    client.last_sent = {**client.first_sent, 3: 7}
    assert disordered() == 3, "nobody told it to come again"
    client.refused = {3}
    assert disordered() == 0
    # What was first sent after that stands behind it.
    client.acknowledged["op-5"], client.acknowledged["op-6"] = (3, 7), (7, 6)
    assert disordered() == 1


def test_answers_that_overtake_each_other_are_no_disorder(history):
    client = history[2]
    client.acknowledged = dict(reversed(client.acknowledged.items()))
    assert verdict_on(history).ok()


def test_stands_before_what_was_acknowledged_earlier(history):
    history[2].floor[4] = 6
    assert verdict_on(history).disordered == 1


def test_time_goes_back(history):
    history[0].events[5]["timestamp"] = 1
    assert verdict_on(history).wrong


def test_delivered_event_is_another_one(history):
    history[1].hash_at[4] = "0" * 16
    assert verdict_on(history).wrong


def test_two_clients_saw_different_events(history):
    history[1].saw(4, "f" * 16)
    assert verdict_on(history).wrong


def test_hole_in_what_a_client_received(history):
    client = history[2]
    client.epoch, client.last_seen = EPOCH, 3
    client.on_events({"events": [{"offset": 5, "hash": history[0].events[4]["hash"]}]})
    assert verdict_on(history).wrong


def test_reset_after_a_crash(history):
    history[2].on_reset({"type": "reset", "payload": {"reason": "unknown"}})
    assert verdict_on(history).wrong


@pytest.mark.parametrize("field", ["salt", "contentHash", "prevHash", "hash", "epoch"])
def test_forged_proof(history, field):
    for proof in history[0].proofs:
        value = proof[field]
        proof[field] = ("1" if value[0] != "1" else "2") + value[1:]
    assert verdict_on(history).wrong


@pytest.mark.parametrize("field,value", [("scope", "ctx:x"), ("kind", "mode-changed"),
                                         ("timestamp", 1000), ("operationId", "op-x"),
                                         ("sourceInstanceId", "two")])
def test_forged_event(history, field, value):
    history[0].events[0][field] = value
    assert verdict_on(history).wrong

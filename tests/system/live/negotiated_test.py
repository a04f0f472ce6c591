"""The negotiated protocol (docs/protocol.md): answers, positions, resumption, snapshots."""

import json
import threading
import uuid

import pytest

from support import frames
from support.plain import Closed, Plain
from support.v2 import V2, Refused


@pytest.fixture
def user():
    return f"user-{uuid.uuid4()}"


def position_of(client, event):
    return f"{client.position.split('.')[0]}.{event['offset']}.{event['hash']}"


def snapshot_of(client):
    """The whole snapshot: its parts put together."""
    contexts, modes = {}, []
    part = 0
    while True:
        payload = client.receive("snapshot")["payload"]
        assert payload["part"] == part
        contexts.update({context["contextKey"]: context for context in payload["contexts"]})
        modes += payload["modes"]
        part += 1
        if payload["last"]:
            return payload["position"], contexts, modes


def test_write_is_acknowledged_with_its_place_and_version(server, user):
    with V2(server.port, user) as client:
        first = client.put("k", {"n": 1})
        second = client.put("k", {"n": 2})
        assert (first["version"], second["version"]) == (1, 2)
        assert [position.split(".")[1] for position in
                (first["position"], second["position"])] == ["1", "2"]
        events = client.events(2)
        assert position_of(client, events[1]) == second["position"], "a client gets its own events"
        assert events[1]["data"]["context"]["data"] == {"n": 2}
        assert events[1]["kind"] == "context-changed"
        assert events[1]["eventType"] == "context-updated"


def test_everybody_sees_one_order(server, user):
    with V2(server.port, user) as one, V2(server.port, user) as two, V2(server.port, user) as three:
        def write(client):
            ids = [client.begin({"op": "context.put", "contextKey": f"k{n % 3}", "force": True,
                                 "data": {"n": n}}) for n in range(100)]
            for operation in ids:
                client.finish(operation)
        threads = [threading.Thread(target=write, args=[client]) for client in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = [client.events(200) for client in (one, two, three)]
        assert seen[0] == seen[1] == seen[2]
        assert [event["offset"] for event in seen[0]] == list(range(1, 201))


def test_resumption_brings_exactly_what_was_missed(server, user):
    with V2(server.port, user) as client:
        client.put("k", {"n": 1})
        place = position_of(client, client.events(1)[0])
    with V2(server.port, user) as other:
        for n in range(2, 30):
            other.put("k", {"n": n})
    with V2(server.port, user, resume=place) as client:
        events = client.events(28)
        assert [event["data"]["context"]["data"]["n"] for event in events] == list(range(2, 30))
        assert client.receive("position")["payload"]["live"] is True


def test_resumption_at_the_end_brings_nothing(server, user):
    with V2(server.port, user) as client:
        place = client.put("k", {"n": 1})["position"]
    with V2(server.port, user, resume=place) as client:
        assert client.receive("position")["payload"] == {"position": place, "live": True}


def test_resumption_from_before_the_first_event(server, user):
    with V2(server.port, user) as client:
        place = client.position
    assert place.split(".")[1] == "0"
    with V2(server.port, user) as other:
        other.put("k", {"n": 1})
        other.put("k", {"n": 2})
    with V2(server.port, user, resume=place) as client:
        assert [event["offset"] for event in client.events(2)] == [1, 2]


def other_epoch(place):
    epoch, rest = place.split(".", 1)
    return f"{int(epoch, 16) ^ 1:016x}.{rest}"


def other_hash(place):
    rest, short = place.rsplit(".", 1)
    return f"{rest}.{int(short, 16) ^ 1:016x}"


def beyond(place):
    epoch, offset, short = place.split(".")
    return f"{epoch}.{int(offset) + 1000}.{short}"


@pytest.mark.parametrize("change", [other_epoch, other_hash, beyond, lambda place: "nonsense"],
                         ids=["other epoch", "other hash", "beyond the end", "no token"])
def test_place_that_is_not_in_the_log_is_reset(server, user, change):
    with V2(server.port, user) as client:
        client.put("a", {"n": 1})
        place = client.put("b", {"n": 2})["position"]
    with V2(server.port, user, resume=change(place)) as client:
        assert client.receive("reset")["payload"]["reason"] == "position_lost"
        position, contexts, _ = snapshot_of(client)
        assert position == place
        assert {key: context["data"] for key, context in contexts.items()} == \
            {"a": {"n": 1}, "b": {"n": 2}}
        client.put("c", {"n": 3})
        assert client.events(1)[0]["offset"] == 3


def test_snapshot_in_parts_is_complete(server, user):
    with V2(server.port, user) as client:
        ids = [client.begin({"op": "context.put", "contextKey": f"k{n}", "force": True,
                             "data": {"n": n, "pad": "x" * 5000}}) for n in range(200)]
        for operation in ids:
            last = client.finish(operation)
    with V2(server.port, user, snapshot=True) as client:
        position, contexts, _ = snapshot_of(client)
        assert position == last["position"]
        assert {key: context["data"]["n"] for key, context in contexts.items()} == \
            {f"k{n}": n for n in range(200)}


def test_operation_sent_again_is_applied_once(server, user):
    with V2(server.port, user, "desk") as client:
        first = client.put("k", {"n": 1}, operation_id="op-1")
        again = client.put("k", {"n": 1}, operation_id="op-1")
        assert again.pop("duplicate") is True
        assert again == first
    with V2(server.port, user, "desk") as client:
        assert client.put("k", {"n": 1}, operation_id="op-1")["duplicate"] is True
        assert client.put("k", {"n": 2}, operation_id="op-2")["version"] == 2


def test_same_operation_id_of_another_instance_is_another_operation(server, user):
    with V2(server.port, user, "desk") as one, V2(server.port, user, "lap") as two:
        assert one.put("k", {"n": 1}, operation_id="op-1")["version"] == 1
        assert two.put("k", {"n": 2}, operation_id="op-1")["version"] == 2


def test_operation_id_used_for_something_else_is_refused(server, user):
    with V2(server.port, user) as client:
        client.put("k", {"n": 1}, operation_id="op-1")
        with pytest.raises(Refused) as refusal:
            client.put("k", {"n": 2}, operation_id="op-1")
        assert refusal.value.code == "operation_reused"


def test_expected_version_is_compared_for_equality(server, user):
    with V2(server.port, user) as client:
        client.put("k", {"n": 1}, force=False, expectedVersion=0)
        client.put("k", {"n": 2}, force=False, expectedVersion=1)
        for wrong in (0, 1, 3, 99):
            with pytest.raises(Refused) as refusal:
                client.put("k", {"n": 9}, force=False, expectedVersion=wrong)
            assert refusal.value.code == "version_conflict"
            assert refusal.value.payload["current"]["version"] == 2
            assert refusal.value.payload["current"]["data"] == {"n": 2}


def test_of_two_compare_and_sets_at_once_one_wins(server, user):
    with V2(server.port, user) as one, V2(server.port, user) as two:
        for version in range(50):
            ids = [(client, client.begin({"op": "context.put", "contextKey": "k",
                                          "data": {"by": name}, "expectedVersion": version}))
                   for client, name in ((one, "one"), (two, "two"))]
            won = 0
            for client, operation in ids:
                try:
                    assert client.finish(operation)["version"] == version + 1
                    won += 1
                except Refused as refusal:
                    assert refusal.code == "version_conflict"
            assert won == 1


def test_patches_delete_and_restore(server, user):
    with V2(server.port, user) as client:
        client.put("k", {"a": 1, "b": 2})
        client.do("context.merge-patch", contextKey="k", patch={"b": None, "c": 3})
        done = client.do("context.json-patch", contextKey="k",
                         patch=[{"op": "replace", "path": "/a", "value": 7}])
        assert done["result"]["context"]["data"] == {"a": 7, "c": 3}
        assert client.do("context.delete", contextKey="k")["version"] == 4
        restored = client.do("context.restore", contextKey="k", version=1)
        assert restored["version"] == 5
        assert restored["result"]["context"]["data"] == {"a": 1, "b": 2}


def test_three_way_merge_keeps_both_and_records_a_conflict(server, user):
    with V2(server.port, user, "desk") as client:
        client.put("k", {"a": 1, "b": 1, "c": 1})
        client.put("k", {"a": 2, "b": 1, "c": 2})
        merged = client.put("k", {"a": 1, "b": 3, "c": 4}, force=False, mergeStrategy="merge",
                            expectedVersion=1)
        context = merged["result"]["context"]
        assert context["data"] == {"a": 2, "b": 3, "c": 2}
        conflicts = merged["result"]["conflicts"]
        assert [conflict["path"] for conflict in conflicts] == ["/c"]
        assert (conflicts[0]["stored"], conflicts[0]["incoming"]) == (2, 4)
        resolved = client.do("conflict.resolve", conflictId=conflicts[0]["id"], choice="incoming")
        assert resolved["result"]["context"]["data"]["c"] == 4


def test_plain_and_negotiated_clients_see_each_other(server, user):
    with V2(server.port, user) as modern, Plain(server.port, user) as plain:
        modern.put("k", {"from": "modern"})
        assert plain.receive("context-sync")["payload"]["data"] == {"from": "modern"}
        plain.write("k", {"from": "plain"})
        events = modern.events(2)
        assert events[1]["data"]["context"]["data"] == {"from": "plain"}
        assert events[1]["sourceInstanceId"] == plain.instance


def test_presence_names_who_is_there(server, user):
    with V2(server.port, user, "desk") as client, V2(server.port, user, "lap"):
        while True:
            instances = client.receive("presence", 5)["payload"]["instances"]
            if {one["instanceId"] for one in instances} == {"desk", "lap"}:
                break


def test_another_user_on_the_same_connection_is_closed(server, user):
    client = Plain(server.port, user)
    client.user = "somebody else"
    client.send("ping", {})
    with pytest.raises(Closed) as closed:
        while True:
            client.read()
    assert closed.value.code == 4403


@pytest.mark.parametrize("payload", [{"op": "no.such"}, {"op": "context.put"}, {}, {"op": 7},
                                     {"op": "context.put", "contextKey": "k", "data": 7},
                                     {"op": "context.put", "contextKey": "k", "data": [1]},
                                     {"op": "mode.set", "mode": "asleep"},
                                     {"op": "context.delete", "contextKey": ""}])
def test_bad_command_is_refused_and_the_connection_lives_on(server, user, payload):
    with V2(server.port, user) as client:
        with pytest.raises(Refused) as refusal:
            client.finish(client.begin(payload))
        assert refusal.value.code in ("unknown_type", "missing_field", "invalid_field")
        assert refusal.value.payload["detail"] and refusal.value.payload["retry"] is False
        client.put("k", {})


def test_log_survives_a_restart_and_places_stay_good(make_server, user):
    server = make_server().start()
    with V2(server.port, user) as client:
        places = [client.put("k", {"n": n})["position"] for n in range(20)]
    server.kill()
    server.start()
    with V2(server.port, user, resume=places[9]) as client:
        assert [event["data"]["context"]["data"]["n"] for event in client.events(10)] == \
            list(range(10, 20))


def refused(client, message, kind="error"):
    """The error that answers a message of any form."""
    client.raw.send(frames.frame(frames.TEXT, json.dumps(message)))
    return client.receive(kind)["payload"]


def test_what_is_not_known_is_refused_and_nothing_is_done(server, user):
    with V2(server.port, user) as client:
        client.put("k", {"n": 1})
        for message in (
                {"type": "command", "payload": {"op": "context.delete", "contextKey": "k",
                                                "expectdVersion": 77}},
                {"type": "command", "expectedVersion": 77,
                 "payload": {"op": "context.delete", "contextKey": "k"}},
                {"type": "command", "payload": {"op": "context.delete", "contextKey": "k",
                                                "version": 77}},
                {"type": "context-sync", "payload": {"contextKey": "k", "deleted": True,
                                                     "expectedVersion": 77}},
                {"type": "context-sync", "payload": {"contextKey": "k", "deleted": True,
                                                     "userId": "somebody else"}},
                {"type": "command", "instanceId": "another one",
                 "payload": {"op": "context.delete", "contextKey": "k"}}):
            error = refused(client, {"id": str(uuid.uuid4()), **message})
            assert error["code"] == "invalid_field", error
        assert client.put("k", {"n": 2})["version"] == 2


@pytest.mark.parametrize("bad", [" ada", "ada\u3000", "a\u200bda", "Jose\u0301", "a\u2028b"])
def test_an_identity_is_refused_on_every_way_in(server, user, bad):
    for hello in ({"userId": bad, "instanceId": "i"}, {"userId": user, "instanceId": bad}):
        with V2(server.port, user) as client, \
                frames.open_websocket(server.port, "/sync", {}) as raw:
            del client
            raw.send(frames.frame(frames.TEXT, json.dumps(
                {"type": "hello", "payload": {"protocol": 2, **hello}})))
            seen = []
            while not seen or seen[-1] != "error":
                got = raw.read_frame()
                assert got.opcode == frames.TEXT, "an error comes before it is closed"
                seen.append(json.loads(got.payload)["type"])
            assert "welcome" not in seen
    # What existing instances send is answered with an error, and nothing is written.
    for user_id, instance in ((bad, "i"), (user, bad)):
        with Plain(server.port) as plain:
            plain.user, plain.instance = user_id, instance
            plain.write("k", {"n": 1})
            assert plain.receive("error")["payload"]["code"] == "invalid_field"
    with V2(server.port, user) as client:
        if bad != "Jose\u0301":
            with pytest.raises(Refused):
                client.do("context.put", operation_id=bad, contextKey="k", data={}, force=True)
        assert client.put("k", {})["version"] == 1

"""Inspired mode is private from the moment it is asked for, whatever becomes of the ask."""

import json
import time

import pytest

from support import frames
from support.plain import Plain
from support.rest import Api
from support.sse import Stream
from support.v2 import V2, Refused

INSTANCES = 300  # more than a user has places for (instances_per_user_max)


def error_of(client, message_id):
    return client.receive("error", where=lambda m: m["payload"].get("requestId") == message_id)


def is_private(server, client, key):
    """Nothing that it writes gets out, nothing that others write is pushed to it."""
    with Plain(server.port, "ada") as witness, V2(server.port, "ada") as other:
        client.write(key, {"from": "the private one"})
        client.ping()
        other.put(f"others-{key}", {})
        assert witness.receive("context-sync")["payload"]["contextKey"] == f"others-{key}"
        assert client.nothing_comes()
    return key not in [one["contextKey"] for one in client.state()["contexts"]]


def test_the_300th_instance_is_as_private_as_the_first(make_server):
    server = make_server().start()
    for n in range(INSTANCES):
        with Plain(server.port, "ada", f"start-{n}") as client:
            client.set_mode("inspired")
            client.set_mode("didactic")
            client.ping()
    with Plain(server.port, "ada", "start-last") as client:
        client.set_mode("inspired")
        assert is_private(server, client, "secret")
    modes = Api(server, "ada").get("modes")["modes"]
    assert len(modes) <= 257
    assert {"start-last", f"start-{INSTANCES - 1}"} <= {one["instanceId"] for one in modes}
    assert "start-0" not in {one["instanceId"] for one in modes}, "who was first made room"


def test_private_instances_are_not_forgotten_for_others(make_server):
    server = make_server().start()
    with Plain(server.port, "ada", "quiet") as client:
        client.set_mode("inspired")
        client.ping()
    for n in range(INSTANCES):
        with Plain(server.port, "ada", f"start-{n}") as client:
            client.set_mode("didactic")
            client.ping()
    with Plain(server.port, "ada", "quiet") as client:  # it says nothing
        assert is_private(server, client, "secret")


REFUSED = [
    {"currentMode": "inspired", "configuration": 7, "transitionDuration": "long"},
    {"transitionDuration": "long", "currentMode": "inspired"},
    {"currentMode": "inspired", "configuration": {"x": "y" * 300_000}},
    {"currentMode": "inspired", "toMode": "didactic"},
    {"currentMode": "didactic", "toMode": "inspired"},
    {"currentMode": "incognito"},
    {"mode": 5},
    {},
]


@pytest.mark.parametrize("payload", REFUSED, ids=range(len(REFUSED)))
def test_a_refused_mode_leaves_the_safer_state_behind(make_server, payload):
    server = make_server().start()
    with Plain(server.port, "ada", "desk") as client:
        sent = client.send("mode-update", payload)
        error_of(client, sent)
        assert is_private(server, client, "secret")
        client.set_mode("parallel")
        client.write("open", {})
        client.ping()
        assert "open" in [one["contextKey"] for one in client.state()["contexts"]]


def test_text_that_is_no_json_names_a_mode_all_the_same(make_server):
    server = make_server().start()
    with Plain(server.port, "ada", "desk") as client:
        text = json.dumps(client.envelope("mode-update", {"currentMode": "inspired", "x": "#"}))
        client.raw.send(frames.frame(frames.TEXT, text.replace('"#"', "01")))
        client.receive("error")
        assert is_private(server, client, "secret")


def test_a_refused_mode_that_is_plainly_another_changes_nothing(make_server):
    server = make_server().start()
    with Plain(server.port, "ada", "desk") as client:
        sent = client.send("mode-update", {"currentMode": "didactic", "configuration": [1, 2],
                                           "transitionDuration": "long"})
        error_of(client, sent)
        client.write("open", {})
        assert "open" in [one["contextKey"] for one in client.state()["contexts"]]


@pytest.mark.parametrize("name", ["Inspired", "INSPIRED", " inspired ", "inspired\n"])
def test_the_name_of_a_mode_counts_in_any_case(make_server, name):
    server = make_server().start()
    with Plain(server.port, "ada", "desk") as client:
        client.send("mode-update", {"currentMode": name})
        assert is_private(server, client, "secret")
        assert client.state()["modeState"]["currentMode"] == "inspired"


def test_what_is_sent_right_behind_the_ask_does_not_get_out(make_server):
    server = make_server().start()
    with Plain(server.port, "ada") as witness:
        for n in range(30):
            with Plain(server.port, "ada", f"desk-{n}") as client:
                messages = [client.envelope("mode-update", {"currentMode": "inspired"}),
                            client.envelope("context-sync", {"contextKey": f"secret-{n}",
                                                             "data": {}})]
                client.raw.send(b"".join(frames.frame(frames.TEXT, json.dumps(one))
                                         for one in messages))
                client.ping()
        keys = [one["contextKey"] for one in witness.state()["contexts"]]
        assert keys == []


def test_a_negotiated_refusal_counts_for_every_connection_of_the_instance(make_server):
    server = make_server().start()
    api = Api(server, "ada", instance="desk")
    with V2(server.port, "ada", instance="desk") as client:
        with pytest.raises(Refused):
            client.do("mode.set", mode="inspired", expectedVersion=9)
        with pytest.raises(Refused) as refused:
            client.put("secret", {})
        assert refused.value.code == "private_mode"
        assert api.status("PUT", "contexts/secret", {"data": {}, "force": True}) == 403
        assert client.do("mode.set", mode="didactic")
        client.put("open", {})
        assert api.status("PUT", "contexts/open", {"data": {}, "force": True}) == 200


@pytest.mark.parametrize("body, headers", [
    ({"currentMode": "inspired"}, {"If-Match": '"7"'}),
    ({"currentMode": "inspired", "expectedVersion": 7}, {}),
    ({"currentMode": "inspired", "transitionDuration": -5}, {}),
    ({"currentMode": "INSPIRED", "configuration": "text"}, {}),
    ({"currentMode": 5}, {}),
    ({"currentMode": "inspired"}, {"Content-Type": "text/plain"}),
    ({"currentMode": "inspired"}, {"Idempotency-Key": ""}),
])
def test_a_mode_that_rest_refuses(make_server, body, headers):
    server = make_server().start()
    status, _, _ = server.request("PUT", "/api/v1/modes/desk", json.dumps(body),
                                  {"Content-Type": "application/json", "Dyad-User": "ada",
                                   **headers})
    assert status >= 400
    api = Api(server, "ada", instance="desk")
    assert api.status("PUT", "contexts/secret", {"data": {}, "force": True}) == 403
    assert api.status("PUT", "modes/desk", {"currentMode": "didactic"}) == 201
    assert api.status("PUT", "contexts/open", {"data": {}, "force": True}) == 201


def test_nobody_sees_whether_a_private_instance_is_there(make_server):
    server = make_server().start()
    api = Api(server, "ada")

    def present():
        return {one["instanceId"] for one in api.get("instances")["instances"] if one["presence"]}

    with V2(server.port, "ada", instance="watcher") as watcher, \
            Plain(server.port, "ada", "desk") as desk:
        def told(instances):
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                message = watcher.receive("presence", 10)
                if {one["instanceId"] for one in message["payload"]["instances"]} == instances:
                    return True
            return False

        assert told({"watcher", "desk"}) and present() == {"watcher", "desk"}
        desk.set_mode("inspired")
        desk.ping()
        assert present() == {"watcher"} and told({"watcher"})
        desk.set_mode("parallel")
        assert told({"watcher", "desk"})


def test_a_private_instance_is_not_told_who_comes_and_goes(make_server):
    server = make_server().start()
    with V2(server.port, "ada", instance="desk") as desk:
        desk.receive("presence")
        desk.do("mode.set", mode="inspired")
        desk.inbox.clear()
        with V2(server.port, "ada", instance="lap") as lap:
            while {"lap"} != {one["instanceId"] for one in
                              lap.receive("presence")["payload"]["instances"]}:
                pass
            desk.send("ping", {})
            desk.receive("pong")
            assert "presence" not in [message["type"] for message in desk.inbox]
            desk.do("mode.set", mode="didactic")
            while {"desk", "lap"} != {one["instanceId"] for one in
                                      desk.receive("presence")["payload"]["instances"]}:
                pass


def test_a_stream_that_names_a_private_instance_waits(make_server):
    server = make_server().start()
    api = Api(server, "ada", instance="desk")
    with V2(server.port, "ada") as other:
        assert api.status("PUT", "modes/desk", {"currentMode": "inspired"}) == 201
        named = Stream(server, "ada", {"Dyad-Instance": "desk"}, timeout=2)
        unnamed = Stream(server, "ada")
        assert named.next()[0] == unnamed.next()[0] == "position"
        other.put("k", {})
        assert unnamed.next()[0] == "context-updated"
        named.socket.settimeout(2)  # less than until the next comment, however slow the machine
        with pytest.raises(TimeoutError):
            named.next()
        named.socket.settimeout(10)
        assert api.status("PUT", "modes/desk", {"currentMode": "didactic"}) == 200
        assert named.next()[0] == "context-updated" and named.next()[0] == "mode-changed"

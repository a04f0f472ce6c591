"""What the plain dialect promises: who is meant by a message, and what a slow client is sent."""

import json
import time

import pytest

from support import frames
from support.plain import Closed, Plain
from support.server import wait_until
from support.v2 import V2


def test_an_event_never_comes_before_an_older_state(make_server):
    server = make_server().start()
    with V2(server.port, "ada") as writer, Plain(server.port, "ada") as reader:
        # More than the sockets between them take.
        for n in range(100):
            writer.put(f"k{n}", {"x": "y" * 200_000})
        for _ in range(100):
            reader.receive("context-sync")
        # Two answers on their way, of which the second has not begun; then something newer.
        reader.send("state-request", {})
        reader.send("state-request", {})
        time.sleep(0.3)
        writer.put("k0", {"x": "newer"})
        states, versions = 0, []
        while states < 2 or len(versions) < 3:
            message = reader.read(20)
            payload = message["payload"]
            if message["type"] == "state-response":
                states += 1
                versions += [one["metadata"]["version"] for one in payload["contexts"]
                             if one["contextKey"] == "k0"]
            if message["type"] == "context-sync" and payload["contextKey"] == "k0":
                versions.append(payload["version"])
        assert versions == sorted(versions), "an older state came later"
        assert versions[-1] == 2


def test_who_fell_behind_hears_of_the_present_instances_once(make_server):
    server = make_server().start()
    with V2(server.port, "ada", instance="behind") as behind, V2(server.port, "ada") as writer:
        behind.receive("presence")
        for n in range(60):
            writer.put(f"k{n}", {"x": "y" * 250_000})
        for n in range(3):
            with V2(server.port, "ada", instance=f"passing-{n}"):
                time.sleep(1.2)
        staying = V2(server.port, "ada", instance="staying")
        time.sleep(1.2)
        said = []

        def present():
            said.append({one["instanceId"] for one in
                         behind.receive("presence", 20)["payload"]["instances"]})
            return "staying" in said[-1]

        wait_until(present, 30, what="the newest presence")
        assert len(said) <= 2, said
        staying.close()


def test_a_message_is_of_the_instance_that_it_names(make_server):
    server = make_server().start()
    with Plain(server.port, "ada", "lap") as reader, Plain(server.port, "ada", "desk") as client:
        client.instance = "desk-window-2"  # as existing servers take it
        client.write("notes", {"n": 1})
        client.set_mode("didactic")
        assert reader.receive("context-sync")["instanceId"] == "desk-window-2"
        assert reader.receive("mode-update")["instanceId"] == "desk-window-2"
        assert client.nothing_comes(), "what it wrote through this very connection"
        client.instance = " desk"
        client.write("notes", {"n": 2})
        assert "instanceId" in client.receive("error")["payload"]["detail"]


def test_nothing_leaves_through_the_connection_of_a_private_instance(make_server):
    server = make_server().start()
    with Plain(server.port, "ada", "lap") as reader, Plain(server.port, "ada", "desk") as client:
        client.set_mode("inspired")
        client.instance = "other"
        refused = client.write("secret", {"n": 1})
        error = client.receive("error", where=lambda m: m["payload"]["requestId"] == refused)
        assert error["payload"]["code"] == "private_mode"
        client.set_mode("inspired")
        client.instance = "desk"
        client.set_mode("parallel")
        client.write("open", {"n": 2})
        client.instance = "other"
        refused = client.write("secret", {"n": 3})
        assert client.receive("error", where=lambda m: m["payload"]["requestId"] == refused)
        assert reader.receive("context-sync")["payload"]["contextKey"] == "open"
        assert reader.nothing_comes(kinds=("context-sync",))


# Whom a handshake names, as every other request may: by header, in ASCII, or by its query.
NAMED = [("/sync", {"Dyad-User": "named", "Dyad-Instance": "desk"}),
         ("/sync?user=named&instance=desk", {}),
         ("/", {"Dyad-User": "UTF-8''named", "Dyad-Instance": "UTF-8'en'desk"}),
         ("/?user=named", {"Dyad-User": "named", "Dyad-Instance": "desk"})]


@pytest.mark.parametrize("path,headers", NAMED)
def test_whom_the_handshake_names_is_whose_memory_it_is(make_server, path, headers):
    server = make_server().start()
    with Plain(server.port, path=path, headers=headers) as client:
        client.instance = ""
        client.write("k", {"n": 1})
        assert client.state()["contexts"][0]["contextKey"] == "k"
        state = json.loads(server.get("/api/v1/contexts/k?user=named")[2])
        assert state["data"] == {"n": 1} and state["createdBy"] == "desk"
        assert server.get("/api/v1/contexts/k")[0] == 404
    # A message may name the same user, and its own instance.
    with Plain(server.port, "named", "laptop", path, headers) as client:
        client.write("k", {"n": 2})
        assert client.state()["contexts"][0]["data"] == {"n": 2}
    assert json.loads(server.get("/api/v1/contexts/k?user=named")[2])["lastModifiedBy"] == "laptop"
    # Whoever is private by that name stays it.
    assert server.request("PUT", "/api/v1/modes/desk?user=named", '{"mode":"inspired"}',
                          {"Content-Type": "application/json"})[0] == 201
    with Plain(server.port, path=path, headers=headers) as client:
        client.instance = ""
        client.write("secret", {})
        assert client.receive("error")["payload"]["code"] == "private_mode"


def test_a_message_that_names_another_user_than_its_handshake_ends_it(make_server):
    server = make_server().start()
    with Plain(server.port, headers={"Dyad-User": "ada"}) as client:
        client.user = "eve"
        client.write("k", {})
        assert client.receive("error")["payload"]["code"] == "forbidden_user"
        with pytest.raises(Closed) as closed:
            client.receive("pong")
        assert closed.value.code == 4403
    for user in ("ada", "eve", "local"):
        assert server.get(f"/api/v1/contexts/k?user={user}")[0] == 404


def test_hello_says_what_its_handshake_says(make_server):
    server = make_server().start()

    def hello(payload, headers):
        raw = frames.open_websocket(server.port, "/sync",
                                    {"Sec-WebSocket-Protocol": "dyad.v2", **headers})
        raw.read_frame(5)
        raw.send(frames.frame(frames.TEXT, json.dumps(
            {"type": "hello", "payload": {"protocol": 2, **payload}})))
        return json.loads(raw.read_frame(5).payload)

    named = {"Dyad-User": "ada", "Dyad-Instance": "desk"}
    for payload in ({"instanceId": "desk"}, {"instanceId": "desk", "userId": "ada"}):
        assert hello(payload, named)["userId"] == "ada"
    assert hello({"instanceId": "laptop"}, named)["payload"]["code"] == "invalid_field"
    assert hello({"instanceId": "desk", "userId": "eve"}, named)["payload"]["code"] == \
        "forbidden_user"


@pytest.mark.parametrize("headers", [
    {"Dyad-User": " "}, {"Dyad-User": "a\u0085"}, {"Dyad-User": "UTF-8''%ff"},
    {"Dyad-User": "u" * 257},
    {"Dyad-Instance": "UTF-8''a%E2%80%8Bb"}, {"Dyad-Instance": "i" * 129}])
def test_a_handshake_that_names_nobody_who_can_be_is_refused(make_server, headers):
    server = make_server().start()
    with pytest.raises(AssertionError, match="Dyad-"):
        frames.open_websocket(server.port, headers=headers)

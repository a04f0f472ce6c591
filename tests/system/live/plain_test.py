"""What the plain dialect promises: who is meant by a message, and what a slow client is sent."""

import time

from support.plain import Plain
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

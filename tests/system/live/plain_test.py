"""What the plain dialect promises where a client is slow."""

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

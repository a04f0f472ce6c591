"""A state that a client asks for holds what the same client wrote before, however fast it goes on
writing and asking."""

import json
import threading

from support import frames
from support.plain import Plain
from support.v2 import V2


def contexts(message):
    return {one["contextKey"]: one["data"] for one in message["payload"]["contexts"]}


def test_a_write_that_waits_for_its_base_is_not_overtaken_by_later_ones(make_server):
    server = make_server().start()
    with V2(server.port, "ada") as client:
        client.put("plan", {"one": 1})
        client.put("plan", {"one": 1, "two": 2})
        for round in range(20):
            merged, asked, later = f"m-{round}", f"s-{round}", f"l-{round}"
            # The base of the merge has to be read; what is put needs nothing.
            commands = [
                (merged, "command", {"op": "context.put", "contextKey": "plan",
                                     "mergeStrategy": "merge", "expectedVersion": 1,
                                     "data": {"one": 1, f"by-{round}": True},
                                     "force": False}),
                (asked, "state-request", {}),
                (later, "command", {"op": "context.put", "contextKey": "other", "data": {},
                                    "force": True}),
            ]
            client.raw.send(b"".join(
                frames.frame(frames.TEXT, json.dumps({"id": i, "type": t, "payload": p}))
                for i, t, p in commands))
            state = client.receive("state-response")
            client.finish(merged)
            client.finish(later)
            assert f"by-{round}" in contexts(state)["plan"]


def test_each_state_holds_what_was_written_before_it(make_server):
    server = make_server().start()
    done = threading.Event()

    def others():  # they keep the server turning while a commit is under way
        with Plain(server.port, "bob") as other:
            while not done.is_set():
                other.ping()

    threads = [threading.Thread(target=others) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with Plain(server.port, "ada") as client:
            for n in range(300):
                for key in ("a", "b"):
                    client.send("context-sync", {"contextKey": key, "data": {"n": n},
                                                 "version": 0, "mergeStrategy": "replace"})
                    client.send("state-request", {})
                first, second = (contexts(client.receive("state-response")) for _ in range(2))
                assert first["a"] == {"n": n}
                assert second["a"] == {"n": n} and second["b"] == {"n": n}
    finally:
        done.set()
        for thread in threads:
            thread.join()

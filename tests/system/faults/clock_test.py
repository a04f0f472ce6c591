"""Wrong clocks on the real binary: nothing is destroyed, dates stay right, and it is said.

And how rarely an idle server wakes up.
"""

import json
import pathlib
import time

import pytest

from support.plain import Plain
from support.server import wait_until

DAY = 24 * 3600


def put(server, key, data):
    status, _, body = server.request("PUT", f"/api/v1/contexts/{key}", json.dumps({"data": data}),
                                     {"Content-Type": "application/json"})
    assert status in (200, 201), body


def keys(server):
    body = json.loads(server.get("/api/v1/contexts")[2])
    return {context["contextKey"] for context in body["contexts"]}


def clock(server):
    return json.loads(server.get("/api/v1/status")[2])["clock"]


def test_a_clock_that_is_ahead_for_a_moment_destroys_nothing(clocked):
    make, ahead = clocked
    server = make().start()
    put(server, "kept", {"n": 1})
    before = time.time() * 1000
    ahead.write_text(str(40 * DAY))
    wait_until(lambda: not clock(server)["believed"], 40, 0.2, "the jump to be seen")
    assert clock(server)["aheadMs"] > 39 * DAY * 1000
    assert clock(server)["holdLeftMs"] > 0
    time.sleep(3)
    put(server, "during", {"n": 2})
    assert keys(server) == {"kept", "during"}
    ahead.write_text("0")
    put(server, "after", {"n": 3})
    wait_until(lambda: clock(server)["believed"], 40, 0.2, "the clock to be believed again")
    assert keys(server) == {"kept", "during", "after"}
    events = json.loads(server.get("/api/v1/events")[2])["events"]
    assert all(before - 5000 <= event["timestamp"] <= time.time() * 1000 + 5000
               for event in events)
    assert "nothing expires by it until" in server.log()
    assert "the clock is believed again" in server.log()


@pytest.mark.parametrize("days", [40, 4000, -40, -20000])
def test_a_start_at_a_wrong_date_destroys_nothing(clocked, days):
    make, ahead = clocked
    server = make().start()
    put(server, "kept", {"n": 1})
    assert server.stop() == 0
    ahead.write_text(str(days * DAY))
    server.start()
    assert keys(server) == {"kept"}
    time.sleep(2)
    assert keys(server) == {"kept"}
    assert not clock(server)["believed"]
    server.kill()
    ahead.write_text("0")
    server.start()
    time.sleep(1)
    assert keys(server) == {"kept"}
    assert clock(server)["believed"]


def test_what_ended_while_the_machine_was_off_goes_where_the_clock_is_believed(clocked):
    make, ahead = clocked
    server = make(DYAD_CLOCK_HOLD_HOURS="0", CONTEXT_TTL_DAYS="1").start()
    put(server, "over", {"n": 1})
    assert server.stop() == 0
    ahead.write_text(str(2 * DAY))
    server.start()
    wait_until(lambda: keys(server) == set(), 40, 0.2, "the context to expire")


def wakeups(server):
    """Of all its threads, so far; but for a sanitizer's, which has no name of its own."""
    total = 0
    main = str(server.process.pid)
    name = pathlib.Path(f"/proc/{main}/comm").read_text()
    for task in pathlib.Path(f"/proc/{main}/task").iterdir():
        if task.name != main and (task / "comm").read_text() == name:
            continue
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def wakeups_in(server, seconds):
    before = wakeups(server)
    time.sleep(seconds)
    return wakeups(server) - before


@pytest.mark.parametrize("cells", ["1", "3"])
def test_an_idle_server_sleeps(make_server, cells):
    server = make_server(args=["--cells", cells]).start()
    put(server, "k", {"n": 1})
    # At most one a second with nobody there, once what was written has found its place.
    wait_until(lambda: wakeups_in(server, 3) <= 3, 60, 0, "the server to sleep")
    with Plain(server.port, "u"):
        wait_until(lambda: wakeups_in(server, 3) <= 2 * 3, 60, 0, "the server to sleep")

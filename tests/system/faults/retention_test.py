"""Retention on the real binary: kept to the day, in the log, the history and the files."""

import json
import time

from support.server import wait_until

DAY = 24 * 3600
CANARY = "c4n4ry"


def write(server, user, key, data=None):
    headers = {"Content-Type": "application/json", "Dyad-User": user}
    method = "DELETE" if data is None else "PUT"
    body = None if data is None else json.dumps({"data": data, "force": True})
    status, _, answer = server.request(method, f"/api/v1/contexts/{key}", body, headers)
    assert status in (200, 201, 204), answer


def read(server, user, path):
    status, _, body = server.request("GET", path, None, {"Dyad-User": user})
    return status, json.loads(body)


def test_a_day_is_a_day_for_everybody_and_in_every_file(clocked):
    make, ahead = clocked
    ahead.write_text(str(-11 * DAY))
    server = make(DYAD_CLOCK_HOLD_HOURS="0", SYNC_EVENT_TTL_DAYS="1", CONTEXT_TTL_DAYS="0").start()
    write(server, "quiet", "kept", {"note": "from before"})
    write(server, "quiet", CANARY, {"note": CANARY * 100})
    write(server, "quiet", CANARY)
    for day in range(-10, 1, 2):  # a write every second day, the last one just now
        assert server.stop() == 0
        ahead.write_text(str(day * DAY))
        server.start()
        write(server, "ada", "diary", {"note": f"{CANARY} of day {day}" if day else "harmless"})
    secret_was_there = any(CANARY.encode() in file.read_bytes()
                           for file in server.data_dir.iterdir())
    assert secret_was_there
    assert server.stop() == 0
    server.start()

    def kept(user):
        return read(server, user, "/api/v1/events")[1]["events"]

    wait_until(lambda: not kept("quiet") and len(kept("ada")) == 1, 150, 1, "the pass")
    assert kept("ada")[0]["timestamp"] > (time.time() - DAY) * 1000
    assert read(server, "quiet", "/api/v1/contexts/kept")[1]["data"] == {"note": "from before"}
    assert read(server, "quiet", "/api/v1/contexts/kept/history")[1]["versions"] == []
    assert read(server, "quiet", f"/api/v1/contexts/{CANARY}/history")[0] == 404
    assert len(read(server, "ada", "/api/v1/contexts/diary/history")[1]["versions"]) == 1
    assert read(server, "ada", f"/api/v1/search?q={CANARY}*")[1]["hits"] == []
    # Erasing the files follows dropping the events.
    wait_until(lambda: not any(CANARY.encode() in file.read_bytes()
                               for file in server.data_dir.iterdir()), 30, 0.5, "clean files")
    write(server, "quiet", "kept", {"note": "goes on"})
    events = kept("quiet")
    assert [event["offset"] for event in events] == [4]
    assert server.stop() == 0

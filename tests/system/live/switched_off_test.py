"""ENABLE_REAL_TIME_EVENTS=false: clients are told of nothing that they did not ask for."""

import json

from support.plain import Plain
from support.v2 import V2


def test_nothing_is_pushed_and_everything_can_be_asked_for(make_server):
    server = make_server(env={"ENABLE_REAL_TIME_EVENTS": "false"}).start()
    with Plain(server.port, "ada") as plain, V2(server.port, "ada") as other, \
            V2(server.port, "ada") as writer:
        writer.put("k", {"n": 1})
        plain.ping()
        assert plain.nothing_comes()
        assert [one["contextKey"] for one in plain.state()["contexts"]] == ["k"]
        other.send("ping", {})
        other.receive("pong")
        assert "events" not in [message["type"] for message in other.inbox]
        with V2(server.port, "ada", snapshot=True) as reader:
            assert reader.receive("snapshot")["payload"]["contexts"][0]["contextKey"] == "k"
    status, _, body = server.get("/api/v1/events/stream")
    assert status == 403 and "ENABLE_REAL_TIME_EVENTS" in json.loads(body)["detail"]
    assert json.loads(server.get("/api/v1/status")[2])["realTimeEvents"] is False

"""Streams, questions to the client, cancelling, in both eras, on the registry of fixtures."""

import time

import pytest

from support.mcp import (LEGACY, PREFIX, Session, Stream, ask, listen, message, meta,
                         modern_headers, send)
from support.rest import Api
from support.server import PATIENCE, wait_until

UPDATED = "notifications/resources/updated"


@pytest.fixture(scope="module", params=[1, 3])
def cells(request):
    """With more cells than one, what belongs together comes by different ones."""
    return request.param


@pytest.fixture
def api(fixture):
    return Api(fixture, "conformance", "writer")


def put(api, key, value):
    return api.call("PUT", f"contexts/{key}", {"data": {"v": value}, "force": True})


def open_stream(session, last=None):
    headers = {**session.headers(), "Accept": "text/event-stream"}
    if last:
        headers["Last-Event-ID"] = last
    return Stream(session.server, "GET", headers)


# ---- the stream of a session ----------------------------------------------------------

@pytest.mark.parametrize("version", LEGACY)
def test_a_session_hears_of_what_it_subscribed_to(fixture, api, version):
    session = Session(fixture, version)
    key = f"heard-{version}"
    assert session.ask("resources/subscribe", {"uri": key}).result == {}
    with open_stream(session) as stream:
        first, nothing = stream.next()
        assert nothing is None and first.count(".") == 2
        put(api, "unheard", 1)
        put(api, key, 1)
        event_id, told = stream.next()
        assert (told["method"], told["params"]) == (UPDATED, {"uri": key})
        assert "id" not in told and event_id != first
        assert session.ask("resources/unsubscribe", {"uri": key}).result == {}
        put(api, key, 2)
        assert stream.silent(0.5)


def test_last_event_id_is_a_place_in_the_log(fixture, api):
    session = Session(fixture)
    for key in ("one", "two", "three"):
        session.ask("resources/subscribe", {"uri": key})
    with open_stream(session) as stream:
        place, _ = stream.next()
    for key in ("one", "two", "one", "other", "three"):
        put(api, key, time.time())
    with open_stream(session, place) as stream:
        stream.next()
        told = [stream.next() for _ in range(3)]
        # Each once, as of its last change, in the order of the log.
        assert [one["params"]["uri"] for _, one in told] == ["two", "one", "three"]
    with open_stream(session, told[0][0]) as stream:
        stream.next()
        assert [stream.next()[1]["params"]["uri"] for _ in range(2)] == ["one", "three"]
    with open_stream(session, told[2][0]) as stream:
        stream.next()
        assert stream.silent(0.5)


def test_a_place_of_another_log_tells_of_everything(fixture):
    session = Session(fixture)
    session.ask("resources/subscribe", {"uri": "anything"})
    with open_stream(session, "00000000000000aa.7.00000000000000bb") as stream:
        seen = [stream.next() for _ in range(2)]
        assert UPDATED in [told and told["method"] for _, told in seen]


def test_changes_of_one_resource_are_told_together(fixture, api):
    session = Session(fixture)
    session.ask("resources/subscribe", {"uri": "busy"})
    with open_stream(session) as stream:
        stream.next()
        began = time.monotonic()
        for i in range(20):
            put(api, "busy", i)
        took = time.monotonic() - began
        told = 1
        stream.next()
        while not stream.silent(0.6):
            told += 1
        assert 2 <= told <= 2 + took / 0.25, (told, took)


def test_a_session_has_one_stream_the_newest(fixture, api):
    session = Session(fixture)
    session.ask("resources/subscribe", {"uri": "once"})
    with open_stream(session) as old:
        place, _ = old.next()
        with open_stream(session, place) as new:
            new.next()
            with pytest.raises(EOFError):
                old.next()
            put(api, "once", time.time())
            assert new.next()[1]["params"]["uri"] == "once"
            assert session.ask("ping").result == {}
            assert new.silent(0.5)


def test_what_a_stream_must_be_asked_with(fixture):
    session = Session(fixture)
    assert send(fixture, None, {**session.headers(), "Accept": "application/json"},
                "GET").status == 406
    assert send(fixture, None, {"Accept": "text/event-stream", "Mcp-Session-Id": "x"},
                "GET").status == 404
    session.end()
    assert send(fixture, None, {**session.headers(), "Accept": "text/event-stream"},
                "GET").status == 404


def test_subscriptions_have_a_bound(fixture):
    session = Session(fixture)
    for i in range(1024):
        assert session.ask("resources/subscribe", {"uri": f"r{i}"}).result == {}
    answer = session.ask("resources/subscribe", {"uri": "one-more"})
    assert "mcp_subscriptions_max" in answer.json["error"]["message"]


# ---- subscriptions/listen -------------------------------------------------------------

@pytest.mark.parametrize("id", [7, "seven"])
def test_listening_is_acknowledged_and_every_message_names_the_request(fixture, api, id):
    uris = ["listened", "also"]
    with listen(fixture, {"resourceSubscriptions": uris, "toolsListChanged": True,
                          "nothingKnown": True}, id) as stream:
        event_id, first = stream.next()
        assert event_id is None
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"]["notifications"] == {"resourceSubscriptions": uris,
                                                    "toolsListChanged": True}
        put(api, "listened", time.time())
        event_id, told = stream.next()
        assert event_id is None
        assert (told["method"], told["params"]["uri"]) == (UPDATED, "listened")
        ask(fixture, "tools/call", {"name": "test_trigger_prompt_change", "arguments": {}})
        ask(fixture, "tools/call", {"name": "test_trigger_tool_change", "arguments": {}})
        _, changed = stream.next()
        assert changed["method"] == "notifications/tools/list_changed"
        for one in (first, told, changed):
            assert one["params"]["_meta"] == {PREFIX + "subscriptionId": id}


def test_what_one_user_listens_to_is_nobody_elses(fixture, api):
    with listen(fixture, {"resourceSubscriptions": ["private"]},
                headers={"Dyad-User": "eve"}) as stream:
        stream.next()
        put(api, "private", 1)
        assert stream.silent(0.5)


def test_listening_needs_a_stream(fixture):
    params = {"notifications": {}, "_meta": meta()}
    headers = {**modern_headers("subscriptions/listen"), "Accept": "application/json"}
    assert send(fixture, message("subscriptions/listen", params), headers).status == 406


# ---- questions to the client ----------------------------------------------------------

FORM = {"elicitation": {}}
ASKS = {"name": "test_input_required_result_multi_round", "arguments": {}}


def answered(question, content):
    key = next(iter(question["inputRequests"]))
    return {**ASKS, "requestState": question["requestState"],
            "inputResponses": {key: {"action": "accept", "content": content}}}


def test_state_is_sealed_to_its_call_and_its_user(fixture):
    first = ask(fixture, "tools/call", ASKS, FORM).result
    assert first["resultType"] == "input_required"
    retry = answered(first, {"name": "Ada"})
    wrong = [
        {**retry, "requestState": first["requestState"][:-1]},
        {**retry, "requestState": first["requestState"] + "A"},
        {**retry, "requestState": "step2"},
        {**retry, "arguments": {"x": 1}},
        {**retry, "name": "test_input_required_result_request_state"},
    ]
    for params in wrong:
        answer = ask(fixture, "tools/call", params, FORM)
        assert answer.code == -32602 and "requestState" in answer.json["error"]["message"]
    answer = ask(fixture, "tools/call", retry, FORM, headers={"Dyad-User": "eve"})
    assert answer.code == -32602
    second = ask(fixture, "tools/call", retry, FORM).result
    assert "step2" in second["inputRequests"]
    last = ask(fixture, "tools/call", answered(second, {"color": "red"}), FORM).result
    assert last["resultType"] == "complete" and "red" in last["content"][0]["text"]


@pytest.mark.parametrize("capabilities, lacks", [
    ({}, {"elicitation": {}}), ({"elicitation": {"url": {}}}, {"elicitation": {}}),
])
def test_who_cannot_be_asked_is_told_what_it_lacks(fixture, capabilities, lacks):
    answer = ask(fixture, "tools/call", ASKS, capabilities)
    assert (answer.status, answer.code) == (400, -32021)
    assert answer.json["error"]["data"]["requiredCapabilities"] == lacks


def test_a_session_is_asked_on_the_stream_of_its_call(fixture):
    session = Session(fixture, capabilities=FORM)
    call = message("tools/call", ASKS, "call")
    with Stream(fixture, "POST", session.headers(), call) as stream:
        _, question = stream.next()
        assert question["method"] == "elicitation/create"
        accepted = {"jsonrpc": "2.0", "id": question["id"],
                    "result": {"action": "accept", "content": {"name": "Ada"}}}
        # Nobody answers for a session that is another one.
        assert Session(fixture).post(accepted).status == 202
        assert session.post(accepted).status == 202
        _, question = stream.next()
        assert session.post({"jsonrpc": "2.0", "id": question["id"],
                             "error": {"code": -1, "message": "no"}}).status == 202
        _, result = stream.next()
        assert result["id"] == "call" and "step2=cancel" in result["result"]["content"][0]["text"]


# ---- while a call is under way --------------------------------------------------------

PROGRESS = {"name": "test_tool_with_progress", "arguments": {}}


def test_progress_comes_on_a_stream_and_only_where_it_is_asked_for(fixture):
    told = ask(fixture, "tools/call", PROGRESS, progressToken="p").messages
    assert [one["params"]["progress"] for one in told[:-1]] == [0, 50, 100]
    assert all(one["params"]["progressToken"] == "p" for one in told[:-1])
    assert told[-1]["result"]["resultType"] == "complete"
    assert len(ask(fixture, "tools/call", PROGRESS).messages) == 1
    plain = ask(fixture, "tools/call", PROGRESS, progressToken=5,
                headers={"Accept": "application/json"})
    assert plain.headers["content-type"] == "application/json"


def test_logs_come_from_the_level_that_was_asked_for(fixture):
    call = {"name": "test_logging_tool", "arguments": {}}
    assert len(ask(fixture, "tools/call", call, **{PREFIX + "logLevel": "info"}).messages) == 4
    assert len(ask(fixture, "tools/call", call, **{PREFIX + "logLevel": "error"}).messages) == 1


WAITS = {"name": "test_waits", "arguments": {}}


def cancelled(fixture):
    return int(ask(fixture, "tools/call", {"name": "test_cancelled", "arguments": {}})
               .result["content"][0]["text"])


def test_what_takes_long_becomes_a_stream_and_closing_it_cancels(fixture):
    before = cancelled(fixture)
    params = {**WAITS, "_meta": meta()}
    began = time.monotonic()
    with Stream(fixture, "POST", modern_headers("tools/call", params),
                message("tools/call", params)) as stream:
        assert 1 < time.monotonic() - began < 5 * PATIENCE
        assert stream.response.readline() == b":\n"
        assert cancelled(fixture) == before
    wait_until(lambda: cancelled(fixture) == before + 1, what="the call to be cancelled")


def test_going_away_cancels_no_call_of_a_session(fixture):
    before = cancelled(fixture)
    session = Session(fixture)
    with Stream(fixture, "POST", session.headers(), message("tools/call", WAITS, "gone é")):
        pass
    time.sleep(0.5)
    assert cancelled(fixture) == before
    session.note("notifications/cancelled", {"requestId": "other"})
    session.note("notifications/cancelled", {"requestId": "gone é"})
    wait_until(lambda: cancelled(fixture) == before + 1, what="the call to be cancelled")


def test_an_id_that_no_program_can_hold_is_given_back_all_the_same(fixture):
    session = Session(fixture)
    call = '{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"%s"}}'
    huge = "1" * 40
    for name in ("test_simple_text", "test_tool_with_progress"):
        answer = session.post(call % (huge, name))
        assert answer.status == 200 and f'"id":{huge},' in answer.text


def test_streams_are_kept_alive(fixture):
    with listen(fixture, {"toolsListChanged": True}, timeout=30) as stream:
        stream.next()
        began = time.monotonic()
        assert stream.response.readline() == b":\n"
        assert 10 < time.monotonic() - began < 20 * PATIENCE


def test_a_session_cancels_by_a_notification(fixture):
    session = Session(fixture)
    params = {**PROGRESS, "_meta": {"progressToken": 1}}
    with Stream(fixture, "POST", session.headers(), message("tools/call", params, 41)) as stream:
        stream.next()
        session.note("notifications/cancelled", {"requestId": 41})
        with pytest.raises(EOFError):
            for _ in range(4):
                _, told = stream.next()
                assert "result" not in told


def test_parameters_that_a_schema_wants_in_headers(fixture):
    call = {"name": "test_custom_headers", "arguments": {"region": "eu-1"}}
    assert ask(fixture, "tools/call", call).code == -32020
    assert ask(fixture, "tools/call", call, headers={"Mcp-Param-Region": "us"}).code == -32020
    assert ask(fixture, "tools/call", call, headers={"Mcp-Param-Region": "eu-1"}).status == 200
    empty = {"name": "test_custom_headers", "arguments": {}}
    assert ask(fixture, "tools/call", empty).status == 200
    assert ask(fixture, "tools/call", empty, headers={"Mcp-Param-Region": "eu"}).code == -32020


@pytest.mark.parametrize("uri", ["test://nothing", "test://template//data"])
def test_a_resource_that_is_not_there(fixture, uri):
    answer = ask(fixture, "resources/read", {"uri": uri})
    assert (answer.status, answer.code) == (200, -32602)
    assert answer.json["error"]["data"] == {"uri": uri}
    assert Session(fixture).ask("resources/read", {"uri": uri}).code == -32002

"""What the REST interface promises beyond the form of its answers."""

import json
import threading
import uuid

import pytest

from support import chain, described, rest
from support.described import Interface
from support.sse import Stream

NOTES = "/api/v1/contexts/notes"


@pytest.fixture
def api(server):
    return Interface(server, f"user-{uuid.uuid4()}")


def raw(api, method, target, body=None, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent.setdefault("Dyad-User", api.user)
    return api.server.request(method, target, body, sent)


def test_a_repeated_request_is_applied_once_and_answered_alike(api):
    body = {"data": {"a": 1}}
    first, headers = api("PUT", NOTES, body, expect=201, Idempotency_Key="op-1")
    assert "idempotency-replayed" not in headers
    for _ in range(3):
        again, headers = api("PUT", NOTES, body, expect=201, Idempotency_Key="op-1")
        assert again == first and headers["idempotency-replayed"] == "true"
    assert len(rest.read_log(api.server, api.user)) == 1
    refused, _ = api("PUT", NOTES, {"data": {"a": 2}}, expect=409, Idempotency_Key="op-1")
    assert refused["code"] == "operation_reused"


def test_an_acknowledged_write_is_there_after_kill_9_and_its_repetition_is_known(make_server):
    server = make_server().start()
    api = Interface(server, "ada")
    first, _ = api("PUT", NOTES, {"data": {"a": 1}}, expect=201, Idempotency_Key="op-1")
    server.kill()
    server.start()
    assert api("GET", NOTES)[0]["data"] == {"a": 1}
    again, headers = api("PUT", NOTES, {"data": {"a": 1}}, expect=201, Idempotency_Key="op-1")
    assert again == first and headers["idempotency-replayed"] == "true"
    proof, _ = api("GET", "/api/v1/events/1")
    assert chain.problem(proof["proof"], proof["event"], "ada") is None


def test_counting_with_if_match_loses_no_step(api):
    api("PUT", NOTES, {"data": {"n": 0}}, expect=201)
    failures = []

    def count(steps):
        try:
            while steps:
                status, headers, body = raw(api, "GET", NOTES)
                assert status == 200
                change = json.dumps({"data": {"n": json.loads(body)["data"]["n"] + 1}}).encode()
                status, _, body = raw(api, "PUT", NOTES, change, If_Match=headers["ETag"],
                                      Content_Type="application/json")
                assert status in (200, 412), body
                steps -= status == 200
        except Exception as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=count, args=(20,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    final, _ = api("GET", NOTES)
    assert final["data"] == {"n": 120} and final["version"] == 121


def test_one_of_many_creators_wins(api):
    statuses = []

    def create():
        statuses.append(raw(api, "PUT", NOTES, b'{"data":{}}', If_None_Match="*",
                            Content_Type="application/json")[0])

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [412] * 7


def test_a_broken_stream_goes_on_without_a_hole(api):
    api("PUT", "/api/v1/contexts/k0", {"data": {}}, expect=201)
    with Stream(api.server, api.user) as stream:
        place = stream.next()[1]
    offsets = []
    for number in range(1, 12):
        api("PUT", f"/api/v1/contexts/k{number}", {"data": {}}, expect=201)
        if number % 3 == 0:
            with Stream(api.server, api.user, {"Last-Event-ID": place}) as stream:
                assert stream.next()[1] == place
                for _ in range(2):  # takes only some of what is there
                    _, place, event = stream.next()
                    offsets.append(event["offset"])
    with Stream(api.server, api.user, after=place) as stream:
        stream.next()
        while offsets[-1] < 12:
            offsets.append(stream.next()[2]["offset"])
    assert offsets == list(range(2, 13))


@pytest.mark.parametrize("place", ["0123456789abcdef.1.0011223344556677", "nonsense", "7"])
def test_a_lost_place_begins_with_the_state(api, place):
    api("PUT", NOTES, {"data": {"a": 1}}, expect=201)
    with Stream(api.server, api.user, {"Last-Event-ID": place}) as stream:
        messages = stream.until("snapshot-end")
        kinds = [kind for kind, _, _ in messages]
        assert kinds.index("reset") < kinds.index("snapshot-end")
        _, end, state = messages[-1]
        assert [one["contextKey"] for one in state["contexts"]] == ["notes"]
        api("PUT", "/api/v1/contexts/later", {"data": {}}, expect=201)
        assert stream.next()[2]["offset"] == 2
    with Stream(api.server, api.user, after=end) as stream:
        stream.next()
        assert stream.next()[2]["offset"] == 2


def test_a_slow_reader_gets_everything_and_delays_nobody(api):
    big = {"data": {"text": "x" * 60_000}, "force": True}
    with Stream(api.server, api.user, timeout=30) as slow, Stream(api.server, api.user) as fast:
        slow.next(), fast.next()
        for number in range(1, 101):
            api("PUT", NOTES, big, expect=201 if number == 1 else 200)
            assert fast.next()[2]["offset"] == number
        assert [slow.next()[2]["offset"] for _ in range(100)] == list(range(1, 101))


def test_a_stream_filters_by_type(api):
    with Stream(api.server, api.user, types="mode-changed,response-generated") as stream:
        stream.next()
        api("PUT", NOTES, {"data": {}}, expect=201)
        api("PUT", "/api/v1/modes/desk", {"mode": "parallel"})
        assert stream.next()[0] == "mode-changed"


def test_users_are_apart(api, server):
    other = Interface(server, f"user-{uuid.uuid4()}")
    with Stream(server, other.user) as stream:
        stream.next()
        api("PUT", NOTES, {"data": {"secret": "canary"}}, expect=201)
        other("PUT", "/api/v1/contexts/own", {"data": {}}, expect=201)
        assert "canary" not in json.dumps(stream.next())
    other("GET", NOTES, expect=404)
    assert [one["contextKey"] for one in other("GET", "/api/v1/contexts")[0]["contexts"]] == ["own"]
    assert other("GET", "/api/v1/search?q=canary")[0]["hits"] == []
    assert other("GET", "/api/v1/events")[0]["last"] == 1


SOURCE = {"sourceType": "local", "provider": "p", "model": "m", "responseText": "t"}
ANSWER = {"chatId": "c", "messageId": "m", "mode": "parallel", **SOURCE}
BAD = [
    ("GET", "/api/v1/contexts?limit=0", None, 400, "limit"),
    ("GET", "/api/v1/contexts?limit=1001", None, 400, "limit"),
    ("GET", "/api/v1/contexts?colour=red", None, 400, "colour"),
    ("GET", "/api/v1/contexts?cursor=zz", None, 400, "cursor"),
    ("GET", "/api/v1/contexts?type=nothing", None, 400, "type"),
    ("GET", "/api/v1/events?after=1.2.3.4", None, 400, "after"),
    ("GET", "/api/v1/events?limit=1&limit=2", None, 400, "limit: stands twice"),
    ("GET", "/api/v1/events/0", None, 400, "offset"),
    ("GET", "/api/v1/events/stream?types=nothing", None, 400, "types"),
    ("GET", "/api/v1/search", None, 400, "q"),
    ("GET", "/api/v1/search?q=" + "x" * 1025, None, 413, "q"),
    ("PUT", NOTES, {}, 400, "data"),
    ("PUT", NOTES, {"data": []}, 400, "data"),
    ("PUT", NOTES, {"data": {}, "tags": ["t"] * 33}, 400, "tags"),
    ("PUT", NOTES, {"data": {}, "contextType": "none"}, 400, "contextType"),
    ("PUT", NOTES, {"data": {}, "mergeStrategy": "none"}, 400, "mergeStrategy"),
    ("PUT", NOTES, {"data": {}, "ttlDays": -1}, 400, "ttlDays"),
    ("PUT", NOTES, {"data": {"x": "y" * 262144}}, 413, "data"),
    ("PUT", "/api/v1/contexts/" + "k" * 257, {"data": {}}, 413, "contextKey"),
    ("PUT", "/api/v1/modes/desk", {"mode": "fast"}, 400, "mode"),
    ("POST", "/api/v1/events/mcp", {"payload": {}}, 400, "type"),
    ("POST", "/api/v1/responses", {"chatId": "c"}, 400, "provider"),
    ("POST", "/api/v1/responses", {**ANSWER, "confidence": "0.9"}, 400, "confidence: must be"),
    ("POST", "/api/v1/responses", {**ANSWER, "sourceType": "ai"}, 400, "local, external or harm"),
    ("POST", "/api/v1/responses", {**ANSWER, "timestamp": "now"}, 400, "timestamp: must be"),
    ("POST", "/api/v1/responses", {**ANSWER, "sources": [{**SOURCE, "costUsd": "1"}]}, 400,
     "sources.0.costUsd"),
    ("POST", "/api/v1/responses", {**ANSWER, "sources": [{**SOURCE, "costUsd": -1}]}, 400,
     "sources.0.costUsd"),
    ("POST", NOTES + "/restore", {}, 400, "version"),
    ("POST", "/api/v1/conflicts/1.1/resolve", {"choice": "both"}, 400, "choice"),
    ("POST", "/api/v1/conflicts/1.1/resolve", {"choice": "stored"}, 404, ""),
]


@pytest.mark.parametrize("method,target,body,status,names", BAD,
                         ids=[f"{one[0]} {one[1][:48]} {one[4]}" for one in BAD])
def test_bad_input_is_refused_by_name(api, method, target, body, status, names):
    problem, headers = api(method, target, body, expect=status)
    assert names in problem["detail"], problem
    assert problem["status"] == status and problem["type"] == "/errors/" + problem["code"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]


def refusals(api):
    """Problem documents of every layer that refuses."""
    yield raw(api, "GET", "/api/v1/nothing")
    yield raw(api, "GET", "/api/v1/contexts", Host="elsewhere.example")
    yield raw(api, "GET", "/api/v1/contexts", Origin="http://elsewhere.example")
    yield raw(api, "GET", "/sync")
    yield raw(api, "GET", "/api/v1/contexts", Dyad_User="u" * 300)
    yield raw(api, "GET", "/api/v1/" + "x" * 20000)


def test_a_problem_is_of_one_form_wherever_it_arises_and_its_type_explains_it(api):
    codes = set()
    for status, _, body in refusals(api):
        problem = json.loads(body)
        described.check(problem, described.DOCUMENT["components"]["schemas"]["Problem"], body)
        assert problem["status"] == status and problem["detail"]
        codes.add(problem["code"])
        got, headers, text = raw(api, "GET", problem["type"])
        assert got == 200 and headers["Content-Type"].startswith("text/plain")
        assert problem["title"] in text.decode() and problem["code"] in text.decode()
    assert codes == {"not_found", "forbidden_host", "forbidden_origin", "invalid_request",
                     "too_large", "header_too_large"}


def test_every_error_is_explained_and_no_other(api):
    for row in json.loads((described.ROOT / "protocol/errors.json").read_text())["errors"]:
        status, _, text = raw(api, "GET", "/errors/" + row["name"])
        assert status == 200 and row["message"] in text.decode()
        assert str(row["httpStatus"]) in text.decode()
        assert ("can succeed later" in text.decode()) == row["retry"]
    for name in ("nothing", "", "not_found/x", "..%2f"):
        assert raw(api, "GET", "/errors/" + name)[0] == 404


@pytest.mark.parametrize("body,code,status", [
    (b"{", "invalid_json", 400), (b'{"data":{}} x', "invalid_json", 400),
    (b'{"data":{"a":1,"a":2}}', "invalid_field", 400),
    (b'{"data":{"a":"\xff"}}', "invalid_utf8", 400),
    (b'{"data":' + b'{"a":' * 40 + b"1" + b"}" * 41, "too_large", 413),
    (b"[]", "invalid_field", 400), (b"", "unsupported_media_type", 415),
])
def test_bodies_are_read_strictly(api, body, code, status):
    headers = {"Content_Type": "application/json"} if body else {}
    got, _, answer = raw(api, "PUT", NOTES, body, **headers)
    assert (got, json.loads(answer)["code"]) == (status, code)


def test_only_json_is_taken(api):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert raw(api, "PUT", NOTES, b'{"data":{}}', Content_Type=kind)[0] == 415


@pytest.mark.parametrize("target", [
    "/nothing", "/api/v1/nothing", "/api/v1", "/assets/../status.js", "/assets/%2e%2e/x",
    "/etc/passwd", "/api/v1/contexts/a/b"])
def test_other_paths_are_problem_documents(api, target):
    status, headers, body = raw(api, "GET", target)
    assert status == 404 and headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["code"] == "not_found"


@pytest.mark.parametrize("target,allowed", [
    ("/api/v1/status", "GET, HEAD"), ("/api/v1/contexts", "GET, HEAD"),
    (NOTES, "GET, HEAD, PUT, PATCH, DELETE"), ("/api/v1/events/mcp", "POST"),
    ("/api/v1/responses", "GET, HEAD, POST"), ("/healthz", "GET, HEAD"), ("/", "GET, HEAD")])
def test_other_methods_are_told_what_is_allowed(api, target, allowed):
    status, headers, _ = raw(api, "OPTIONS", target)
    assert status == 405 and headers["Allow"] == allowed


def test_the_page_and_its_files_stand_under_a_strict_policy(api):
    for target, kind in (("/", "text/html"), ("/assets/status.js", "text/javascript"),
                         ("/assets/status.css", "text/css")):
        status, headers, body = raw(api, "GET", target)
        assert status == 200 and headers["Content-Type"].startswith(kind) and body
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"

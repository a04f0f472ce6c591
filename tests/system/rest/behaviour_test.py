"""What the REST interface promises beyond the form of its answers."""

import json
import threading
import time
import urllib.parse
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
    assert refused["code"] == "operation_reused" and "Idempotency-Key" in refused["detail"]


@pytest.mark.parametrize("method,target,body,status", [
    ("PUT", NOTES, {"data": {}, "ttlDays": 3}, 201),
    ("POST", "/api/v1/responses", {"chatId": "c", "messageId": "m", "mode": "didactic",
                                   "sourceType": "external", "provider": "p", "model": "m",
                                   "responseText": "t", "sources": []}, 201),
])
def test_what_the_server_dates_itself_is_the_same_when_it_is_sent_again_later(
        api, method, target, body, status):
    first, _ = api(method, target, body, expect=status, Idempotency_Key="op-1")
    time.sleep(0.02)
    again, headers = api(method, target, body, expect=status, Idempotency_Key="op-1")
    assert again == first and headers["idempotency-replayed"] == "true"
    assert len(rest.read_log(api.server, api.user)) == 1


def test_an_expiry_that_was_set_is_not_moved_by_later_writes(api):
    made, _ = api("PUT", NOTES, {"data": {}, "ttlDays": 1}, expect=201)
    context = made["context"]
    assert context["expiryFixed"] and context["expiresAt"] == context["updatedAt"] + 86_400_000
    api("PUT", NOTES, {"data": {"a": 1}, "force": True})
    assert api("GET", NOTES)[0]["expiresAt"] == context["expiresAt"]
    api("PUT", NOTES, {"data": {"a": 1}, "force": True, "ttlDays": 0})
    assert api("GET", NOTES)[0]["expiresAt"] is None


@pytest.mark.parametrize("more", [
    {}, {"force": True}, {"mergeStrategy": "merge"}, {"mergeStrategy": "ignore"}])
def test_a_condition_in_the_header_holds_whatever_the_body_says(api, more):
    api("PUT", NOTES, {"data": {"a": 1}}, expect=201)
    for condition in ({"If_Match": '"7"'}, {"If_None_Match": "*"}):
        refused, _ = api("PUT", NOTES, {"data": {"a": 2}, **more}, expect=412, **condition)
        assert refused["code"] == "version_conflict"
    assert api("GET", NOTES)[0]["data"] == {"a": 1}


def test_conditions_that_contradict_each_other_are_refused(api):
    api("PUT", NOTES, {"data": {"a": 1}}, expect=201)
    api("PUT", NOTES, {"data": {}}, expect=412, If_Match='"1"', If_None_Match="*")
    other, _ = api("PUT", NOTES, {"data": {}, "expectedVersion": 2}, expect=400, If_Match='"1"')
    assert "expectedVersion" in other["detail"]
    api("PUT", NOTES, {"data": {}, "expectedVersion": 1}, If_Match='"1"')


GUARDED = [("PUT", NOTES, b'{"data":{"a":2},"force":true}', "application/json"),
           ("PATCH", NOTES, b'{"a":2}', "application/merge-patch+json"),
           ("DELETE", NOTES, None, None),
           ("POST", NOTES + "/restore", b'{"version":1}', "application/json"),
           ("PUT", "/api/v1/modes/desk", b'{"mode":"parallel"}', "application/json")]


@pytest.mark.parametrize("method,target,body,kind", GUARDED, ids=lambda value: str(value)[-12:])
def test_a_guard_by_date_is_not_passed_over(api, method, target, body, kind):
    api("PUT", NOTES, {"data": {"a": 1}}, expect=201)
    date = {"If_Unmodified_Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
    kinds = {"Content_Type": kind} if kind else {}
    status, _, answer = raw(api, method, target, body, **date, **kinds)
    assert status == 400 and "If-Match" in json.loads(answer)["detail"]
    assert len(rest.read_log(api.server, api.user)) == 1
    # Beside If-Match it does not count (RFC 9110 section 13.1.4).
    tag = "*" if "modes" not in target else '"9"'
    status = raw(api, method, target, body, If_Match=tag, **date, **kinds)[0]
    assert status == (200 if "modes" not in target else 412)


@pytest.mark.parametrize("method,target,body,kind", [one for one in GUARDED if one[2]],
                         ids=lambda value: str(value)[-12:])
@pytest.mark.parametrize("name,value,status", [
    ("Content_Range", "bytes 0-3/10", 400), ("Content_Type", "KIND; charset=iso-8859-1", 415),
    ("Content_Type", 'KIND;charset="UTF-16"', 415), ("Content_Type", "KIND; CharSet=utf8", 200),
    ("Content_Type", "KIND; v=1; charset=US-ASCII", 200)])
def test_what_the_header_says_of_a_body_is_not_passed_over(api, method, target, body, kind, name,
                                                           value, status):
    api("PUT", NOTES, {"data": {"a": 1}}, expect=201)
    got, _, answer = raw(api, method, target, body, **{
        "Content_Type": kind, name: value.replace("KIND", kind)})
    assert got == status or (status == 200 and got == 201), answer
    if status != 200:
        assert name.replace("_", "-") in json.loads(answer)["detail"]
        assert len(rest.read_log(api.server, api.user)) == 1


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"data":{}}', '{"data":{}}'.encode("utf-16"),
                                  b"\x1f\x8b\x08\x00\x00"])
def test_a_body_in_another_encoding_is_told_so(api, body):
    status, _, answer = raw(api, "PUT", NOTES, body, Content_Type="application/json")
    problem = json.loads(answer)
    assert (status, problem["code"]) == (400, "invalid_json") and "UTF-8" in problem["detail"]


def test_a_whole_number_may_be_written_as_json_writes_any_number(api):
    for version, text in ((0, "0.0"), (1, "1.0"), (2, "2e0"), (3, "0.3e1"), (4, "40E-1")):
        status, _, answer = raw(api, "PUT", NOTES, '{"data":{},"expectedVersion":%s}' % text,
                                Content_Type="application/json")
        assert status == (200 if version else 201), (text, answer)
    assert raw(api, "POST", NOTES + "/restore", '{"version":1.0}',
               Content_Type="application/json")[0] == 200
    for text in ("1.5", "1e400", "-1.0", "0.99999999999999999999999", '"1"', "1e30"):
        status, _, answer = raw(api, "PUT", NOTES, '{"data":{},"expectedVersion":%s}' % text,
                                Content_Type="application/json")
        assert status == 400 and "expectedVersion" in json.loads(answer)["detail"], (text, answer)


@pytest.mark.parametrize("instance", ["%20desk", "desk%0A", "a%E2%80%8Bb", "Jose%CC%81",
                                      "%EF%BF%BF", "x" * 129])
def test_an_instance_that_nobody_can_be_is_refused_as_a_filter_too(api, instance):
    status, _, answer = raw(api, "GET", f"/api/v1/transitions?instance={instance}")
    assert status in (400, 413) and "instance" in json.loads(answer)["detail"]


def test_an_identity_of_another_charset_is_not_taken_by_the_letter(api):
    for value in ("UTF8''Jos%C3%A9", "ISO-8859-1''Jos%E9"):
        status, _, answer = raw(api, "GET", "/api/v1/status", Dyad_User=value)
        assert status == 400 and "UTF-8''" in json.loads(answer)["detail"]


def test_head_of_a_check_begins_none(api):
    status, headers, body = raw(api, "HEAD", "/api/v1/check")
    assert (status, headers["Content-Type"], body) == (200, "application/x-ndjson", b"")
    assert raw(api, "GET", "/api/v1/check")[0] == 200


def test_a_mode_and_a_conflict_are_written_on_their_condition(api):
    desk = "/api/v1/modes/desk"
    api("PUT", desk, {"mode": "didactic"}, expect=201, If_None_Match="*")
    api("PUT", desk, {"mode": "parallel"}, expect=412, If_None_Match="*")
    api("PUT", desk, {"mode": "parallel"}, expect=412, If_Match='"7"')
    _, headers = api("PUT", desk, {"mode": "parallel"}, If_Match='"1"')
    assert headers["etag"] == '"2"'
    api("PUT", NOTES, {"data": {"a": 1}}, expect=201)
    api("PUT", NOTES, {"data": {"a": 2}, "expectedVersion": 1})
    api("PUT", NOTES, {"data": {"a": 3}, "expectedVersion": 1, "mergeStrategy": "merge"})
    conflict = api("GET", "/api/v1/conflicts")[0]["conflicts"][0]["id"]
    resolve = f"/api/v1/conflicts/{conflict}/resolve"
    api("POST", resolve, {"choice": "incoming"}, expect=412, If_Match='"2"')
    api("POST", resolve, {"choice": "incoming"}, If_Match='"3"')
    assert api("GET", NOTES)[0]["data"] == {"a": 3}


@pytest.mark.parametrize("name", ["Dyad_User", "Dyad_Instance", "Idempotency_Key"])
@pytest.mark.parametrize("value", ["", "\xff\xfe", "a\x85", "\xed\xa0\x80"])
def test_what_names_somebody_or_something_is_utf8_or_refused(api, name, value):
    status, _, body = raw(api, "PUT", NOTES, b'{"data":{}}', Content_Type="application/json",
                          **{name: value})
    assert status == 400 and name.replace("_", "-") in json.loads(body)["detail"]
    assert rest.read_log(api.server, api.user) == []


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
        api("PUT", "/api/v1/modes/desk", {"mode": "parallel"}, expect=201)
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


@pytest.mark.parametrize("text,query,found", [
    ("memory — plan", "memory — plan", True), ("memory — plan", "memory & plan", True),
    ("Łódź", "Lodz", True), ("lodz", "ŁÓDŹ", True), ("Straße", "STRASSE", True),
    ("今天玩成语接龙游戏", "成语接龙", True), ("今天玩成语接龙游戏", "接", True),
    ("今天玩成语接龙游戏", "成龙", False), ("ฉันรักภาษาไทยมาก", "ภาษาไทย", True),
    ("학교에서 공부", "학교", True), ("ｺｰﾋｰ", "コーヒー", True), ("مُحَمَّد", "محمد", True),
    ("мой дом", "мои", False), ("see f(x)", "(f(x", True), ("Portland, OR", "Portland OR", True),
    ("5 inch", "5\" inch", True), ("mail ada@example.com", "example.com", True),
])
def test_search_folds_and_cuts_text_and_query_alike(api, text, query, found):
    api("PUT", NOTES, {"data": {"note": text}}, expect=201)
    hits = api("GET", "/api/v1/search?q=" + urllib.parse.quote(query))[0]["hits"]
    assert len(hits) == found
    for hit in hits:
        shown = hit["snippet"].replace("\x02", "").replace("\x03", "")
        assert shown == text and hit["snippet"] != text


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
    ("GET", "/api/v1/events/stream?snapshot=1", None, 400, "snapshot"),
    ("GET", "/api/v1/search", None, 400, "q"),
    ("GET", "/api/v1/search?q=%E2%80%94%20%26", None, 400, "q: has no letter"),
    ("GET", "/api/v1/search?q=()", None, 400, "q: has no letter"),
    ("GET", "/api/v1/search?q=" + "x" * 1025, None, 413, "q"),
    ("PUT", NOTES, {}, 400, "data"),
    ("PUT", NOTES, {"data": []}, 400, "data"),
    ("PUT", NOTES, {"data": {}, "tags": ["t"] * 33}, 400, "tags"),
    ("PUT", NOTES, {"data": {}, "contextType": "none"}, 400, "contextType"),
    ("PUT", NOTES, {"data": {}, "mergeStrategy": "none"}, 400, "mergeStrategy"),
    ("PUT", NOTES, {"data": {}, "ttlDays": -1}, 400, "ttlDays"),
    ("PUT", NOTES, {"data": {}, "ttlDays": 36501}, 400, "ttlDays"),
    ("PUT", NOTES, {"data": {}, "ttlDays": 1, "expiresAt": None}, 400, "ttlDays"),
    ("PUT", NOTES, {"data": {}, "expiresAt": 1767225600}, 400, "milliseconds"),
    ("PUT", "/api/v1/modes/dyad-server", {"mode": "parallel"}, 400, "instanceId"),
    ("PUT", NOTES, {"data": {"x": "y" * 262144}}, 413, "data"),
    ("PUT", "/api/v1/contexts/" + "k" * 257, {"data": {}}, 413, "contextKey"),
    ("PUT", "/api/v1/modes/desk", {"mode": "fast"}, 400, "mode"),
    ("POST", "/api/v1/events/mcp", {"payload": {}}, 400, "type"),
    ("POST", "/api/v1/events/mcp", {"type": "mcp:x", "payload": {}}, 400, "type: must be"),
    ("POST", "/api/v1/responses", {**ANSWER, "sources": [{**SOURCE, "inputTokens": -1}]}, 400,
     "sources.0.inputTokens"),
    ("POST", "/api/v1/responses", {**ANSWER, "sources": [{"provider": "p"}]}, 400,
     "sources.0.sourceType"),
    ("POST", "/api/v1/responses", {"chatId": "c"}, 400, "messageId"),
    ("POST", "/api/v1/responses", {"chatId": "c", "messageId": "m"}, 400, "final"),
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
    assert problem["status"] == status and leads_to_its_error(target, problem)
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]


def leads_to_its_error(target, problem):
    """`type` is relative, so that it holds behind a proxy that serves this under a path."""
    base = "http://host/under/a/path"
    return (not problem["type"].startswith("/") and
            urllib.parse.urljoin(base + target, problem["type"]) ==
            f"{base}/errors/{problem['code']}")


def refusals(api):
    """Problem documents of every layer that refuses."""
    contexts = "/api/v1/contexts"
    for target, headers in (("/api/v1/nothing", {}), (contexts, {"Host": "elsewhere.example"}),
                            (contexts, {"Origin": "http://elsewhere.example"}), ("/sync", {}),
                            (contexts, {"Dyad_User": "u" * 300}), ("/api/v1/" + "x" * 20000, {})):
        yield target, *raw(api, "GET", target, **headers)


def test_a_problem_is_of_one_form_wherever_it_arises_and_its_type_explains_it(api):
    codes = set()
    for target, status, _, body in refusals(api):
        problem = json.loads(body)
        described.check(problem, described.DOCUMENT["components"]["schemas"]["Problem"], body)
        assert problem["status"] == status and problem["detail"]
        codes.add(problem["code"])
        got, headers, text = raw(api, "GET", urllib.parse.urljoin(target, problem["type"]))
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
    mixed = "Application/JSON; charset=utf-8"
    assert raw(api, "PUT", NOTES, b'{"data":{}}', Content_Type=mixed)[0] == 201
    for kind, status in (("application/merge-patch+jsonx", 415),
                         ("Application/Merge-Patch+JSON", 200)):
        assert raw(api, "PATCH", NOTES, b'{"a":1}', Content_Type=kind)[0] == status


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
    ("/api/v1/openapi.yaml", "GET, HEAD"),
    ("/api/v1/responses", "GET, HEAD, POST"), ("/healthz", "GET, HEAD"), ("/", "GET, HEAD")])
def test_other_methods_are_told_what_is_allowed(api, target, allowed):
    status, headers, body = raw(api, "OPTIONS", target)
    assert (status, headers["Allow"], body) == (204, allowed + ", OPTIONS", b"")
    status, headers, _ = raw(api, "POST" if "POST" not in allowed else "DELETE", target)
    assert status == 405 and headers["Allow"] == allowed + ", OPTIONS"


def test_the_page_and_its_files_stand_under_a_strict_policy(api):
    for target, kind in (("/", "text/html"), ("/assets/status.js", "text/javascript"),
                         ("/assets/status.css", "text/css")):
        status, headers, body = raw(api, "GET", target)
        assert status == 200 and headers["Content-Type"].startswith(kind) and body
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"

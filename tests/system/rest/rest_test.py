"""REST over a socket: every request and every answer is held against the description."""

import hashlib
import json
import urllib.parse
import uuid

import pytest

from support import chain, described
from support.described import Interface
from support.sse import Stream


@pytest.fixture
def api(server):
    """The interface, for a user that nobody else has."""
    return Interface(server, f"user-{uuid.uuid4()}")


def key_path(key, *rest):
    return "/".join(["/api/v1/contexts", urllib.parse.quote(key, safe=""), *rest])


def make(api, key="notes", **body):
    body.setdefault("data", {"a": 1})
    return api("PUT", key_path(key), body, expect=201)[0]


def make_conflict(api):
    make(api)
    api("PUT", key_path("notes"), {"data": {"a": 2}, "expectedVersion": 1})
    merged, _ = api("PUT", key_path("notes"),
                    {"data": {"a": 3}, "mergeStrategy": "merge", "expectedVersion": 1})
    return merged["conflicts"][0]["id"]


RESPONSE = {
    "chatId": "c", "messageId": "m", "mode": "parallel", "sourceType": "harmonized",
    "provider": "dyad", "model": "harmonizer", "confidence": 0, "responseText": "The answer.",
    "sources": [{"sourceType": "local", "provider": "ollama", "model": "llama3",
                 "responseText": "One answer.", "inputTokens": 8, "costUsd": 0.5}],
    "metadata": {"localProvider": "ollama", "harmonizationStrategy": "vote"},
}


# One success of every operation that is described; a new operation needs a line here.

def get_status(api):
    status, _ = api("GET", "/api/v1/status")
    assert status["userId"] == api.user
    assert status["isFullyOperational"] and status["websocket"]["port"] == api.server.port


def list_instances(api):
    api("PUT", "/api/v1/modes/desk-1", {"mode": "didactic"}, expect=201, Dyad_Instance="desk-1")
    found, _ = api("GET", "/api/v1/instances")
    assert [one["instanceId"] for one in found["instances"]] == ["desk-1"]
    assert found["instances"][0]["presence"] is None


def modes(api):
    body = {"currentMode": "parallel", "configuration": {"b": 1}, "transitionDuration": 7}
    written, headers = api("PUT", "/api/v1/modes/desk-1", body, expect=201)
    assert written["mode"]["capabilities"]["multiChannel"] and headers["etag"] == '"1"'
    api("PUT", "/api/v1/modes/desk-1", {"mode": "inspired", "success": False, "errorMessage": "x"})
    now = api("GET", "/api/v1/modes/desk-1")[0]
    assert (now["currentMode"], now["success"], now["errorMessage"]) == ("parallel", False, "x")
    assert len(api("GET", "/api/v1/modes")[0]["modes"]) == 1
    newest_first = api("GET", "/api/v1/transitions?instance=desk-1&limit=10")[0]["transitions"]
    assert [one["currentMode"] for one in newest_first] == ["parallel", "parallel"]
    assert newest_first[0]["attemptedMode"] == "inspired" and newest_first[0]["syncVersion"] == 2


def next_page(target, headers):
    """Where the Link of a page leads; None at the end."""
    link = headers.get("link")
    return link and urllib.parse.urljoin(target, link.removeprefix("<").split(">")[0])


def contexts(api):
    for key in ("b", "a", "c"):
        make(api, key, tags=["t"], contextType="chat", ttlDays=0)
    page, headers = api("GET", "/api/v1/contexts?limit=2&type=chat&tag=t&updatedSince=1")
    assert [one["contextKey"] for one in page["contexts"]] == ["a", "b"]
    rest, _ = api("GET", next_page("/api/v1/contexts", headers))
    assert [one["contextKey"] for one in rest["contexts"]] == ["c"] and rest["next"] is None


def named_by_query(api):
    for key in (".", "..", "a/b", "a//b", "a\\b", "a/history", "/", "?#%+"):
        at = "contextKey=" + urllib.parse.quote(key, safe="")
        api("PUT", "/api/v1/context?" + at, {"data": {"a": 1}}, expect=201)
        api("PATCH", "/api/v1/context?" + at, b'{"b":1}',
            Content_Type="application/merge-patch+json")
        assert api("GET", "/api/v1/context?" + at)[0]["contextKey"] == key
        target = f"/api/v1/context/history?{at}&limit=1"
        page, headers = api("GET", target)
        assert page["versions"][0]["context"]["version"] == 2
        assert api("GET", next_page(target, headers))[0]["versions"][0]["context"]["version"] == 1
        assert api("GET", "/api/v1/context/history/1?" + at)[0]["data"] == {"a": 1}
        assert api("POST", "/api/v1/context/restore?" + at, {"version": 1})[0]["version"] == 3
        api("DELETE", "/api/v1/context?" + at, If_Match='"3"')
    api("PUT", "/api/v1/mode?instanceId=..", {"mode": "parallel"}, expect=201)
    assert api("GET", "/api/v1/mode?instanceId=..")[0]["instanceId"] == ".."


def get_context(api):
    make(api, "chat:1/é ü")
    read, headers = api("GET", key_path("chat:1/é ü"))
    assert read["contextKey"] == "chat:1/é ü"
    api("HEAD", key_path("chat:1/é ü"))
    api("GET", key_path("chat:1/é ü"), expect=304, If_None_Match=headers["etag"])


def put_context(api):
    make(api)
    written, headers = api("PUT", key_path("notes"), {"data": {"a": 2}}, If_Match='"1"')
    assert headers["etag"] == '"2"' and written["context"]["data"] == {"a": 2}
    refused, _ = api("PUT", key_path("notes"), {"data": {}}, expect=412, If_Match='"1"')
    assert refused["current"]["version"] == 2
    ignored, _ = api("PUT", key_path("notes"), {"data": {"a": 9}, "mergeStrategy": "ignore"})
    assert ignored["ignored"] and ignored["incoming"] == {"a": 9}


def patch_context(api):
    make(api, data={"a": 1, "b": 1})
    api("PATCH", key_path("notes"), json.dumps({"b": None}).encode(),
        Content_Type="application/merge-patch+json")
    patch = [{"op": "test", "path": "/a", "value": 1}, {"op": "add", "path": "/c", "value": [1]}]
    done, _ = api("PATCH", key_path("notes"), json.dumps(patch).encode(), If_Match='"2"',
                  Content_Type="application/json-patch+json")
    assert done["context"]["data"] == {"a": 1, "c": [1]}


def delete_context(api):
    make(api)
    gone, _ = api("DELETE", key_path("notes"))
    assert gone["context"]["deleted"] and gone["context"]["data"] is None
    api("GET", key_path("notes"), expect=404)
    api("DELETE", key_path("notes"), expect=404)


def history(api):
    make(api)
    api("PUT", key_path("notes"), {"data": {"a": 2}, "force": True})
    page, headers = api("GET", key_path("notes", "history") + "?limit=1")
    assert page["versions"][0]["context"]["version"] == 2 and "rel=\"next\"" in headers["link"]
    page, _ = api("GET", key_path("notes", "history") + f"?before={page['next']}")
    assert [one["action"] for one in page["versions"]] == ["created"]
    assert api("GET", key_path("notes", "history", "1"))[0]["data"] == {"a": 1}
    restored, _ = api("POST", key_path("notes", "restore"), {"version": 1})
    assert restored["version"] == 3 and restored["context"]["data"] == {"a": 1}


def search(api):
    make(api, "plans", data={"text": "the budget of the harvest festival"})
    hits = api("GET", "/api/v1/search?q=harvest&limit=5")[0]["hits"]
    assert [hit["contextKey"] for hit in hits] == ["plans"]
    assert "\x02harvest\x03" in hits[0]["snippet"]


def conflicts(api):
    conflict = make_conflict(api)
    assert len(api("GET", "/api/v1/conflicts?context=notes")[0]["conflicts"]) == 1
    done, _ = api("POST", f"/api/v1/conflicts/{conflict}/resolve", {"choice": "value", "value": 7})
    assert done["context"]["data"] == {"a": 7}
    assert api("GET", "/api/v1/conflicts")[0]["conflicts"] == []


def events(api):
    for number in range(5):
        make(api, f"k{number}")
    target, offsets = "/api/v1/events?limit=2", []
    while target:
        page, headers = api("GET", target)
        offsets += [event["offset"] for event in page["events"]]
        target = next_page(target, headers)
    assert offsets == [1, 2, 3, 4, 5]


def event_proofs(api):
    make_conflict(api)
    make(api, "other", data={"text": "\u00e9\U0001f600 \u2028", "n": 2**60, "list": [None, True]})
    api("PUT", "/api/v1/modes/desk-1", {"mode": "parallel"}, expect=201)
    before = None
    for offset in range(1, 6):
        found, _ = api("GET", f"/api/v1/events/{offset}")
        assert chain.problem(found["proof"], found["event"], api.user) is None
        assert before in (None, found["proof"]["prevHash"])
        before = found["proof"]["hash"]
    forged = dict(found["event"], operationId="another")
    assert chain.problem(found["proof"], forged, api.user)
    api("GET", "/api/v1/events/6", expect=404)


def announce_mcp(api):
    body = {"type": "mcp:tool-executed", "payload": {"tool": "search"}}
    api("POST", "/api/v1/events/mcp", body, expect=201)
    assert api("GET", "/api/v1/events")[0]["events"][0]["data"] == {"tool": "search"}


def claims(api):
    body = {"resource": "file:/a", "ttlMs": 60000, "note": "mending", "session": "s"}
    made, _ = api("POST", "/api/v1/claims", body, expect=201, Dyad_Instance="desk-1")
    again, _ = api("POST", "/api/v1/claims", body, Dyad_Instance="desk-1")
    assert (made["action"], again["action"]) == ("granted", "renewed")
    found, _ = api("GET", "/api/v1/claims?prefix=file:")
    assert found["claims"] == [again["claim"]]
    assert api("GET", "/api/v1/claims?prefix=context:")[0]["claims"] == []
    refused, _ = api("POST", "/api/v1/claims", body, expect=409, Dyad_Instance="desk-2")
    assert refused["code"] == "claimed" and refused["claim"] == again["claim"]
    token = made["claim"]["token"]
    gone, _ = api("DELETE", f"/api/v1/claims?resource=file%3A%2Fa&token={token}")
    assert gone["action"] == "released"
    api("DELETE", f"/api/v1/claims?resource=file%3A%2Fa&token={token}", expect=409)
    assert api("GET", "/api/v1/claims")[0]["claims"] == []


def responses(api):
    made, _ = api("POST", "/api/v1/responses", RESPONSE, expect=201, Dyad_Instance="desk-1")
    final = made["response"]["final"]
    assert final["responseHash"] == hashlib.sha256(b"The answer.").hexdigest()
    assert final["confidence"] == 0 and made["response"]["instanceId"] == "desk-1"
    page, _ = api("GET", "/api/v1/responses?chat=c&message=m&provider=ollama")
    assert len(page["responses"]) == 1
    assert "The answer." not in json.dumps(api("GET", "/api/v1/events")[0])


def stream(api):
    make(api)
    first = api("GET", "/api/v1/events")[0]["position"]
    make(api, "later")
    with Stream(api.server, api.user, after=first) as events_of:
        assert events_of.next()[0] == "position"
        event, identity, data = events_of.next()
        assert event == "context-updated" and data["data"]["context"]["contextKey"] == "later"
        described.check(data, {"$ref": "#/components/schemas/Event"}, "an event of the stream")
        assert identity == api("GET", "/api/v1/events")[0]["position"]


def check_store(api, path="/api/v1/check", method="GET"):
    make(api)
    status, headers, body = api.server.request(method, path, None, {"Dyad-User": api.user})
    assert status == 200 and headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in body.splitlines()]
    answers = described.DOCUMENT["paths"][path][method.lower()]["responses"]["200"]["content"]
    for line in lines:
        described.check(line, answers["application/x-ndjson"]["schema"], f"a line of {path}")
    assert lines[-1]["finished"] and lines[-1]["ok"] and lines[-1]["damages"] == []


def copy_store(api):
    check_store(api, "/api/v1/copy", "POST")
    assert (api.server.data_dir / "copy/memory.db").stat().st_size > 0


EXERCISES = {
    "checkStore": check_store, "copyStore": copy_store,
    "getStatus": get_status, "listInstances": list_instances, "listModes": modes, "getMode": modes,
    "setMode": modes, "listTransitions": modes, "listContexts": contexts,
    "getContext": get_context, "putContext": put_context, "patchContext": patch_context,
    "deleteContext": delete_context, "listContextHistory": history, "getContextVersion": history,
    "restoreContext": history, "searchContexts": search, "listConflicts": conflicts,
    "resolveConflict": conflicts, "listEvents": events, "streamEvents": stream,
    "getEvent": event_proofs, "announceMcpEvent": announce_mcp, "listResponses": responses,
    "recordResponse": responses, "listClaims": claims, "acquireClaim": claims,
    "releaseClaim": claims,
    **{name + "NamedByQuery": named_by_query for name in (
        "getContext", "putContext", "patchContext", "deleteContext", "listContextHistory",
        "getContextVersion", "restoreContext", "getMode", "setMode")},
    "getDescription": lambda api: api("GET", "/api/v1/openapi.yaml"),
    "explainError": lambda api: api("GET", "/errors/version_conflict"),
    "getDescriptionAsJson": lambda api: api("GET", "/api/v1/openapi.json"),
    "getHealth": lambda api: api("GET", "/healthz"),
    "getReadiness": lambda api: api("GET", "/readyz"),
    "getMetrics": lambda api: api("GET", "/metrics"),
}


@pytest.mark.parametrize("name", [operation["operationId"]
                                  for _, _, operation in described.operations()])
def test_each_operation_answers_as_described(api, name):
    EXERCISES[name](api)

"""The description and the server agree: on every limit to the byte, on every parameter and every
member of a body, and on what an error offers."""

import json
import re
import urllib.parse
import uuid

import pytest

from support import described
from support.described import DOCUMENT, resolve

SKIPPED = ("getDescription", "getDescriptionAsJson", "explainError", "getHealth", "getReadiness",
           "getMetrics", "streamEvents")
OPERATIONS = [pytest.param(path, method, operation, id=operation["operationId"])
              for path, method, operation in described.operations()
              if operation["operationId"] not in SKIPPED]
VALUES = {"contextKey": "k", "instanceId": "i", "conflictId": "1.1", "version": "1", "offset": "1",
          "q": "word", "resource": "file:/a", "token": "1"}
# What no example says: it would be refused, or say something else.
SAID = {"fence": {"resource": "file:/a", "token": 1}, "provenance": {"kind": "model"}}


def parameters(path, operation):
    listed = DOCUMENT["paths"][path].get("parameters", []) + operation.get("parameters", [])
    return [resolve(one) for one in listed]


def body_of(operation):
    """(content type, example, schema) of a body; Nones where there is none."""
    content = operation.get("requestBody", {}).get("content", {})
    for kind, described_body in content.items():
        example = described_body.get("example") or \
            next(iter(described_body["examples"].values()))["value"]
        return kind, json.loads(json.dumps(example)), described_body["schema"]
    return None, None, None


def ask(server, path, method, operation, changed=(), body=None, beside=""):
    """(status, problem) of the example's request, with these parameters instead of its own, and
    `beside` in its query whatever it is."""
    values = {**VALUES, **dict(changed)}
    kind, example, _ = body_of(operation)
    sent = {"Dyad-User": f"user-{uuid.uuid4()}"}
    target, query = path, []
    for one in parameters(path, operation):
        name = one["name"]
        if one["in"] == "path":
            target = target.replace("{%s}" % name, urllib.parse.quote(values[name], safe=""))
        elif one["in"] == "query" and (one.get("required") or name in dict(changed)):
            query.append(f"{name}={urllib.parse.quote(values[name], safe='')}")
        elif one["in"] == "header" and name in dict(changed):
            sent[name] = "UTF-8''" + urllib.parse.quote(values[name], safe="")
    query += [beside] if beside else []
    if "user" in dict(changed):
        del sent["Dyad-User"]
    body = example if body is None else body
    if kind:
        sent["Content-Type"] = kind
    target += "?" + "&".join(query) if query else ""
    status, _, raw = server.request(method.upper(), target,
                                    json.dumps(body).encode() if kind else None, sent)
    return status, json.loads(raw) if status >= 400 else {}


@pytest.mark.parametrize("path,method,operation", OPERATIONS)
def test_a_parameter_has_its_limit_in_bytes(server, path, method, operation):
    for one in parameters(path, operation):
        most = one["schema"].get("x-max-bytes")
        assert bool(most) == ("maxLength" in one["schema"]), one["name"]
        if not most:
            continue
        for value, refused in (("\u00e9" * (most // 2), False), ("\u674e" * (most // 3), False),
                               ("\u00e9" * (most // 2) + "a", True), ("a" * (most + 1), True)):
            status, problem = ask(server, path, method, operation, {one["name"]: value})
            assert (status == 413) == refused, (one["name"], status, problem)
            if refused:
                assert problem["detail"].startswith(f"{one['name']}: at most {most} bytes")


def limited(schema, way=()):
    """(way, schema) of each text of a body that has a limit."""
    schema = resolve(schema)
    if "$ref" in schema:
        yield from limited({"$ref": schema["$ref"]}, way)
    if "x-max-bytes" in schema and "string" in str(schema.get("type")):
        yield way, schema
    for name, member in schema.get("properties", {}).items():
        yield from limited(member, way + (name,))
    if "items" in schema:
        yield from limited(schema["items"], way + (0,))
    for branch in schema.get("anyOf", []) + schema.get("allOf", []):
        yield from limited(branch, way)


def replaced(body, way, value):
    """The body with the value there; None where the example has no place for it."""
    body = json.loads(json.dumps(body))
    at = body
    for step in way[:-1]:
        try:
            at = at[step]
        except (KeyError, IndexError):
            if not isinstance(at, dict):
                return None
            at = at.setdefault(step, [])
    if isinstance(at, list):
        at[:] = at[:way[-1]] + [value]
    elif isinstance(at, dict):
        at[way[-1]] = value
    return body


def test_a_text_in_a_body_has_its_limit_in_bytes(server):
    seen = set()
    for path, method, operation in described.operations():
        _, example, schema = body_of(operation)
        for way, text in limited(schema) if schema else []:
            most = text["x-max-bytes"]
            if way[0] == "final":
                continue  # the example has its members at the top
            body = json.loads(json.dumps(example))
            if way[0] in SAID:
                body[way[0]] = dict(SAID[way[0]])
            if "responseHash" in way:
                (body if len(way) == 1 else body["sources"][0]).pop("responseText")
            seen.add((operation["operationId"], way[-2] if way[-1] == 0 else way[-1]))
            for value, refused in (("\u00e9" * (most // 2), False),
                                   ("\u00e9" * (most // 2) + "a", True)):
                status, problem = ask(server, path, method, operation,
                                      body=replaced(body, way, value))
                assert (status == 413) == refused, (way, status, problem)
                if refused:
                    assert f"at most {most} bytes" in problem["detail"], problem
    assert {("putContext", "tags"), ("recordResponse", "chatId"), ("recordResponse", "messageId"),
            ("recordResponse", "provider"), ("recordResponse", "model"),
            ("recordResponse", "responseHash"), ("setMode", "errorMessage")} <= seen


QUERY_NAMES = {one["name"] for path, _, operation in described.operations()
               for one in parameters(path, operation) if one["in"] == "query"}


@pytest.mark.parametrize("path,method,operation", OPERATIONS)
def test_a_path_takes_the_parameters_that_are_described_and_no_others(
        server, path, method, operation):
    known = {one["name"] for one in parameters(path, operation) if one["in"] == "query"}
    assert "user" in known
    for name in QUERY_NAMES | {"expectedVersion", "force"}:
        needed = any(one["name"] == name and one.get("required")
                     for one in parameters(path, operation) if one["in"] == "query")
        status, problem = ask(server, path, method, operation,
                              beside="" if needed else f"{name}=1")
        strange = "is not a query parameter" in problem.get("detail", "")
        assert strange == (name not in known), (name, status, problem)


def members(schema):
    schema = resolve(schema)
    found = set(schema.get("properties", {}))
    if "$ref" in schema:
        found |= members({"$ref": schema["$ref"]})
    for branch in schema.get("anyOf", []):
        found |= members(branch)
    return found


WRITES = [pytest.param(path, method, operation, id=operation["operationId"])
          for path, method, operation in described.operations()
          if body_of(operation)[0] == "application/json"]
MEMBERS = set().union(*(members(body_of(one.values[2])[2]) for one in WRITES))


@pytest.mark.parametrize("path,method,operation", WRITES)
def test_a_body_takes_the_members_that_are_described_and_no_others(server, path, method, operation):
    _, example, schema = body_of(operation)
    for name in MEMBERS | {"userId", "operationId", "op", "expectdVersion"}:
        status, problem = ask(server, path, method, operation, body={**example, name: None})
        strange = problem.get("detail", "").startswith(name + ": is not known here")
        assert strange == (name not in members(schema)), (name, status, problem)
        if strange:  # what it offers instead is what is described
            offered = problem["detail"].split("known are ")[1].split(", ")
            assert set(offered) == members(schema)


def test_what_an_error_offers_is_taken(server):
    tried = 0
    junk = [("GET", "/api/v1/contexts?type={}", None), ("GET", "/api/v1/contexts?mode={}", None),
            ("GET", "/api/v1/events/stream?types={}", None),
            ("PUT", "/api/v1/contexts/k", {"data": {}, "mergeStrategy": "{}"}),
            ("PUT", "/api/v1/contexts/k", {"data": {}, "contextType": "{}", "force": True}),
            ("PUT", "/api/v1/modes/i", {"mode": "{}"}),
            ("POST", "/api/v1/events/mcp", {"type": "{}", "payload": {}}),
            ("POST", "/api/v1/responses", {
                "chatId": "c", "messageId": "m", "mode": "parallel", "provider": "p", "model": "m",
                "responseHash": "h", "sourceType": "{}"})]
    for method, target, body in junk:
        def said(word):
            sent = json.dumps(body).replace("{}\"", word + "\"") if body else None
            if "stream" in target and word != "junk":
                return 200, b""  # an answer without end; the words are those of `types`
            got, _, raw = server.request(method, target.format(word), sent and sent.encode(),
                                         {"Content-Type": "application/json"} if sent else {})
            return got, raw
        status, raw = said("junk")
        detail = json.loads(raw)["detail"]
        assert status == 400, detail
        offered = re.search(r"must be (?:a list of )?([a-z:-]+(?:, [a-z:-]+)* (?:or|and) [a-z:-]+)",
                            detail)
        assert offered, detail
        for word in re.split(r", | or | and ", offered[1]):
            status, raw = said(word)
            assert status < 400, (detail, word, raw)
            tried += 1
    assert tried > 20

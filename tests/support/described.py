"""The interface's description, read as a judge of what the server answers.

Everything comes from protocol/openapi.yaml; nothing here knows a path or a field by itself.
"""

import json
import re
import urllib.parse

import jsonschema
import referencing
import referencing.jsonschema
import yaml

from support.server import ROOT

DOCUMENT = yaml.safe_load((ROOT / "protocol/openapi.yaml").read_text("utf-8"))
_URI = "urn:dyad:openapi"
_REGISTRY = referencing.Registry().with_resource(
    _URI, referencing.jsonschema.DRAFT202012.create_resource(DOCUMENT))
METHODS = ("get", "put", "post", "delete", "patch")


def resolve(node):
    """The node itself, or what its $ref points to."""
    while isinstance(node, dict) and "$ref" in node and node["$ref"].startswith("#/"):
        target = DOCUMENT
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        node = target
    return node


def _absolute(schema):
    """The schema with its references made to point into the document."""
    if isinstance(schema, dict):
        return {key: _URI + value if key == "$ref" else _absolute(value)
                for key, value in schema.items()}
    if isinstance(schema, list):
        return [_absolute(item) for item in schema]
    return schema


def check(value, schema, what):
    """AssertionError where the value is not of the schema."""
    validator = jsonschema.Draft202012Validator(_absolute(schema), registry=_REGISTRY)
    problems = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
                for error in validator.iter_errors(value)]
    assert not problems, f"{what} is not as described:\n" + "\n".join(problems)


def operations():
    """(path, method, operation) of everything that is described."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def find(method, target):
    """(path item, operation) for a request; None where nothing is described."""
    path = urllib.parse.urlsplit(target).path
    best = None
    for template, described_method, operation in operations():
        pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template))
        same = described_method == ("get" if method == "HEAD" else method.lower())
        # A path without parameters goes before one with them.
        if same and re.fullmatch(pattern, path) and (best is None or "{" not in template):
            best = DOCUMENT["paths"][template], operation
    return best


def check_request(method, target, headers, body):
    """A request that the server took must be one that the description allows."""
    item, operation = find(method, target)
    listed = item.get("parameters", []) + operation.get("parameters", [])
    parameters = [resolve(one) for one in listed]
    named = {(one["in"], one["name"].lower()) for one in parameters}
    for name, _ in urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query, True):
        assert ("query", name.lower()) in named, f"{name} is not a described parameter of {target}"
    for name in headers:
        if name.lower() not in ("content-type", "accept"):
            assert ("header", name.lower()) in named, f"{name} is not described for {target}"
    if body is not None:
        content = operation["requestBody"]["content"]
        check(json.loads(body), content[headers["Content-Type"]]["schema"], f"the body of {target}")


def check_answer(method, target, status, headers, body):
    """AssertionError where the answer is not one that the description allows."""
    _, operation = find(method, target)
    responses = operation["responses"]
    assert str(status) in responses or "default" in responses, f"{status} is not described"
    response = resolve(responses.get(str(status), responses.get("default")))
    what = f"{status} of {method} {target}"
    names = {name.lower(): value for name, value in headers.items()}
    for name, header in response.get("headers", {}).items():
        if name.lower() in names:
            check(names[name.lower()], resolve(header)["schema"], f"{name} in {what}")
    if method == "HEAD" or status == 304:
        assert body == b"", f"{what} has a body"
        return None
    content = response.get("content", {})
    kind = names["content-type"].split(";")[0]
    assert kind in content, f"{what} has the content type {kind}, described are {list(content)}"
    value = json.loads(body) if kind.endswith("json") else body.decode()
    check(value, content[kind].get("schema", {}), what)
    return value


class Interface:
    """A client that believes nothing: every request and answer is held against the description."""

    def __init__(self, server, user):
        self.server = server
        self.user = user

    def __call__(self, method, target, body=None, expect=200, **headers):
        """(value, headers). `body`: a value for JSON, or bytes as they are. Names of headers are
        written with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if not target.startswith(("/healthz", "/readyz", "/metrics", "/errors/")) \
                and not target.endswith(("openapi.yaml", "openapi.json")):
            sent.setdefault("Dyad-User", self.user)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if expect < 400:
            check_request(method, target, sent, body)
        status, got, raw = self.server.request(method, target, body, sent)
        assert status == expect, (method, target, status, raw[:500])
        value = check_answer(method, target, status, got, raw)
        return value, {name.lower(): text for name, text in got.items()}

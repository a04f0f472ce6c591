"""The description itself: complete, well formed, and with examples that it allows."""

import json

import openapi_spec_validator
import pytest

from support import described


def test_is_openapi_3_1():
    openapi_spec_validator.validate(described.DOCUMENT)


def test_every_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for _, _, operation in described.operations()]
    assert len(names) == len(set(names))


def contents(node, path=""):
    """Every {schema, example(s)} of the document."""
    if isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node):
            yield path, node
        for key, value in node.items():
            yield from contents(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from contents(value, f"{path}/{index}")


CONTENTS = list(contents({key: described.DOCUMENT[key] for key in ("paths", "components")}))


@pytest.mark.parametrize("path,content", CONTENTS, ids=[path for path, _ in CONTENTS])
def test_examples_are_of_their_schemas(path, content):
    examples = [one["value"] for one in content.get("examples", {}).values()]
    if "example" in content:
        examples.append(content["example"])
    for example in examples:
        described.check(example, content["schema"], path)


def test_the_server_serves_it_as_json_too(server):
    status, headers, body = server.get("/api/v1/openapi.json")
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert json.loads(body) == described.DOCUMENT, "outdated: ./x docs"


def test_the_server_serves_this_very_document(server):
    status, headers, body = server.get("/api/v1/openapi.yaml")
    assert status == 200 and headers["Content-Type"] == "application/yaml"
    assert body == (described.ROOT / "protocol/openapi.yaml").read_bytes()

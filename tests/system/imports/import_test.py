"""`dyad-memory import`: what other memories wrote, once, however often it is imported."""

import json

import pytest

from support.cli import url_of
from support.server import Server

GRAPH = "\n".join(json.dumps(line) for line in (
    {"type": "entity", "name": "Ada", "entityType": "person", "observations": ["writes"]},
    {"type": "entity", "name": "Engine", "entityType": "machine", "observations": []},
    {"type": "relation", "from": "Ada", "to": "Engine", "relationType": "works on"}))
EXPORT = json.dumps({
    "user": {"id": "u", "user_id": "ada"}, "apps": [],
    "categories": [{"id": "k1", "name": "work"}],
    "memories": [{"id": "8b0c", "content": "Likes tea.", "metadata": {}, "state": "active",
                  "created_at": "2026-01-01T00:00:00+00:00", "category_ids": ["k1"]}]}, indent=2)
NOTES = "# Building\nUse make.\n\n## Tests\nRun them all.\n"


@pytest.fixture
def server():
    with Server() as one:
        yield one


def run(server, *arguments):
    done = server.cli("import", *arguments, "--url", url_of(server), "--json")
    return done, json.loads(done.stdout) if done.returncode == 0 else json.loads(done.stderr)


def context(server, key):
    status, _, body = server.get(f"/api/v1/context?contextKey={key.replace('#', '%23')}")
    return json.loads(body) if status == 200 else None


def write(server, name, text):
    path = server.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_every_kind_of_file_is_known_by_itself_and_twice_is_once(server):
    files = [write(server, "memory.jsonl", GRAPH), write(server, "memories.json", EXPORT),
             write(server, "harbour/CLAUDE.md", NOTES)]
    done, plan = run(server, *files, "--dry-run")
    assert done.returncode == 0 and plan["created"] == 6 and plan["dryRun"] is True
    assert context(server, "entity:Ada") is None  # nothing was written
    done, first = run(server, *files)
    assert (first["created"], first["same"]) == (6, 0)
    ada = context(server, "entity:Ada")
    assert ada["data"]["observations"] == ["writes"] and ada["provenance"]["kind"] == "import"
    assert context(server, "memory:8b0c")["tags"] == ["work"]
    section = context(server, "notes:harbour/CLAUDE.md#building/tests")
    assert section["data"]["text"] == "Run them all."
    done, second = run(server, *files)
    assert (second["created"], second["same"]) == (0, 6)
    assert context(server, "entity:Ada")["version"] == 1


def test_what_was_changed_since_is_kept_unless_it_is_to_be_replaced(server):
    path = write(server, "memory.jsonl", GRAPH)
    run(server, path)
    server.cli("context", "set", "entity:Ada", '{"name":"Ada","entityType":"person",'
               '"observations":["counts"]}', "--url", url_of(server))
    done, again = run(server, path)
    assert again["kept"] == 1 and context(server, "entity:Ada")["version"] == 2
    done, over = run(server, path, "--replace")
    assert over["replaced"] == 1
    assert context(server, "entity:Ada")["data"]["observations"] == ["writes"]
    # What somebody has deleted does not come back by itself.
    server.cli("context", "rm", "entity:Engine", "--url", url_of(server))
    done, last = run(server, path)
    assert last["created"] == 0 and context(server, "entity:Engine") is None


def test_an_error_names_the_file_the_line_and_the_field(server):
    bad = write(server, "bad.jsonl", GRAPH + "\n" + json.dumps(
        {"type": "entity", "name": "x", "entityType": "t", "observations": "no list"}))
    done, said = run(server, bad)
    assert done.returncode == 1 and context(server, "entity:Ada") is None
    assert said["detail"].endswith("bad.jsonl: line 4: observations: must be an array of strings")
    done, said = run(server, write(server, "notes.txt", "hello"))
    assert "--from" in said["detail"]
    done, said = run(server, str(server.home / "nothing.json"))
    assert done.returncode == 1 and "No such file" in said["detail"]
    done, said = run(server, write(server, "export.zip", "PK\x03\x04"), "--from", "openmemory")
    assert "unpack it" in said["detail"]


def test_people_see_a_plan_and_a_sum(server):
    path = write(server, "memory.jsonl", GRAPH)
    plan = server.cli("import", path, "--dry-run", "--url", url_of(server)).stdout
    assert "relation:Ada/works on/Engine" in plan and "Nothing was written" in plan
    assert "3 created" in server.cli("import", path, "--url", url_of(server)).stdout
    assert "3 the same" in server.cli("import", path, "--url", url_of(server)).stdout

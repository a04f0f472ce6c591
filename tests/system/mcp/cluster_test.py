"""MCP on many nodes behind nginx, without stickiness: whichever node a request comes to, it is as
if there were one. Redis carries what a node knows of sessions; where it is gone each node knows
what came to it, and answers."""

import concurrent.futures
import json
import pathlib
import sys
import time

import pytest

from support.backends import MONGO_VENV
from support.mcp import (LEGACY, MODERN, NODE, NODE_FOLDER, PYTHON, FixtureServer, Session, Stream,
                         ask, message, run, seen, send)
from support.rest import Api
from support.server import PATIENCE, ROOT, Server, wait_until

sys.path.insert(0, str(ROOT / "tools"))
from cluster import Cluster, status_of  # noqa: E402

HERE = pathlib.Path(__file__).parent
UPDATED = "notifications/resources/updated"
pytestmark = pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                                reason="the MongoDB server of the tests is not installed")


class Front:
    """Whatever node nginx asks."""

    request, get = Server.request, Server.get

    def __init__(self, port):
        self.port = port


class Turns:
    """Each request goes to the next node."""

    get = Server.get

    def __init__(self, nodes):
        self.nodes = nodes
        self.turn = 0

    def request(self, *arguments, **named):
        self.turn += 1
        return self.nodes[self.turn % len(self.nodes)].request(*arguments, **named)


def all_hear(cluster):
    for node in cluster.nodes:
        wait_until(lambda: status_of(node)["redis"]["healthy"], 20, 0.05, f"Redis:\n{node.log()}")


@pytest.fixture(scope="module", params=["1", "2"], ids=["one cell", "two cells"])
def cells(request):
    return request.param


@pytest.fixture(scope="module")
def cluster(cells):
    with Cluster(3, env={"DYAD_CELLS": cells, "DISTRIBUTED_USER_ID": "ada"}) as running:
        all_hear(running)
        yield running
        for node in running.nodes:
            assert node.process.poll() is None, node.log()


@pytest.fixture(scope="module")
def fixtures(cells):
    """The same of the registry of fixtures, which asks its client and waits."""
    with Cluster(3, env={"DYAD_CELLS": cells}, server=FixtureServer) as running:
        all_hear(running)
        yield running
        for node in running.nodes:
            assert node.process.poll() is None, node.log()


@pytest.fixture
def front(cluster):
    return Front(cluster.nginx.port)


def at(session, node):
    """The session's next requests go to this node."""
    session.server = node
    return session


def stream_at(session, node):
    return Stream(node, "GET", {**session.headers(), "Accept": "text/event-stream"})


def call(server, tool, headers=None, **arguments):
    result = ask(server, "tools/call", {"name": tool, "arguments": arguments},
                 headers=headers).result
    assert not result.get("isError"), result
    return result["structuredContent"]


# ---- sessions of the older revisions --------------------------------------------------

@pytest.mark.parametrize("version", LEGACY)
def test_a_session_that_one_node_began_goes_on_at_all(cluster, front, version):
    session = Session(cluster.nodes[0], version)
    for server in [*cluster.nodes, *[front] * 6]:
        at(session, server)
        assert session.ask("ping").result == {}
        assert len(session.ask("tools/list").result["tools"]) == 17
        answer = session.ask("tools/call", {"name": "agents_list", "arguments": {}}).result
        assert answer["structuredContent"]["you"] == "old-client"
    through = Session(front, version)
    for _ in range(6):
        assert through.ask("ping").result == {}


def test_a_session_that_has_ended_has_ended_everywhere(cluster):
    for _ in range(5):
        session = Session(cluster.nodes[0])
        for node in cluster.nodes:  # who has seen it alive is told, too
            assert at(session, node).ask("ping").status == 200
        assert at(session, cluster.nodes[1]).end().status == 204
        for node in cluster.nodes:
            wait_until(lambda: at(session, node).ask("ping").status == 404, 1,
                       what="the end of the session to be known")
            assert send(node, None, {**session.headers(), "Accept": "text/event-stream"},
                        "GET").status == 404
            assert session.end().status == 404


def test_what_a_session_subscribes_to_anywhere_its_stream_tells(cluster):
    a, b, c = cluster.nodes
    session = Session(a)
    api = Api(c, "ada", "writer")
    with stream_at(session, a) as stream:
        stream.next()
        for turn in range(5):
            key = f"told-{turn}"
            uri = f"memory://contexts/{key}"
            assert at(session, b).ask("resources/subscribe", {"uri": uri}).result == {}
            api.call("PUT", f"contexts/{key}", {"data": {"v": 1}, "force": True})
            _, told = stream.next()
            assert (told["method"], told["params"]) == (UPDATED, {"uri": uri})
            assert at(session, c).ask("resources/unsubscribe", {"uri": uri}).result == {}
        for turn in range(5):
            api.call("PUT", f"contexts/told-{turn}", {"data": {"v": 2}, "force": True})
        assert stream.silent(0.7)


def test_the_newest_stream_is_the_one_wherever_it_is(cluster):
    session = Session(cluster.nodes[0])
    uri = "memory://contexts/moved"
    session.ask("resources/subscribe", {"uri": uri})
    old = stream_at(session, cluster.nodes[0])
    old.next()
    for number in (1, 2, 0):
        new = stream_at(session, cluster.nodes[number])
        new.next()
        with pytest.raises(EOFError):
            old.next()
        old.close()
        Api(cluster.nodes[1], "ada", "writer").call(
            "PUT", "contexts/moved", {"data": {"v": time.time()}, "force": True})
        assert new.next()[1]["params"]["uri"] == uri
        old = new
    assert old.silent(0.5)
    old.close()


# ---- questions to the client, and what is not wanted any more -------------------------

ASKS = {"name": "test_input_required_result_multi_round", "arguments": {}}


def test_an_answer_reaches_the_call_that_waits_for_it(fixtures):
    a, b, c = fixtures.nodes
    session = Session(a, capabilities={"elicitation": {}})
    with Stream(a, "POST", session.headers(), message("tools/call", ASKS, "call")) as stream:
        _, question = stream.next()
        accepted = {"jsonrpc": "2.0", "id": question["id"],
                    "result": {"action": "accept", "content": {"name": "Ada"}}}
        # Nobody answers for a session that is another one.
        assert Session(b).post(accepted).status == 202
        assert at(session, b).post(accepted).status == 202
        _, question = stream.next()
        assert at(session, c).post({**accepted, "id": question["id"], "result": {
            "action": "accept", "content": {"color": "red"}}}).status == 202
        _, result = stream.next()
        assert result["id"] == "call" and "red" in result["result"]["content"][0]["text"]


def test_a_large_answer_reaches_it_too(fixtures):
    a, b, _ = fixtures.nodes
    session = Session(a, capabilities={"elicitation": {}})
    with Stream(a, "POST", session.headers(), message("tools/call", ASKS, "call")) as stream:
        _, question = stream.next()
        at(session, b).post({"jsonrpc": "2.0", "id": question["id"], "result": {
            "action": "accept", "content": {"name": "A" * 500_000}}})
        assert "color" in json.dumps(stream.next()[1])


def test_a_call_is_cancelled_from_anywhere(fixtures):
    a, b, _ = fixtures.nodes
    cancelled = {"name": "test_cancelled", "arguments": {}}

    def count():
        return int(ask(a, "tools/call", cancelled).result["content"][0]["text"])

    before = count()
    session = Session(a)
    waits = {"name": "test_waits", "arguments": {}}
    with Stream(a, "POST", session.headers(), message("tools/call", waits, 41)):
        at(session, b).note("notifications/cancelled", {"requestId": 40})
        at(session, b).note("notifications/cancelled", {"requestId": 41})
        wait_until(lambda: count() == before + 1, 5, what="the call to be cancelled")
    assert count() == before + 1


def test_what_a_call_asked_for_by_its_result_any_node_takes(fixtures):
    a, b, c = fixtures.nodes
    form = {"elicitation": {}}

    def answered(question, content):
        key = next(iter(question["inputRequests"]))
        return {**ASKS, "requestState": question["requestState"],
                "inputResponses": {key: {"action": "accept", "content": content}}}

    first = ask(a, "tools/call", ASKS, form).result
    second = ask(b, "tools/call", answered(first, {"name": "Ada"}), form).result
    last = ask(c, "tools/call", answered(second, {"color": "red"}), form).result
    assert last["resultType"] == "complete" and "red" in last["content"][0]["text"]


# ---- clients that others wrote --------------------------------------------------------

def test_typescript_1(fixtures):
    out = seen(fixtures.nginx, NODE, NODE_FOLDER / "client_v1.mjs")
    assert out["version"] == LEGACY[0] and out["heard"] == "typescript-v1"
    assert out["progress"] == [0, 50, 100] and "red" in out["asked"]


def test_typescript_2(fixtures):
    out = seen(fixtures.nginx, NODE, NODE_FOLDER / "client_v2.mjs")
    assert out["version"] == MODERN
    assert out["progress"] == [0, 50, 100] and "red" in out["asked"]


@pytest.mark.parametrize("mode, version", [("auto", MODERN), ("legacy", LEGACY[0])])
def test_python(fixtures, mode, version):
    out = seen(fixtures.nginx, PYTHON, HERE / "client.py", mode)
    assert out["version"] == version and "red" in out["asked"]
    assert out.get("heard") == ("python" if mode == "auto" else None)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_python_goes_through_every_tool(cluster, mode):
    out = json.loads(run(PYTHON, HERE / "tour.py", mode,
                         f"http://127.0.0.1:{cluster.nginx.port}").splitlines()[-1])
    assert len(out["tools"]) == 17
    assert sorted(out["called"]) == sorted(out["tools"])


# ---- the memory -----------------------------------------------------------------------

def test_who_waits_at_one_node_hears_of_a_write_at_another(cluster):
    a, b, c = cluster.nodes
    since = call(a, "memory_changes")["position"]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        waiting = threads.submit(call, a, "memory_changes", since=since, wait_seconds=20)
        time.sleep(0.3)
        began = time.monotonic()
        call(b, "memory_set", key=f"waited/{since}", value={"v": 1})
        heard = waiting.result(30 * PATIENCE)
        assert time.monotonic() - began < 2 * PATIENCE
    assert [one["key"] for one in heard["changes"]] == [f"waited/{since}"]
    # The position is one of the log, which all nodes have.
    assert call(c, "memory_changes", since=since)["changes"] == heard["changes"]
    assert call(c, "memory_changes", since=heard["position"])["changes"] == []


def test_nothing_unchanged_is_shown_twice_in_200_turns(cluster, cells):
    turns = Turns(cluster.nodes)
    user = {"Dyad-User": f"replay-{cells}"}
    known, stored, repeats = {}, {}, 0
    for turn in range(200):
        key = f"fact/{turn % 37}"
        expected = {"expected_version": stored[key]} if key in stored else {}
        stored[key] = call(turns, "memory_set", user, key=key, value={"turn": turn},
                           **expected)["version"]
        pack = call(turns, "context_pack", user, session="replay", budget_tokens=600,
                    task=f"fact turn {turn}")
        for fact in pack["facts"]:
            repeats += known.get(fact["key"]) == fact["version"]
            assert fact["status"] == ("changed" if fact["key"] in known else "new")
            known[fact["key"]] = fact["version"]
        assert known == stored, turn  # and nothing is kept from it
    assert repeats == 0
    # What is gone is told once, and a session that begins anew does so at every node.
    call(turns, "memory_delete", user, key="fact/0")
    packs = [call(turns, "context_pack", user, session="replay") for _ in range(6)]
    assert [pack["removed"] for pack in packs] == [["fact/0"]] + [[]] * 5
    fresh = call(turns, "context_pack", user, session="replay", fresh=True, budget_tokens=9000)
    assert len(fresh["facts"]) == 36
    for _ in range(3):
        assert not call(turns, "context_pack", user, session="replay")["facts"]


def test_a_claim_that_one_node_granted_another_refuses(cluster):
    a, b, c = cluster.nodes
    mine, yours = {"Dyad-Instance": "mine"}, {"Dyad-Instance": "yours"}
    held = call(a, "claim_acquire", mine, resource="file:/h/p/a.cpp")
    refused = ask(b, "tools/call", {"name": "claim_acquire", "arguments": {
        "resource": "file:/h/p/a.cpp"}}, headers=yours).result
    assert refused["isError"] and "mine" in json.dumps(refused), refused
    call(c, "claim_release", mine, resource="file:/h/p/a.cpp", token=held["token"])
    call(b, "claim_acquire", yours, resource="file:/h/p/a.cpp")


# ---- hooks ----------------------------------------------------------------------------

class HookSession:
    def __init__(self, name, user):
        self.name, self.user = name, user

    def told(self, node, event, assistant="claude-code", **more):
        body = {"session_id": self.name, "cwd": "/h/p", "hook_event_name": event, **more}
        status, _, text = node.request(
            "POST", f"/hooks/{assistant}", json.dumps(body),
            {"Content-Type": "application/json", "Dyad-User": self.user})
        assert status == 200, text
        return json.loads(text).get("hookSpecificOutput", {}).get("additionalContext", "")


def test_a_hook_that_comes_to_two_nodes_is_one(cluster, cells):
    a, b, c = cluster.nodes
    user = f"hooks-{cells}"
    call(a, "memory_set", {"Dyad-User": user}, key="plan", value={"text": "The harbour opens."})
    session = HookSession(f"s-{cells}", user)
    assert "harbour" in session.told(a, "SessionStart", source="startup")
    assert session.told(b, "SessionStart", "vscode", source="startup") == ""
    # What was shown at one node is not shown again at another, by hooks and by tools.
    assert session.told(c, "UserPromptSubmit", prompt="When does the harbour open?") == ""
    pack = call(b, "context_pack", {"Dyad-User": user}, session=session.name, task="harbour")
    assert pack["facts"] == [] and pack["unchanged"] == 1
    call(b, "memory_set", {"Dyad-User": user}, key="plan", value={"text": "The harbour closes."},
         expected_version=1)
    assert "closes" in session.told(a, "UserPromptSubmit", prompt="Go on.")
    assert session.told(b, "UserPromptSubmit", prompt="Go on, please.") == ""


def test_a_compaction_is_one_wherever_its_parts_come(cluster, cells):
    a, b, c = cluster.nodes
    user = f"compacts-{cells}"
    call(a, "memory_set", {"Dyad-User": user}, key="plan", value={"text": "The harbour opens."})
    session = HookSession(f"c-{cells}", user)
    assert "harbour" in session.told(a, "SessionStart", source="startup")
    session.told(b, "PreCompact", trigger="auto")
    assert "harbour" in session.told(c, "SessionStart", source="compact")
    # What was told since the compaction was announced stays told.
    session.told(a, "PostCompact")
    assert session.told(b, "UserPromptSubmit", prompt="The harbour?") == ""


# ---- without Redis; the last test of the file, since what was told before is gone ------

def test_without_redis_mcp_answers_and_with_it_again_all_is_told(cluster, cells, front):
    user = {"Dyad-User": f"alone-{cells}"}
    session = Session(cluster.nodes[0])
    call(front, "memory_set", user, key="plan", value={"v": 1})
    cluster.redis.kill()
    for node in cluster.nodes:
        began = time.monotonic()
        assert at(session, node).ask("ping").result == {}
        assert session.ask("resources/subscribe", {"uri": "memory://modes"}).result == {}
        assert call(node, "memory_get", user, key="plan")["value"] == {"v": 1}
        # Each knows what it has shown itself.
        assert len(call(node, "context_pack", user, session="s")["facts"]) == 1
        assert call(node, "context_pack", user, session="s")["facts"] == []
        assert HookSession("s-alone", user["Dyad-User"]).told(
            node, "UserPromptSubmit", prompt="hello") == ""
        assert time.monotonic() - began < 8 * PATIENCE
    assert at(Session(front), front).end().status == 204
    cluster.redis.start()
    all_hear(cluster)
    time.sleep(0.5)
    assert len(call(cluster.nodes[0], "context_pack", user, session="t")["facts"]) == 1
    for node in cluster.nodes:
        assert call(node, "context_pack", user, session="t")["facts"] == []

"""Which requests are taken, which are refused and how: headers, Host, Origin, eras, on the product
itself."""

import base64
import json

import pytest

from support.mcp import (BOTH, LEGACY, MODERN, PREFIX, Session, ask, message, meta, modern_headers,
                         send)

CALL = {"name": "memory_get", "arguments": {"key": "nothing-here"}}


def encoded(text):
    return "=?base64?" + base64.b64encode(text.encode()).decode() + "?="


def probe(server, method="tools/list", params=None, headers=None, drop=(), version=MODERN,
          with_meta=True, id=1):
    params = dict(params or {})
    if with_meta:
        params["_meta"] = meta(version)
    head = {**modern_headers(method, params), **(headers or {})}
    for name in drop:
        head.pop(name)
    return send(server, message(method, params, id), head)


REFUSED = [
    # what, arguments of probe(), status, code
    ("the version header is missing", dict(drop=["MCP-Protocol-Version"]), 400, -32020),
    ("the method header is missing", dict(drop=["Mcp-Method"]), 400, -32020),
    ("the method header says another one",
     dict(headers={"Mcp-Method": "prompts/list"}), 400, -32020),
    ("values are case-sensitive", dict(headers={"Mcp-Method": "TOOLS/LIST"}), 400, -32020),
    ("the name header is missing",
     dict(method="tools/call", params=CALL, drop=["Mcp-Name"]), 400, -32020),
    ("the name header says another one",
     dict(method="tools/call", params=CALL, headers={"Mcp-Name": "memory_set"}), 400, -32020),
    ("the name header is no base64",
     dict(method="tools/call", params=CALL, headers={"Mcp-Name": "=?base64?SGVs!!!?="}),
     400, -32020),
    ("base64 without its padding",
     dict(method="tools/call", params=CALL,
          headers={"Mcp-Name": encoded("memory_get").replace("=?=", "?=")}), 400, -32020),
    ("header and body name two revisions", dict(version="v999.0.0"), 400, -32020),
    ("neither is known",
     dict(version="v999.0.0", headers={"MCP-Protocol-Version": "v999.0.0"}), 400, -32022),
    ("an older revision in the new form",
     dict(version="2025-11-25", headers={"MCP-Protocol-Version": "2025-11-25"}), 400, -32022),
    ("no _meta", dict(with_meta=False), 400, -32602),
    ("an unknown method", dict(method="unknown/method"), 404, -32601),
    ("initialize", dict(method="initialize"), 404, -32601),
    ("initialize, by the header alone", dict(method="initialize", with_meta=False), 404, -32601),
    ("ping", dict(method="ping"), 404, -32601),
    ("logging/setLevel", dict(method="logging/setLevel"), 404, -32601),
    ("resources/subscribe", dict(method="resources/subscribe"), 404, -32601),
    ("resources/unsubscribe", dict(method="resources/unsubscribe"), 404, -32601),
    ("another type of content", dict(headers={"Content-Type": "text/plain"}), 400, -32600),
    ("two instances", dict(headers={"Dyad-Instance": ""}), 400, -32602),
]


@pytest.mark.parametrize("case", REFUSED, ids=[case[0] for case in REFUSED])
def test_is_refused(server, case):
    _, arguments, status, code = case
    answer = probe(server, **arguments, id=77)
    assert (answer.status, answer.code) == (status, code), answer.text
    if code != -32600:
        assert answer.json["id"] == 77
    assert answer.json["error"]["message"]


@pytest.mark.parametrize("lacks", ["protocolVersion", "clientCapabilities"])
def test_meta_that_lacks_a_member_is_refused_before_headers_are_compared(server, lacks):
    params = {"_meta": {k: v for k, v in meta().items() if k != PREFIX + lacks}}
    answer = send(server, message("tools/list", params), modern_headers("tools/list", params))
    assert (answer.status, answer.code, answer.json["id"]) == (400, -32602, 1)


def test_a_revision_that_is_not_spoken_is_answered_with_those_that_are(server):
    answer = probe(server, version="2030-01-01", headers={"MCP-Protocol-Version": "2030-01-01"})
    data = answer.json["error"]["data"]
    assert data == {"supported": [MODERN, *LEGACY], "requested": "2030-01-01"}
    assert probe(server, "server/discover").result["supportedVersions"] == data["supported"]


@pytest.mark.parametrize("headers", [
    {"Mcp-Name": "  memory_get\t"},
    {"Mcp-Name": encoded("memory_get")},
    {"Mcp-Session-Id": "of another server"},
    {"Origin": "http://127.0.0.1:{port}"},
    {"Host": "localhost:{port}"},
    {"Host": "[::1]:{port}"},
    {"Accept": "application/json"},
    {"Dyad-Instance": "laptop", "Dyad-User": "ada"},
], ids=str)
def test_is_taken(server, headers):
    given = {name: value.format(port=server.port) for name, value in headers.items()}
    answer = probe(server, "tools/call", CALL, given)
    assert answer.status == 200 and answer.result["resultType"] == "complete", answer.text
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize("headers, status", [
    ({"Host": "evil.example"}, 421),
    ({"Host": "evil.example:80", "Origin": "http://evil.example"}, 421),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://localhost.evil.example"}, 403),
])
def test_pages_and_names_of_others_are_kept_out(server, headers, status):
    assert probe(server, headers=headers).status == status


def test_no_page_reads_an_answer_or_is_asked_before_it_sends(server):
    own = f"http://127.0.0.1:{server.port}"
    assert not [name for name in probe(server, headers={"Origin": own}).headers
                if name.startswith("access-control")]
    status, headers, _ = server.request("OPTIONS", "/mcp", None, {
        "Origin": own, "Access-Control-Request-Method": "POST"})
    assert status == 405 and not [name for name in headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("text, status, code", [
    ("{", 400, -32700), ("", 400, -32700), ("[]", 400, -32600), ("7", 400, -32600),
    ('{"jsonrpc":"1.0","id":1,"method":"ping"}', 400, -32600),
    ('{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
    ('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 400, -32600),
    ('{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600),
    ('{"jsonrpc":"2.0","id":1}', 400, -32600),
    ('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, -32600),
    ('{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', 400, -32602),
    ('{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 400, -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', 400, -32700),
    ('{"jsonrpc":"2.0","id":1,"method":"x","params":' + '{"a":' * 40 + "1" + "}" * 40 + "}",
     400, -32600),
])
def test_what_is_no_message(server, text, status, code):
    answer = send(server, text, {**modern_headers("ping")})
    assert (answer.status, answer.code) == (status, code), answer.text


def test_notifications_are_taken_without_an_answer(server):
    answer = send(server, message("notifications/cancelled", {"requestId": 1, "_meta": meta()},
                                  None), modern_headers("notifications/cancelled"))
    assert (answer.status, answer.text) == (202, "")


def test_answers_to_what_nobody_asked_are_refused(server):
    answer = send(server, {"jsonrpc": "2.0", "id": 3, "result": {}}, modern_headers("x"))
    assert (answer.status, answer.code, answer.json["id"]) == (400, -32600, 3)


@pytest.mark.parametrize("id", [0, -5, 2**53, "", "a \"quoted\" é", "0"])
def test_ids_come_back_as_they_were(server, id):
    assert probe(server, id=id).json["id"] == id


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_nothing_but_post_without_a_session(server, method):
    answer = send(server, None, {"MCP-Protocol-Version": MODERN, "Accept": BOTH}, method)
    assert answer.status == 405 and "POST" in answer.headers["allow"]


def test_results_say_who_answers_and_for_how_long_they_hold(server):
    found = probe(server, "server/discover").result
    assert found["resultType"] == "complete" and found["ttlMs"] > 0
    assert found["cacheScope"] == "public" and found["capabilities"]["tools"] is not None
    assert found["_meta"][PREFIX + "serverInfo"]["name"] == "dyad-memory"
    tools = probe(server).result
    assert tools["ttlMs"] > 0 and [tool["name"] for tool in tools["tools"]].count("memory_get") == 1
    for tool in tools["tools"]:
        assert set(tool["annotations"]) >= {"readOnlyHint", "destructiveHint", "idempotentHint",
                                            "openWorldHint"}
        assert tool["inputSchema"]["type"] == "object"


def test_a_cursor_that_nobody_gave_is_refused(server):
    for cursor in ["", "x"]:
        answer = probe(server, params={"cursor": cursor})
        assert (answer.status, answer.code) == (200, -32602)


def test_a_tool_that_is_not_there(server):
    answer = ask(server, "tools/call", {"name": "no_such_tool", "arguments": {}})
    assert (answer.status, answer.code) == (200, -32602)
    assert "tools/list" in answer.json["error"]["message"]


def test_what_a_tool_says_itself_is_a_result(server):
    missing = ask(server, "tools/call", {"name": "memory_get", "arguments": {}})
    assert missing.status == 200 and missing.result["isError"]
    assert "key" in missing.result["content"][0]["text"]


# ---- revisions with sessions --------------------------------------------------------------

@pytest.mark.parametrize("asked, answered", [
    *[(one, one) for one in LEGACY], (MODERN, LEGACY[0]), ("2024-11-05", LEGACY[0]),
    ("2019-01-01", LEGACY[0]),
])
def test_initialize_never_offers_the_revision_without_sessions(server, asked, answered):
    welcome = Session(server, asked if asked in LEGACY else LEGACY[0]).welcome
    answer = send(server, message("initialize", {
        "protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}),
        {"Content-Type": "application/json", "Accept": BOTH})
    assert answer.result["protocolVersion"] == answered
    assert welcome["serverInfo"]["name"] == "dyad-memory" and "_meta" not in welcome


@pytest.mark.parametrize("version", LEGACY)
def test_a_session_lives_until_it_is_ended(server, version):
    session = Session(server, version)
    assert all(0x21 <= ord(c) <= 0x7e for c in session.id)
    assert session.ask("ping").result == {}
    tools = session.ask("tools/list").result
    assert "ttlMs" not in tools and "resultType" not in tools
    assert session.end().status == 204
    assert session.ask("ping").status == 404 and session.end().status == 404


def test_what_a_session_id_must_be(server):
    session = Session(server)
    headers = session.headers()
    for wrong, status in [({"Mcp-Session-Id": "abc"}, 404),
                          ({"Mcp-Session-Id": session.id[:-1]}, 404),
                          ({"Mcp-Session-Id": session.id + "A"}, 404),
                          ({"Dyad-User": "somebody-else"}, 404),
                          ({"MCP-Protocol-Version": "2024-11-05"}, 400),
                          ({"MCP-Protocol-Version": "1999-01-01"}, 400)]:
        answer = send(server, message("tools/list"), {**headers, **wrong})
        assert answer.status == status, (wrong, answer.text)
    del headers["Mcp-Session-Id"]
    answer = send(server, message("tools/list", id=9), headers)
    assert answer.status == 400 and answer.json["id"] == 9
    # Without the header of the version it is the session's.
    headers = session.headers()
    del headers["MCP-Protocol-Version"]
    assert send(server, message("tools/list"), headers).status == 200


def test_batches_are_of_one_revision(server):
    batch = [message("ping", id=1), message("notifications/initialized", id=None),
             message("tools/list", id="two"), message("nothing/known", id=3), {"jsonrpc": "2.0"}]
    answers = {answer.get("id"): answer
               for answer in Session(server, "2025-03-26").post(batch).json}
    assert answers[1]["result"] == {} and answers["two"]["result"]["tools"]
    assert answers[3]["error"]["code"] == -32601 and answers[None]["error"]["code"] == -32600
    assert Session(server, "2025-03-26").post([message("notifications/initialized",
                                                        id=None)]).status == 202
    for version in LEGACY[:2]:
        assert Session(server, version).post(batch).status == 400
    assert send(server, batch, modern_headers("ping")).status == 400
    many = [message("ping", id=i) for i in range(65)]
    assert "mcp_batch_messages_max" in Session(server, "2025-03-26").post(many).text


def test_both_eras_at_once(server):
    session = Session(server)
    assert probe(server).status == 200
    assert session.ask("tools/list").status == 200
    # What is modern in its body is modern, whatever session it carries.
    answer = send(server, message("ping", {"_meta": meta()}), session.headers())
    assert (answer.status, answer.code) == (404, -32601)


def test_unknown_methods_of_a_session(server):
    answer = Session(server).ask("server/discover")
    assert (answer.status, answer.code) == (200, -32601)


def test_who_writes_is_named_after_the_client(server):
    """The instance is in the log of what is written; see the tests of the tools."""
    answer = ask(server, "tools/call", CALL, headers={"Dyad-Instance": "x" * 129})
    assert answer.status == 400 and "Dyad-Instance" in answer.json["error"]["message"]


def test_a_body_that_is_too_large(server):
    body = json.dumps(message("tools/call", {"arguments": {"x": "y" * (1 << 20)}}))
    assert send(server, body, modern_headers("tools/call")).status == 413

"""The languages of the web, spoken to the real server on raw sockets: what RFC 9110, RFC 9112 and
the Fetch standard ask of the headers that it reads and writes."""

import email.utils
import gzip
import json
import socket
import time
import urllib.parse

import pytest

from support.frames import Raw, upgrade_request
from support.server import PATIENCE, Server

PAGE = "https://app.example"
CONTEXT = "/api/v1/contexts/notes"


@pytest.fixture(scope="module")
def web():
    origins = "https://other.example, HTTPS://App.Example:443/"
    with Server(env={"ALLOWED_ORIGINS": origins, "ALLOWED_HOSTS": "nas.local"}) as running:
        yield running


def ask(server, method, target, headers=None, body=b"", version="HTTP/1.1", host=None):
    """The answer to one request, whose header lines are exactly these."""
    lines = [f"{method} {target} {version}", f"Host: {host or f'127.0.0.1:{server.port}'}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with Raw(server.port) as raw:
        try:
            raw.send("\r\n".join(lines + ["", ""]).encode("latin-1") + body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused while it was sent
        return raw.read_http(without_body=method == "HEAD")


def detail(answer):
    return json.loads(answer.body)["detail"]


def members(answer, name):
    return {part.strip().lower() for part in answer.headers.get(name, "").split(",")}


# ---- CORS -----------------------------------------------------------------------------------

EVERY_KIND = [
    ("GET", "/", {}, 200), ("GET", "/assets/status.js", {}, 200), ("GET", "/healthz", {}, 200),
    ("GET", "/metrics", {}, 200), ("GET", "/errors/not_found", {}, 200),
    ("GET", "/api/v1/openapi.json", {}, 200), ("GET", "/api/v1/contexts", {}, 200),
    ("HEAD", "/api/v1/status", {}, 200), ("HEAD", "/api/v1/events/stream", {}, 200),
    ("GET", "/nothing", {}, 404), ("GET", CONTEXT + "-not", {}, 404), ("POST", "/", {}, 405),
    ("OPTIONS", "/api/v1/contexts", {}, 204), ("OPTIONS", "*", {}, 204),
    ("BREW", "/", {}, 501), ("PUT", CONTEXT, {"Content-Type": "text/plain"}, 415),
    ("PUT", CONTEXT, {"If-Match": "x", "Content-Type": "application/json"}, 400),
    ("GET", "/sync", {}, 426), ("GET", "/", {"If-None-Match": "*"}, 304),
    ("GET", "/", {"If-Match": '"x"'}, 412),
    ("GET", "/api/v1/events/stream", {"Accept": "application/json"}, 406),
    ("GET", "/", {"X-Long": "x" * 20000}, 431), ("GET", "/?" + "q" * 20000, {}, 431),
    ("GET", "/", {"Bad Name": "x"}, 400),
    ("POST", "/api/v1/responses", {"Content-Length": "9999999"}, 413),
    ("POST", "/api/v1/responses", {"Transfer-Encoding": "gzip"}, 501),
    ("POST", "/api/v1/responses", {"Expect": "x", "Content-Length": "1"}, 417),
    ("GET", "/api/v1/status", {"Dyad-User": "u" * 300}, 413),
]
KIND_NAMES = [f"{one[3]} {one[0]} {one[1]} {number}" for number, one in enumerate(EVERY_KIND)]


@pytest.mark.parametrize("method,target,headers,status", EVERY_KIND, ids=KIND_NAMES)
def test_an_allowed_page_can_read_every_answer(web, method, target, headers, status):
    body = b"{}" if method == "PUT" else b""
    answer = ask(web, method, target, {"Origin": PAGE, **headers}, body)
    assert answer.status == status, answer
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert {"etag", "retry-after", "link", "allow", "idempotency-replayed"} <= \
        members(answer, "access-control-expose-headers")
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in members(answer, "vary")
    plain = ask(web, method, target, headers, body)
    assert plain.status == status and "origin" in members(plain, "vary")
    assert not [name for name in plain.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("target", [CONTEXT, "/api/v1/contexts", "/api/v1/events/stream", "/sync",
                                    "/", "/nothing", "/api/v1/modes/desk", "/healthz"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE"])
def test_every_path_answers_a_preflight(web, target, method):
    asked = "content-type,dyad-instance,dyad-user,idempotency-key,if-match,x-trace"
    answer = ask(web, "OPTIONS", target, {
        "Origin": PAGE, "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": asked})
    assert answer.status == 204 and answer.body == b""
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert method.lower() in members(answer, "access-control-allow-methods")
    allowed = members(answer, "access-control-allow-headers")
    assert set(asked.split(",")) | {"accept", "if-none-match", "last-event-id"} <= allowed
    assert int(answer.headers["access-control-max-age"]) > 0
    assert {"origin", "access-control-request-headers"} <= members(answer, "vary")
    assert "access-control-allow-private-network" not in answer.headers


def test_a_preflight_into_the_private_network_is_answered(web):
    answer = ask(web, "OPTIONS", CONTEXT, {
        "Origin": PAGE, "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Private-Network": "true"})
    assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example",
                                    "https://app.example:8443", "http://localhost:3000"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT"])
def test_another_page_gets_no_access(web, origin, method):
    answer = ask(web, method, CONTEXT, {"Origin": origin, "Access-Control-Request-Method": "PUT"})
    assert answer.status == 403 and origin in detail(answer)
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "origin" in members(answer, "vary")


def test_the_next_request_of_a_connection_is_not_taken_for_the_pages(web):
    with Raw(web.port) as raw:
        head = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
        raw.send(f"{head}Origin: {PAGE}\r\n\r\n".encode())
        assert "access-control-allow-origin" in raw.read_http().headers
        raw.send(f"{head}\r\n".encode())
        assert "access-control-allow-origin" not in raw.read_http().headers
        raw.send(f"{head}Bad Name: x\r\n\r\n".encode())
        assert "access-control-allow-origin" not in raw.read_http().headers


def test_a_page_can_read_that_its_header_was_too_long(web):
    """Chromium puts its Origin behind what a script sets."""
    for more in ("", "Accept: */*\r\n"):
        with Raw(web.port) as raw:
            raw.send(f"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {'x' * 17000}\r\n{more}"
                     f"Origin: {PAGE}\r\nReferer: {PAGE}/\r\n\r\n".encode())
            answer = raw.read_http()
        assert answer.status == 431
        assert answer.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("name,entry,why", [
    ("ALLOWED_ORIGINS", "wss://a.example", "http://"), ("ALLOWED_ORIGINS", "*", "each origin"),
    ("ALLOWED_ORIGINS", "https://a.example/app", "no path"), ("ALLOWED_ORIGINS", "null", "https://"),
    ("ALLOWED_ORIGINS", "https://*.example", "wildcard"), ("ALLOWED_HOSTS", "http://a", "scheme"),
    ("ALLOWED_ORIGINS", "https://bücher.example", "ASCII"), ("ALLOWED_HOSTS", "*", "wildcard")])
def test_what_can_never_match_is_refused_at_the_start(make_server, name, entry, why):
    server = make_server(env={name: f"https://b.example,{entry}" if "ORIG" in name else entry})
    server.spawn()
    assert server.wait_exit() == 2
    assert name in server.log() and f'"{entry}"' in server.log() and why in server.log()


# ---- Host -----------------------------------------------------------------------------------

@pytest.mark.parametrize("origin,host,status", [
    ("http://localhost:9000", "localhost:9000", 200), ("http://[::1]:9000", "[::1]:9000", 200),
    ("http://localhost", "localhost", 200), ("https://localhost:8443", "localhost:8443", 200),
    ("http://localhost:3000", "localhost:9000", 403),
    ("http://localhost:PORT", "localhost:9000", 403), ("http://nas.local", "nas.local", 403),
    (None, "localhost:9000", 200), (None, "127.0.0.1", 200), (None, "dyad.localhost:1", 200),
    (None, "nas.local:8765", 200), (None, "NAS.local", 200), (None, "nas.local.evil.example", 421),
    (None, "evil.example:PORT", 421), (None, "192.168.0.1:PORT", 421), (None, "0.0.0.0:PORT", 421)])
def test_a_mapped_port_of_a_loopback_name_is_this_server(web, origin, host, status):
    host = host.replace("PORT", str(web.port))
    headers = {"Origin": origin.replace("PORT", str(web.port))} if origin else {}
    answer = ask(web, "GET", "/api/v1/status", headers, host=host)
    assert answer.status == status, answer
    if status == 421:
        assert "ALLOWED_HOSTS" in detail(answer) and host in detail(answer)


def test_the_page_of_a_mapped_port_opens_its_websocket(web):
    for port in (web.port, 9000):
        with Raw(web.port) as raw:
            raw.send(upgrade_request(web.port, headers={
                "Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}))
            assert raw.read_http().status == 101


# ---- request targets ------------------------------------------------------------------------

@pytest.mark.parametrize("method,target,host,status", [
    ("GET", "http://127.0.0.1:PORT/api/v1/status", "127.0.0.1:PORT", 200),
    ("GET", "HTTP://localhost:PORT/api/v1/status?", "evil.example", 200),
    ("GET", "http://localhost:9000", "localhost:PORT", 200),
    ("GET", "http://localhost:9000/api/v1/contexts?limit=1", "localhost:PORT", 200),
    ("GET", "http://evil.example/api/v1/status", "127.0.0.1:PORT", 421),
    ("GET", "https://localhost/api/v1/status", "127.0.0.1:PORT", 421),
    ("OPTIONS", "*", "127.0.0.1:PORT", 204), ("OPTIONS", "http://localhost", "localhost", 204),
    ("GET", "*", "127.0.0.1:PORT", 400), ("GET", "127.0.0.1:PORT", "127.0.0.1:PORT", 400),
    ("GET", "http://u@localhost/", "localhost", 400), ("GET", "ftp://localhost/", "localhost", 400),
    ("CONNECT", "127.0.0.1:PORT", "127.0.0.1:PORT", 501), ("TRACE", "/", "127.0.0.1:PORT", 501),
    ("get", "/", "127.0.0.1:PORT", 501)])
def test_request_targets(web, method, target, host, status):
    port = str(web.port)
    answer = ask(web, method, target.replace("PORT", port), host=host.replace("PORT", port))
    assert answer.status == status, answer
    if method == "OPTIONS":
        assert {"get", "put", "patch", "delete", "post", "options"} <= members(answer, "allow")


@pytest.mark.parametrize("host", [
    "u@localhost", "localhost, localhost", "localhost/", "localhost:x", "local host", "[::1",
    "localhost:99999", "", "..", "a..b"])
def test_a_host_that_is_none_is_a_bad_request(web, host):
    with Raw(web.port) as raw:
        raw.send(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = raw.read_http()
    assert answer.status == 400 and "Host" in detail(answer)


@pytest.mark.parametrize("head", ["GET /readyz HTTP/1.0", "OPTIONS / HTTP/1.0", "HEAD / HTTP/1.0",
                                  "GET http://localhost/readyz HTTP/1.0"])
def test_a_balancers_probe_of_http_1_0_needs_no_host(web, head):
    with Raw(web.port) as raw:
        raw.send(f"{head}\r\n\r\n".encode())
        assert raw.read_http(without_body="HEAD" in head).status in (200, 204)


def test_an_empty_line_between_requests_is_passed_over(web):
    request = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n\r\n".encode()
    with Raw(web.port) as raw:
        raw.send(b"\r\n" + request + b"\r\n")
        assert raw.read_http().status == 200
        time.sleep(0.1)
        raw.send(request + b"\r\n" + request)
        assert raw.read_http().status == 200 and raw.read_http().status == 200


def test_a_websocket_opens_by_an_absolute_target(web):
    with Raw(web.port) as raw:
        raw.send(upgrade_request(web.port, f"http://localhost:{web.port}/sync"))
        assert raw.read_http().status == 101


# ---- dates ----------------------------------------------------------------------------------

@pytest.mark.parametrize("method,target,headers,status", EVERY_KIND, ids=KIND_NAMES)
def test_every_answer_has_its_date(web, method, target, headers, status):
    answer = ask(web, method, target, headers, b"{}" if method == "PUT" else b"")
    assert answer.status == status
    date = email.utils.parsedate_to_datetime(answer.headers["date"])
    assert answer.headers["date"] == email.utils.format_datetime(date, usegmt=True)
    assert abs(date.timestamp() - time.time()) < 5


def test_the_date_moves_on(web):
    first = ask(web, "GET", "/healthz").headers["date"]
    time.sleep(1.1)
    assert ask(web, "GET", "/healthz").headers["date"] != first


# ---- conditions -----------------------------------------------------------------------------

def test_conditions_stand_in_lists_and_lines(web):
    sent = {"Content-Type": "application/json"}
    assert ask(web, "PUT", CONTEXT, {**sent, "If-None-Match": "*"}, b'{"data":{}}').status == 201

    def put(*lines):
        text = "".join(f"{line}\r\n" for line in lines)
        with Raw(web.port) as raw:
            raw.send(f"PUT {CONTEXT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n"
                     f"Content-Type: application/json\r\n{text}\r\n".encode() + b'{"data":{}}')
            answer = raw.read_http()
            return answer.status, answer.headers.get("etag")

    assert put('If-Match: "01"') == (412, None)
    assert put('If-Match: W/"1"') == (412, None)
    assert put('If-Match: "9", "1"') == (200, '"2"')
    assert put('If-Match: "9"', 'If-Match: "2"') == (200, '"3"')
    assert put("If-Match: *") == (200, '"4"')
    assert put('If-None-Match: "9", W/"4"') == (412, None)
    get = {"If-None-Match": '"7",\t"4"', "Origin": PAGE}
    same = ask(web, "GET", CONTEXT, get)
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", '"4"')
    for name in ("date", "vary", "cache-control", "access-control-allow-origin"):
        assert name in same.headers, name
    assert "content-length" not in same.headers and "content-type" not in same.headers


# ---- bodies ---------------------------------------------------------------------------------

@pytest.mark.parametrize("method,target", [
    ("PUT", CONTEXT), ("PATCH", CONTEXT), ("DELETE", CONTEXT), ("POST", CONTEXT + "/restore"),
    ("POST", "/api/v1/responses"), ("POST", "/api/v1/events/mcp"), ("PUT", "/api/v1/modes/desk"),
    ("POST", "/api/v1/conflicts/1.1/resolve")])
@pytest.mark.parametrize("coding,status", [("gzip", 415), ("GZIP", 415), ("br", 415),
                                           ("identity, deflate", 415), ("zstd", 415)])
def test_a_coded_body_is_told_what_is_taken(web, method, target, coding, status):
    answer = ask(web, method, target, {"Content-Type": "application/json",
                                       "Content-Encoding": coding}, gzip.compress(b'{"data":{}}'))
    assert answer.status == status and answer.headers["accept-encoding"] == "identity"
    assert "Content-Encoding" in detail(answer)


def test_identity_is_no_coding(web):
    answer = ask(web, "PUT", CONTEXT + "-i", {"Content-Type": "application/json",
                                              "Content-Encoding": "identity"}, b'{"data":{}}')
    assert answer.status == 201


def test_two_types_of_one_body_are_refused(web):
    with Raw(web.port) as raw:
        raw.send(f"PUT {CONTEXT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 24\r\n"
                 "Content-Type: application/json\r\nContent-Type: text/plain\r\n\r\n"
                 '{"data":{},"force":true}'.encode())
        answer = raw.read_http()
    assert answer.status == 400 and "Content-Type" in detail(answer)


def test_a_patch_of_another_type_is_told_which_are_taken(web):
    answer = ask(web, "PATCH", CONTEXT, {"Content-Type": "application/json"}, b"{}")
    assert answer.status == 415
    assert members(answer, "accept-patch") == {"application/merge-patch+json",
                                               "application/json-patch+json"}


def test_the_body_of_a_refused_head_is_not_asked_for(web):
    sent = f"PUT {CONTEXT} HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\n" \
           "Content-Length: 11\r\nContent-Type: application/json\r\n"
    good = sent.replace("HOST", "localhost")
    for head, status in ((good, 100), (good + "Content-Encoding: gzip\r\n", 415),
                         (good + "Origin: https://evil.example\r\n", 403),
                         (sent.replace("HOST", "evil.example"), 421),
                         (good.replace(": 11", ": 9999999"), 413)):
        with Raw(web.port) as raw:
            raw.send(f"{head}\r\n".encode())
            assert raw.read_http(without_body=status == 100).status == status
            if status == 100:
                raw.send(b'{"data":{}}')
                assert raw.read_http().status in (200, 201, 409)


# ---- negotiation and streams ----------------------------------------------------------------

@pytest.mark.parametrize("accept,kind", [
    ("application/json, text/event-stream;q=0", "application/json"), ("*/*", "application/json"),
    ("text/event-stream;q=0.1, application/json;q=0.2", "application/json"),
    ("text/event-stream", "text/event-stream"),
    ("application/json;q=0.5, text/event-stream", "text/event-stream")])
def test_accept_chooses_the_form_of_the_events(web, accept, kind):
    answer = ask(web, "HEAD", "/api/v1/events", {"Accept": accept})
    assert answer.status == 200 and answer.headers["content-type"] == kind
    assert {"accept", "origin"} <= members(answer, "vary")


def test_a_stream_passes_proxies_at_once(web):
    with Raw(web.port) as raw:
        raw.send(f"GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\nOrigin: {PAGE}\r\n\r\n"
                 .encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += raw.sock.recv(1)
    text = head.decode().lower()
    assert "\r\nx-accel-buffering: no\r\n" in text
    cache = [line for line in text.split("\r\n") if line.startswith("cache-control:")][0]
    assert "no-cache" in cache and "no-transform" in cache
    assert f"\r\naccess-control-allow-origin: {PAGE}\r\n" in text and "\r\ndate: " in text


# ---- references -----------------------------------------------------------------------------

@pytest.mark.parametrize("target", ["/nothing", CONTEXT + "-not", "/api/v1/nothing?a=/b/c",
                                    "/sync", "/api/v1/contexts/a%2Fb/history/x"])
def test_a_problem_leads_to_its_error_under_any_path(web, target):
    problem = json.loads(ask(web, "GET", target).body)
    for base in (f"http://localhost:{web.port}", "https://example.com/memory"):
        assert urllib.parse.urljoin(base + target, problem["type"]) == \
            f"{base}/errors/{problem['code']}"


def test_the_next_page_stands_under_any_path(web):
    for name in ("one", "two"):
        ask(web, "PUT", f"/api/v1/contexts/{name}", {"Content-Type": "application/json"},
            b'{"data":{}}')
    for target in ("/api/v1/contexts?limit=1", "/api/v1/events?limit=1&after=0"):
        link = ask(web, "GET", target).headers["link"]
        reference = link[1:link.index(">")]
        joined = urllib.parse.urljoin("https://example.com/memory" + target, reference)
        assert joined.startswith("https://example.com/memory" + target.split("?")[0] + "?limit=1&")


def test_the_description_names_the_server_it_came_from(web):
    document = json.loads(ask(web, "GET", "/api/v1/openapi.json").body)
    url = document["servers"][0]["url"]
    assert urllib.parse.urljoin("https://example.com/memory/api/v1/openapi.json", url) == \
        "https://example.com/memory/"


# ---- both families --------------------------------------------------------------------------

HAS_IPV6 = socket.has_ipv6 and any(
    line.split()[0] == "0" * 31 + "1" for line in open("/proc/net/if_inet6"))


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
@pytest.mark.parametrize("args", [[], ["--host", "localhost"], ["--host", "::", "--allow-remote"],
                                  ["--host", "0.0.0.0", "--allow-remote"]])
def test_localhost_is_found_in_both_families(make_server, args):
    server = make_server(args=args).start()
    for address, host in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::1", "localhost")):
        with socket.create_connection((address, server.port), 5 * PATIENCE) as client:
            client.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}:{server.port}\r\n\r\n".encode())
            assert client.recv(4096).startswith(b"HTTP/1.1 200"), (address, host)
    for url in ("localhost", "127.0.0.1", "[::1]"):
        done = server.cli("status", "--url", f"http://{url}:{server.port}")
        assert done.returncode == 0, (url, done.stderr)


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
@pytest.mark.parametrize("family,address", [(socket.AF_INET, "127.0.0.1"),
                                            (socket.AF_INET6, "::1")])
def test_a_port_that_is_taken_in_one_family_is_named(make_server, family, address):
    server = make_server()
    with socket.socket(family) as holder:
        holder.bind((address, server.port))
        holder.listen()
        server.spawn()
        assert server.wait_exit() != 0
        assert f"port {server.port} is in use" in server.log() and f"at {address}" in server.log()

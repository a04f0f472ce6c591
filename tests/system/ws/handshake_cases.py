"""The opening handshake: every way to get it right or wrong, by RFC 6455 section 4 and RFC 9112.

A case is (name, request of the port, allowed statuses, check of the answer or None).
"""

import base64
import json

from support.frames import accept_of, upgrade_request

CASES = []
SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def case(name, request, *statuses, check=None):
    assert name not in {known[0] for known in CASES}, name
    CASES.append((name, request, statuses, check))


def with_headers(**headers):
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda port: upgrade_request(port, headers=renamed)


def with_lines(*lines):
    return lambda port: upgrade_request(port, extra=lines)


def without(*names):
    return lambda port: upgrade_request(port, drop=names)


def plain_text(text):
    return lambda port: text.replace("PORT", str(port)).encode("latin-1")


def accepts_sample(answer):
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert answer.headers["upgrade"].lower() == "websocket"
    assert "upgrade" in answer.headers["connection"].lower()
    assert "sec-websocket-extensions" not in answer.headers
    assert "sec-websocket-protocol" not in answer.headers


def names_version(answer):
    assert answer.headers["sec-websocket-version"] == "13"


def says(*parts):
    """A refusal that says what is wrong, and nothing that is not."""
    def check(answer):
        detail = json.loads(answer.body)["detail"]
        every = ("HTTP/1.0", "Upgrade: websocket is missing", "Upgrade must be websocket",
                 "Connection: Upgrade is missing", "Connection must hold Upgrade",
                 "Sec-WebSocket-Version: 13 is missing", "Sec-WebSocket-Version must be 13",
                 "Sec-WebSocket-Version stands twice", "Sec-WebSocket-Key is missing",
                 "Sec-WebSocket-Key stands twice", "Sec-WebSocket-Key: must be 16 bytes")
        for part in every:
            assert (part in detail) == (part in parts), (part, detail)
        by_proxy = any(part in every[:5] for part in parts)
        assert ("proxy_set_header Upgrade $http_upgrade;" in detail) == by_proxy, detail
        assert ("proxy_http_version 1.1;" in detail) == by_proxy, detail
        if answer.status == 426:
            assert answer.headers["upgrade"] == "websocket"
            assert answer.headers["connection"].lower().startswith("upgrade")
            names_version(answer)
    return check


def closes_nothing_else(answer):
    assert "sec-websocket-accept" not in answer.headers


# ---- right ----------------------------------------------------------------------------------

case("the RFC's sample key", lambda port: upgrade_request(port, key=SAMPLE_KEY), 101,
     check=accepts_sample)
for path in ("/", "/sync", "/sync?client=1", "/?x"):
    case(f"path {path}", lambda port, path=path: upgrade_request(port, path), 101)
for value in ("websocket", "WebSocket", "WEBSOCKET"):
    case(f"Upgrade: {value}", with_headers(Upgrade=value), 101)
for value in ("Upgrade", "upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade, keep-alive",
              "keep-alive,Upgrade", "close, x, upgrade"):
    case(f"Connection: {value}", with_headers(Connection=value), 101)
case("header names in small letters", plain_text(
    "GET /sync HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    f"sec-websocket-key: {SAMPLE_KEY}\r\nsec-websocket-version: 13\r\n\r\n"), 101,
    check=accepts_sample)
case("header names in capitals", plain_text(
    "GET /sync HTTP/1.1\r\nHOST: 127.0.0.1:PORT\r\nUPGRADE: websocket\r\nCONNECTION: Upgrade\r\n"
    f"SEC-WEBSOCKET-KEY: {SAMPLE_KEY}\r\nSEC-WEBSOCKET-VERSION: 13\r\n\r\n"), 101,
    check=accepts_sample)
case("white space round values", plain_text(
    "GET /sync HTTP/1.1\r\nHost:\t127.0.0.1:PORT \r\nUpgrade:   websocket  \r\n"
    f"Connection:Upgrade\r\nSec-WebSocket-Key:{SAMPLE_KEY}   \r\n"
    "Sec-WebSocket-Version: 13\t\r\n\r\n"), 101, check=accepts_sample)
case("unknown headers", with_lines("X-One: 1", "X-Two:", "Cookie: a=b", "DNT: 1"), 101)
# A loopback name is this machine's under any port: what maps one onto this server's changes it.
for host in ("localhost:PORT", "127.0.0.1:PORT", "[::1]:PORT", "LOCALHOST:PORT", "127.0.0.2:PORT",
             "dyad.localhost:PORT", "localhost.:PORT", "localhost:9000", "127.0.0.1:1",
             "localhost:80", "127.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]:9000"):
    case(f"Host {host}", lambda port, host=host: upgrade_request(
        port, headers={"Host": host.replace("PORT", str(port))}), 101)
case("compression is offered and not taken",
     with_lines("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), 101,
     check=lambda answer: answer.headers.get("sec-websocket-extensions") is None or 1 / 0)
case("unknown extension is not taken", with_lines("Sec-WebSocket-Extensions: x-nothing"), 101,
     check=lambda answer: answer.headers.get("sec-websocket-extensions") is None or 1 / 0)
case("the negotiated protocol is taken", with_lines("Sec-WebSocket-Protocol: dyad.v2"), 101,
     check=lambda answer: answer.headers["sec-websocket-protocol"] == "dyad.v2" or 1 / 0)
case("the negotiated protocol is found among others",
     with_lines("Sec-WebSocket-Protocol: chat, dyad.v2, mqtt"), 101,
     check=lambda answer: answer.headers["sec-websocket-protocol"] == "dyad.v2" or 1 / 0)
case("an unknown protocol is not taken", with_lines("Sec-WebSocket-Protocol: chat"), 101,
     check=lambda answer: "sec-websocket-protocol" not in answer.headers or 1 / 0)

# ---- wrong: the WebSocket part --------------------------------------------------------------

for method in ("POST", "PUT", "DELETE", "HEAD", "PATCH", "get"):
    case(f"method {method}", lambda port, method=method: upgrade_request(port, method=method),
         400, 404, 405, 501, check=closes_nothing_else)
case("method OPTIONS", lambda port: upgrade_request(port, method="OPTIONS"), 204,
     check=closes_nothing_else)
case("HTTP/1.0", lambda port: upgrade_request(port, version="HTTP/1.0"), 400, 426, 505)
case("HTTP/2.0 in the request line", lambda port: upgrade_request(port, version="HTTP/2.0"),
     400, 505)
for version in ("0", "7", "8", "12", "14", "99", "-13", "13.0", "x", "", "013", "13, 8"):
    case(f"version '{version}'", with_headers(Sec_WebSocket_Version=version), 400, 426,
         check=lambda answer: answer.status != 426 or names_version(answer))
case("no version", without("Sec-WebSocket-Version"), 400, 426)
case("old version names version 13", with_headers(Sec_WebSocket_Version="8"), 426,
     check=names_version)
case("no key", without("Sec-WebSocket-Key"), 400)
for what, key in (("empty", ""), ("of 15 bytes", base64.b64encode(b"k" * 15).decode()),
                  ("of 17 bytes", base64.b64encode(b"k" * 17).decode()),
                  ("of 32 bytes", base64.b64encode(b"k" * 32).decode()),
                  ("not base64", "????????????????????????"), ("short", "abc"),
                  ("without padding", SAMPLE_KEY.rstrip("=")),
                  ("with space inside", SAMPLE_KEY[:9] + " " + SAMPLE_KEY[10:])):
    case(f"key {what}", with_headers(Sec_WebSocket_Key=key), 400)
case("two keys", with_lines(f"Sec-WebSocket-Key: {SAMPLE_KEY}"), 400)
case("two versions", with_lines("Sec-WebSocket-Version: 13"), 400, 426)
for name in ("Upgrade", "Connection"):
    case(f"no {name} header", without(name), 400, 404, 426, 200, check=closes_nothing_else)
case("Upgrade: h2c", with_headers(Upgrade="h2c"), 400, 404, 426, 200, check=closes_nothing_else)
for value in ("keep-alive", "close", "Upgraded", "not-upgrade"):
    case(f"Connection without upgrade: {value}", with_headers(Connection=value), 400, 404, 426, 200,
         check=closes_nothing_else)
for path in ("/nothing", "/sync/", "/SYNC", "/sync/../", "/api/v1/contexts", "//sync",
             "/%73ync", "/sync%2f", "/sync%00", "/sync%zz", "sync"):
    case(f"no WebSocket at {path}", lambda port, path=path: upgrade_request(port, path),
         400, 404, 405, 426, 200, check=closes_nothing_else)

# ---- wrong: and why -------------------------------------------------------------------------

case("why: a browser without WebSocket",
     lambda port: f"GET /sync HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode(), 426,
     check=says("Upgrade: websocket is missing", "Connection: Upgrade is missing",
                "Sec-WebSocket-Version: 13 is missing", "Sec-WebSocket-Key is missing"))
for path in ("/", "/sync"):
    case(f"why: nginx as it comes, {path}", lambda port, path=path: upgrade_request(
        port, path, version="HTTP/1.0", headers={"Connection": "close"}, drop=("Upgrade",)), 426,
        check=says("HTTP/1.0", "Upgrade: websocket is missing", "Connection must hold Upgrade"))
    case(f"why: only the hop's headers are gone, {path}", lambda port, path=path: upgrade_request(
        port, path, drop=("Upgrade", "Connection")), 426,
        check=says("Upgrade: websocket is missing", "Connection: Upgrade is missing"))
case("why: HTTP/1.0", lambda port: upgrade_request(port, version="HTTP/1.0"), 426,
     check=says("HTTP/1.0"))
case("why: no Upgrade", without("Upgrade"), 426, check=says("Upgrade: websocket is missing"))
case("why: another Upgrade", with_headers(Upgrade="h2c"), 426,
     check=says("Upgrade must be websocket"))
case("why: no Connection", without("Connection"), 426,
     check=says("Connection: Upgrade is missing"))
case("why: Connection: keep-alive", with_headers(Connection="keep-alive"), 426,
     check=says("Connection must hold Upgrade"))
case("why: no version", without("Sec-WebSocket-Version"), 426,
     check=says("Sec-WebSocket-Version: 13 is missing"))
case("why: version 8", with_headers(Sec_WebSocket_Version="8"), 426,
     check=says("Sec-WebSocket-Version must be 13"))
case("why: two versions", with_lines("Sec-WebSocket-Version: 13"), 426,
     check=says("Sec-WebSocket-Version stands twice"))
case("why: no key", without("Sec-WebSocket-Key"), 400, check=says("Sec-WebSocket-Key is missing"))
case("why: two keys", with_lines(f"Sec-WebSocket-Key: {SAMPLE_KEY}"), 400,
     check=says("Sec-WebSocket-Key stands twice"))
case("why: a short key", with_headers(Sec_WebSocket_Key="abc"), 400,
     check=says("Sec-WebSocket-Key: must be 16 bytes"))
case("why: a prefix that the proxy left on", lambda port: upgrade_request(port, "/memory/sync"),
     404, check=lambda answer: "take the path off" in answer.body.decode() or 1 / 0)
case("why: POST", lambda port: upgrade_request(port, method="POST"), 405,
     check=lambda answer: answer.headers["allow"] == "GET, OPTIONS" or 1 / 0)

# ---- wrong: Host ----------------------------------------------------------------------------

for host in ("evil.example", "evil.example:PORT", "127.0.0.1.evil.example:PORT", "0.0.0.0:PORT",
             "192.168.1.1:PORT", "localhost.evil.example:PORT", "localhostx:PORT",
             "xlocalhost:PORT", "2130706433:PORT", "127.1:PORT", "127.0.0.1.:PORT",
             "[::2]:PORT", "[::]:PORT", "user@localhost:PORT"):
    case(f"foreign Host {host}", lambda port, host=host: upgrade_request(
        port, headers={"Host": host.replace("PORT", str(port))}), 421, 400, 403)
for what, host in (("empty", ""), ("with space", "local host:PORT"), ("only a port", ":PORT"),
                   ("port not a number", "localhost:http"), ("port too large", "localhost:99999"),
                   ("open bracket", "[::1:PORT"), ("with path", "localhost:PORT/x"),
                   ("with control character", "local\x01host:PORT"), ("with NUL", "local\0host")):
    case(f"Host {what}", lambda port, host=host: upgrade_request(
        port, headers={"Host": host.replace("PORT", str(port))}), 400, 421)
case("no Host", without("Host"), 400, 421)
case("two Hosts", lambda port: upgrade_request(port, extra=(f"Host: 127.0.0.1:{port}",)), 400)

# ---- wrong: HTTP itself ---------------------------------------------------------------------

BAD_REQUESTS = {
    "empty line only": "\r\n\r\n", "words": "hello world\r\n\r\n",
    "no version": "GET /sync\r\n\r\n", "bad version": "GET /sync HTPP/1.1\r\n\r\n",
    "no path": "GET  HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    "path without slash": "GET sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    "control character in the path": "GET /sy\x01nc HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    "space in a header name": "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nUp grade: x\r\n\r\n",
    "space before the colon": "GET /sync HTTP/1.1\r\nHost : 127.0.0.1:PORT\r\n\r\n",
    "header without colon": "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nUpgrade\r\n\r\n",
    "empty header name": "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n: x\r\n\r\n",
    "folded header": "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX: a\r\n b\r\n\r\n",
    "NUL in a value": "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX: a\0b\r\n\r\n",
    "CR in a value": "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX: a\rb\r\n\r\n",
    "bare LF as line end": "GET /sync HTTP/1.1\nHost: 127.0.0.1:PORT\n\n",
    "length and chunked": "POST /x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 3\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": "POST /x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 3\r\n"
                   "Content-Length: 4\r\n\r\nabcd",
    "negative length": "POST /x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: -1\r\n\r\n",
    "length with plus": "POST /x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: +1\r\n\r\na",
    "length is words": "POST /x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: ten\r\n\r\n",
    "TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on and so on\r\n\r\n",
}
for what, text in BAD_REQUESTS.items():
    case(f"bad request: {what}", plain_text(text), 400, 505)
case("header line too long", with_lines("X-Long: " + "x" * 20000), 431)
case("too many header lines", with_lines(*(f"X-{n}: y" for n in range(80))), 431)
case("request line too long", lambda port: upgrade_request(port, "/sync?" + "q" * 20000),
     414, 431, 400)

assert accept_of(SAMPLE_KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

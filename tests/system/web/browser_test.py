"""Pages in Chromium, and the server behind nginx under a path, with the lines of the README."""

import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse

import pytest

from support.frames import Raw, upgrade_request
from support.server import PATIENCE, ROOT, Server, free_port, wait_until

NODE = ROOT / "tests/system/node"
needs_chromium = pytest.mark.skipif(not shutil.which(os.environ.get("CHROMIUM", "chromium")),
                                    reason="Chromium is not installed")


def in_chromium(*args):
    done = subprocess.run(["node", str(NODE / "page_client.mjs"), *args], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=120 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


# ---- a page of an allowed origin ------------------------------------------------------------

class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href='data:,'><title>app</title>")

    def log_message(self, *_):
        pass


@needs_chromium
def test_an_allowed_page_uses_all_of_rest_and_the_stream(make_server):
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    try:
        origin = f"http://127.0.0.1:{app.server_port}"
        server = make_server(env={"ALLOWED_ORIGINS": origin + "/"}).start()
        did = in_chromium("allowed", origin + "/", f"http://localhost:{server.port}")
    finally:
        app.shutdown()
    assert (did["put"]["status"], did["put"]["etag"]) == (201, '"1"')
    assert (did["again"]["status"], did["again"]["replayed"]) == (201, "true")
    assert (did["patch"]["status"], did["patch"]["etag"]) == (200, '"2"')
    assert (did["stale"]["status"], did["stale"]["code"]) == (412, "version_conflict")
    assert (did["read"]["status"], did["read"]["etag"]) == (200, '"2"') and did["read"]["date"]
    assert did["unchanged"]["status"] == 304
    assert 'rel="next"' in did["page"]["link"]
    assert did["remove"]["status"] == 200
    assert (did["missing"]["status"], did["missing"]["code"]) == (404, "not_found")
    assert did["nowhere"]["status"] == 405 and "GET" in did["nowhere"]["allow"]
    assert did["traced"]["status"] == 200
    assert did["heard"] == "heard"


# ---- behind nginx, under a path -------------------------------------------------------------

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        {told}
        location /untold/ {{ proxy_pass http://127.0.0.1:{server}/; }}
    }}
}}
"""


class Proxy:
    """nginx with the README's lines at /memory/, and as it comes at /untold/."""

    def __init__(self, port, server, folder):
        self.port = port
        readme = (ROOT / "README.md").read_text()
        told = re.search(r"^location /memory/ \{.*?^\}", readme, re.S | re.M).group(0)
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=self.port, server=server.port,
                                       told=told.replace("8765", str(server.port))))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(config)],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(self._answers, what="nginx")

    def _answers(self):
        assert self.process.poll() is None, self.process.stderr.read()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    if not pathlib.Path("/usr/sbin/nginx").exists():
        pytest.skip("nginx is not installed")
    port = free_port()
    with Server(env={"ALLOWED_ORIGINS": f"http://127.0.0.1:{port}"}) as server:
        proxy = Proxy(port, server, tmp_path_factory.mktemp("nginx"))
        try:
            yield proxy
        finally:
            proxy.close()


def handshake(proxy, target):
    with Raw(proxy.port) as raw:
        raw.send(upgrade_request(proxy.port, target))
        return raw.read_http()


def test_a_websocket_opens_with_the_lines_of_the_readme(proxied):
    assert handshake(proxied, "/memory/sync").status == 101
    assert handshake(proxied, "/memory/").status == 101


@pytest.mark.parametrize("target", ["/untold/sync", "/untold/"])
def test_nginx_as_it_comes_is_told_what_it_must_pass_on(proxied, target):
    answer = handshake(proxied, target)
    assert answer.status == 426, answer
    text = json.loads(answer.body)["detail"]
    for part in ("HTTP/1.0", "Upgrade: websocket is missing", "proxy_http_version 1.1;",
                 "proxy_set_header Upgrade $http_upgrade;",
                 'proxy_set_header Connection "upgrade";'):
        assert part in text, text
    assert "Sec-WebSocket-Key is missing" not in text


def get(proxy, target):
    with Raw(proxy.port) as raw:
        raw.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\n\r\n".encode())
        return raw.read_http()


def test_references_hold_under_the_path(proxied):
    with Raw(proxied.port) as raw:
        for key in ("one", "two"):
            raw.send(f"PUT /memory/api/v1/contexts/{key} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
                     "Content-Type: application/json\r\nContent-Length: 11\r\n\r\n".encode()
                     + b'{"data":{}}')
            assert raw.read_http().status == 201
    target = "/memory/api/v1/contexts?limit=1"
    link = get(proxied, target).headers["link"]
    second = get(proxied, urllib.parse.urljoin(target, link[1:link.index(">")]))
    assert json.loads(second.body)["contexts"][0]["contextKey"] == "two"
    for target in ("/memory/api/v1/contexts/none", "/memory/nothing", "/memory/sync"):
        problem = json.loads(get(proxied, target).body)
        about = get(proxied, urllib.parse.urljoin(target, problem["type"]))
        assert about.status == 200 and about.body.decode().startswith(problem["code"])


@pytest.mark.parametrize("prefix", ["/memory", "/untold"])
def test_the_stream_is_not_held_back(proxied, prefix):
    with Raw(proxied.port) as raw:
        target = prefix + "/api/v1/events/stream"
        raw.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n".encode())
        raw.sock.settimeout(5 * PATIENCE)
        got = b""
        while b"event: position" not in got:
            got += raw.sock.recv(4096)


@needs_chromium
def test_the_status_page_lives_under_the_path(proxied):
    base = f"http://127.0.0.1:{proxied.port}/memory"
    seen = in_chromium("status", base, base + "/", base + "/?x=1#y")
    for page in seen["pages"]:
        assert page["styled"] and page["statuses"] == [200, 200], page
        assert page["url"].startswith(base + "/")
    assert seen["failed"] == []

"""Where the command line finds its server: default ports, prefixes, TLS, proxies."""

import json
import os
import socket
import subprocess
import time

import pytest

from support.server import BINARY, PATIENCE, free_port
from support.tls_proxy import Proxy, make_certificate

COMMANDS = [("status",), ("context", "set", "k", '{"n":1}'), ("context", "get", "k"),
            ("context", "ls", "--all"), ("context", "history", "k"), ("context", "search", "n"),
            ("mode", "set", "parallel"), ("mode", "log"), ("instances",), ("events",),
            ("conflicts", "ls"), ("response", "ls"), ("top", "--json", "--once"),
            ("bench", "--seconds", "1", "--writers", "2"), ("context", "rm", "k")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_command_works_over_tls_and_below_a_prefix(server, certificate, slash):
    authority, own = certificate
    with Proxy(server.port, own, "/team/memory") as proxy:
        env = {"DYAD_URL": f"https://localhost:{proxy.port}/team/memory{slash}",
               "SSL_CERT_FILE": str(authority), "DISTRIBUTED_USER_ID": "tls"}
        for command in COMMANDS:
            done = server.cli(*command, env=env)
            assert done.returncode == 0, (command, done)
        assert all("/team/memory/" in line and "//" not in line for line in proxy.requests)
        shown = server.cli("status", env=env).stdout
        assert f"https://localhost:{proxy.port}/team/memory" in shown


def test_a_follower_loses_nothing_over_tls(server, certificate):
    authority, own = certificate
    with Proxy(server.port, own, "/m") as proxy:
        env = {**server.environment(), "DYAD_URL": f"https://127.0.0.1:{proxy.port}/m",
               "CURL_CA_BUNDLE": str(authority), "DISTRIBUTED_USER_ID": "follower"}
        follower = subprocess.Popen([BINARY, "events", "--follow", "--json", "--since", "0"],
                                    env=env, cwd=server.home, stdout=subprocess.PIPE, text=True)
        try:
            for n in range(40):
                body = json.dumps({"data": {"n": n, "pad": "x" * 20000}, "force": True})
                status, _, _ = server.request(
                    "PUT", f"/api/v1/contexts/k{n}", body,
                    {"Content-Type": "application/json", "Dyad-User": "follower"})
                assert status in (200, 201)
            offsets = [json.loads(follower.stdout.readline())["offset"] for _ in range(40)]
            assert offsets == list(range(1, 41))
        finally:
            follower.terminate()
            assert follower.wait(10 * PATIENCE) == 0


def test_a_certificate_that_is_not_trusted_is_told_apart_from_no_server(server, certificate,
                                                                        tmp_path):
    authority, own = certificate
    other = make_certificate(tmp_path, names=("other.example",), addresses=())
    with Proxy(server.port, own) as proxy, Proxy(server.port, other[1]) as named_otherwise:
        done = server.cli("status", "--url", f"https://localhost:{proxy.port}")
        assert done.returncode == 3 and "certificate" in done.stderr, done
        assert "SSL_CERT_FILE" in done.stderr and "dyad-memory serve" not in done.stderr
        done = server.cli("context", "ls", "--url", f"https://localhost:{named_otherwise.port}",
                          env={"SSL_CERT_FILE": str(other[0])})
        assert done.returncode == 3 and "certificate" in done.stderr, done
        done = server.cli("status", "--url", f"https://localhost:{server.port}")
        assert done.returncode == 3 and "does not speak TLS" in done.stderr, done
        started = time.monotonic()
        for command in (("context", "set", "k", "{}"), ("events", "--follow"), ("bench",)):
            done = server.cli(*command, "--url", f"https://localhost:{proxy.port}")
            assert done.returncode == 3 and "certificate" in done.stderr, (command, done)
        assert time.monotonic() - started < 5 * PATIENCE


def test_the_port_is_the_schemes_own_where_none_is_written(server):
    """80 and 443, seen through a proxy of the environment, which is told the whole URL."""
    with Proxy(server.port, forward=True) as proxy:
        env = {"http_proxy": f"http://127.0.0.1:{proxy.port}",
               "https_proxy": f"http://127.0.0.1:{proxy.port}"}
        server.cli("status", "--url", "http://memory.example.com", "--timeout", "2", env=env)
        server.cli("status", "--url", "https://memory.example.com/x", "--timeout", "2", env=env)
        assert proxy.requests[0].startswith("GET http://memory.example.com/api/v1/status ")
        assert any(line.startswith("CONNECT memory.example.com:443 ") for line in proxy.requests)


def test_this_machine_is_never_asked_through_a_proxy(server):
    with Proxy(forward=True) as proxy:
        env = {name: f"http://127.0.0.1:{proxy.port}"
               for name in ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY")}
        for host in ("127.0.0.1", "localhost", "LOCALHOST"):
            done = server.cli("status", "--url", f"http://{host}:{server.port}", env=env)
            assert done.returncode == 0, done
        assert server.cli("bench", "--seconds", "1", env={
            **env, "DYAD_URL": f"http://127.0.0.1:{server.port}"}).returncode == 0
        assert proxy.requests == []
        for skipped in ("no_proxy", "NO_PROXY"):
            server.cli("status", "--url", "http://memory.invalid", "--timeout", "1",
                       env={**env, skipped: "memory.invalid"})
        assert proxy.requests == []


@pytest.mark.parametrize("form", ["localhost:{}", "HTTP://127.0.0.1:{}", "ws://127.0.0.1:{}/sync",
                                  "http://127.0.0.1:{}///"])
def test_other_forms_of_the_same_address(server, form):
    done = server.cli("status", env={"DYAD_URL": form.format(server.port)})
    assert done.returncode == 0, done


@pytest.mark.parametrize("url,says", [
    ("http://ada:secret@127.0.0.1:1", "user name"), ("http://127.0.0.1:1/?user=ada", "query"),
    ("http://127.0.0.1:1/#x", "fragment"), ("ftp://127.0.0.1", "scheme"),
    ("memory.example.com", "http://memory.example.com:8765"), ("http://127.0.0.1:99999", "port"),
    ("http://", "host"), ("http://b\u00fccher.example", "ASCII"), ("http://$HOST:1", "no URL"),
    ("http://127.0.0.1:1/%zz", "no URL"), ("http:127.0.0.1:1", "no scheme")])
def test_the_rest_is_refused_by_what_is_wrong(server, url, says):
    done = server.cli("status", "--url", url)
    assert done.returncode == 2 and "DYAD_URL" in done.stderr and says in done.stderr, done
    checked = server.cli("config", "check", env={"DYAD_URL": url})
    assert checked.returncode == 2 and says in checked.stdout


def test_an_address_that_is_not_the_servers_says_nothing_of_what_is_stored(server):
    """4 is for what does not exist: a script takes it for that."""
    for path in ("/api/v1", "/sync", "/nowhere"):
        for command in (("context", "get", "k"), ("mode", "get"), ("events",), ("status",)):
            done = server.cli(*command, "--url", f"http://127.0.0.1:{server.port}{path}")
            assert done.returncode == 1 and path in done.stderr and "--url" in done.stderr, done


def test_an_ipv6_literal_is_reached(make_server):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    server = make_server(args=["--host", "::1"], port=free_port())
    server.spawn()
    for _ in range(100):
        done = server.cli("status", "--url", f"http://[::1]:{server.port}")
        if done.returncode == 0:
            break
        time.sleep(0.05 * PATIENCE)
    assert done.returncode == 0, done

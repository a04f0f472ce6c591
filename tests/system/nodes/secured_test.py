"""MongoDB and Redis with credentials and TLS, as the settings ask for them."""

import json
import socket

import pytest

from support.backends import MONGO_VENV, Mongo, Redis
from support.server import free_port, wait_until
from support.tls_proxy import make_certificate

pytestmark = pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                                reason="the MongoDB server of the tests is not installed")
BASE = {"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": "ada"}


class TlsRedis(Redis):
    def __init__(self, authority, both):
        self.plain_port = free_port()
        super().__init__("--tls-port", "0", "--tls-cert-file", both, "--tls-key-file", both,
                         "--tls-ca-cert-file", authority, "--tls-auth-clients", "no",
                         "--user", "default", "off", "--user", "dyad", "on", ">p@ss:w/rd",
                         "+@pubsub", "+@connection", "resetchannels", "&dyad:*")

    def command(self):
        line = [str(word) for word in super().command()]
        line[line.index("--tls-port") + 1] = str(self.port)
        line[line.index("--port") + 1] = "0"
        return line

    def ready(self):
        with self.connection(2.0):
            return True


class TlsMongo(Mongo):
    def __init__(self, both):
        super().__init__()
        self.both = both

    def make_user(self):
        """While it still takes everybody."""
        with self.client() as client:
            client.admin.command("createUser", "dyad", pwd="p@ss:w/rd", roles=["root"])
        self.stop()
        self.arguments += ["--auth", "--tls-cert-file", self.both, "--tls-key-file", self.both]

    def ready(self):
        if "--auth" not in self.arguments:
            return super().ready()

        with socket.create_connection(("127.0.0.1", self.port), 2):
            return True


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """(Redis, MongoDB, the file of their authority)"""
    folder = tmp_path_factory.mktemp("secured")
    authority, both = make_certificate(folder)
    with TlsRedis(authority, both) as redis, TlsMongo(both) as mongo:
        mongo.make_user()
        mongo.start()
        yield redis, mongo, authority


def settings_of(secured, password="p%40ss%3Aw%2Frd", **more):
    redis, mongo, authority = secured
    return {**BASE,
            "REDIS_URL": f"rediss://dyad:{password}@127.0.0.1:{redis.port}",
            "REDIS_TLS_CA_FILE": str(authority),
            "MONGODB_URL": f"mongodb://dyad:{password}@127.0.0.1:{mongo.port}/?authSource=admin",
            "MONGODB_TLS": "true", "MONGODB_TLS_CA_FILE": str(authority), **more}


def test_both_are_reached_and_doctor_says_so(make_server, secured):
    server = make_server(env=settings_of(secured)).start(30)
    wait_until(lambda: json.loads(server.get("/api/v1/status")[2])["isFullyOperational"], 15,
               what=server.log())
    done = server.cli("--url", f"http://127.0.0.1:{server.port}", "doctor", "--write-test",
                      "--json", timeout=60)
    assert done.returncode == 0, done
    shown = server.log() + done.stdout + server.cli("config", "show").stdout
    assert "p%40ss" not in shown and "p@ss" not in shown, "no password is ever shown"


def test_a_wrong_password_ends_the_start(make_server, secured):
    server = make_server(env=settings_of(secured, password="wrong")).spawn()
    assert server.wait_exit(20) != 0
    assert "correct the user, the password or authSource in MONGODB_URL" in server.log()
    assert "wrong" not in server.log(), server.log()


def test_a_certificate_of_somebody_else_is_not_believed(make_server, secured, tmp_path):
    other, _ = make_certificate(tmp_path)
    server = make_server(env=settings_of(secured, REDIS_TLS_CA_FILE=str(other),
                                         MONGODB_TLS_CA_FILE=str(other))).spawn()
    server.wait_log("[mongodb_client] MongoDB not connected", 30)
    server.wait_log("[redis_event_bus] Redis not connected")
    status = json.loads(server.get("/api/v1/status")[2])
    assert "certificate" in status["redis"]["problem"], status
    checks = {check["check"]: check["verdict"] for check in json.loads(
        server.cli("doctor", "--json", timeout=60).stdout)["checks"]}
    assert (checks["MongoDB"], checks["Redis"]) == ("fail", "fail")

"""The guide's own lines, typed into MongoDB's shell and into redis-cli, on what the server wrote.

mongosh is 150 MB, so it is installed on demand: npm ci --ignore-scripts in tests/system/mongosh.
"""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest

from support.backends import MONGO_VENV, Mongo, Redis
from support.foreign import ForeignInstance
from support.plain import Plain
from support.rest import Api, as_user
from support.server import PATIENCE, ROOT, Server, wait_until

USER = "john.doe@example.com"
SHELL = pathlib.Path(os.environ.get(
    "MONGOSH", ROOT / "tests/system/mongosh/node_modules/.bin/mongosh"))

pytestmark = pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                                reason="the MongoDB server of the tests is not installed")
needs_mongosh = pytest.mark.skipif(
    not SHELL.exists(), reason="mongosh (150 MB) is not installed: npm ci --ignore-scripts in "
                               "tests/system/mongosh")


@pytest.fixture(scope="module")
def redis():
    with Redis() as running:
        yield running


@pytest.fixture(scope="module")
def mongo():
    with Mongo(standalone=True) as running:
        yield running


@pytest.fixture(scope="module")
def dyad(redis, mongo):
    """A server with a mode, a context and a response in its memory."""
    with Server(env={"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER,
                     "LOG_LEVEL": "debug", **redis.env(), **mongo.env()}).start(30) as server:
        with Plain(server.port, USER, "dyad-1") as client:
            client.set_mode("didactic", "inspired")
            client.set_mode("parallel", "didactic")
            client.write("project/plan", {"goal": "kept"}, contextType="project")
            client.ping()
        api = Api(server, USER, "dyad-1")
        assert api.status("POST", "responses", {
            "chatId": "17", "messageId": "204", "mode": "parallel", "sourceType": "external",
            "provider": "openai", "model": "gpt-4o", "responseHash": "ab"}) == 201
        wait_until(lambda: mongo.db.ai_response_sources.count_documents({}) and
                   mongo.db.mode_transitions.count_documents({}) == 2 and
                   mongo.db.distributed_context.count_documents({}), 10, what="the documents")
        yield server


class Terminal:
    """A shell at which lines are typed; what it prints is collected."""

    def __init__(self, command, log, home=None):
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.PIPE, stdout=out,
                stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"], "NO_COLOR": "1",
                                               "HOME": str(home or log.parent)})

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def text(self):
        return self.log.read_text("utf-8", "replace")

    def wait(self, text, count=1):
        return wait_until(lambda: self.text().count(text) >= count, 60,
                          what=f"{text!r}, at {self.log}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


@pytest.fixture(scope="module")
def mongosh(dyad, mongo, tmp_path_factory):
    """A function that types a line and gives what the shell answers."""
    folder = tmp_path_factory.mktemp("mongosh")
    prompt = "dyad_distributed> "
    with Terminal([SHELL, f"mongodb://localhost:{mongo.port}/dyad_distributed", "--norc"],
                  folder / "shell.log") as shell:
        shell.wait(prompt)

        def typed(line):
            before = shell.text()
            shell.type(line)
            shell.wait(prompt, before.count(prompt) + 1)
            return shell.text()[len(before):]
        yield typed


# ---- Testing the setup, View data -----------------------------------------------------------

@needs_mongosh
def test_mongosh_show_collections(mongosh):
    shown = mongosh("show collections")
    for name in ("mode_state", "mode_transitions", "distributed_context", "ai_response_sources",
                 "sync_events"):
        assert re.search(rf"^(.*> )?{name}\b", shown, re.M), shown


@needs_mongosh
@pytest.mark.parametrize("line, parts", [
    ("db.mode_state.find().pretty()",
     [f"userId: '{USER}'", "instanceId: 'dyad-1'", "currentMode: 'parallel'",
      "previousMode: 'didactic'", "multiChannel: true", "updatedAt: ISODate("]),
    ("db.mode_transitions.find().sort({timestamp: -1}).limit(10).pretty()",
     ["fromMode: 'didactic'", "toMode: 'parallel'", "success: true", "timestamp: ISODate("]),
    ("db.distributed_context.find().pretty()",
     ["contextKey: 'project/plan'", "contextType: 'project'", "data: { goal: 'kept' }",
      "createdBy: 'dyad-1'", "version: 1,"]),
    ("db.ai_response_sources.find().sort({timestamp: -1}).limit(10).pretty()",
     ["chatId: '17'", "messageId: '204'", "provider: 'openai'", "responseHash: 'ab'"]),
    ("db.sync_events.find().sort({timestamp: -1}).limit(10).pretty()",
     ["eventType: 'response-generated'", "eventType: 'context-updated'",
      "eventType: 'mode-changed'", "sourceInstanceId: 'dyad-1'"]),
])
def test_mongosh_view_data(mongosh, line, parts):
    shown = mongosh(line)
    for part in parts:
        assert part in shown, shown


@needs_mongosh
def test_mongosh_sorts_newest_first(mongosh):
    shown = mongosh("db.mode_transitions.find().sort({timestamp: -1}).limit(10).pretty()")
    assert re.findall(r"toMode: '(\w+)'", shown) == ["parallel", "didactic"], shown


@needs_mongosh
def test_mongosh_health(dyad, mongo, tmp_path):
    done = subprocess.run([str(SHELL), "--port", str(mongo.port), "--norc", "--eval",
                           "db.adminCommand('ping')"], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
                          timeout=60 * PATIENCE)
    assert "ok: 1" in done.stdout, done


# ---- Performance tuning ---------------------------------------------------------------------

@needs_mongosh
def test_mongosh_performance_tuning(mongosh, mongo, redis):
    """The indexes of the guide disturb neither a start of ours nor of an existing instance."""
    assert "updatedAt_-1" in mongosh("db.mode_state.createIndex({ updatedAt: -1 })")
    assert "chatId_1_timestamp_-1" in mongosh(
        "db.ai_response_sources.createIndex({ chatId: 1, timestamp: -1 })")
    # The server of the tests keeps no profile; it takes the command or says that it does not.
    shown = mongosh("db.setProfilingLevel(1, { slowms: 100 })")
    assert "was:" in shown or "MongoServerError" in shown, shown
    mongosh("db.system.profile.find().sort({ ts: -1 }).limit(5).pretty()")
    with Server(env={"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER,
                     **redis.env(), **mongo.env()}).start(30) as another:
        assert another.get("/readyz")[0] == 200
    with ForeignInstance(mongo, redis, "electron-1"):
        pass


# ---- redis-cli ------------------------------------------------------------------------------

def terminal(redis, log):
    return Terminal(["redis-cli", "-p", redis.port], log)


def redis_cli(redis, *words):
    done = subprocess.run(["redis-cli", "-p", str(redis.port), *words], capture_output=True,
                          text=True, timeout=10 * PATIENCE)
    assert done.returncode == 0, done
    return done.stdout


def test_redis_cli_ping(dyad, redis):
    assert redis_cli(redis, "ping") == "PONG\n"


def test_redis_cli_subscribe_and_publish(dyad, redis, tmp_path):
    """As written: SUBSCRIBE takes the pattern for a name, so the message is seen in the first
    terminal by the second way of the guide, PSUBSCRIBE; the server drops it and goes on."""
    with terminal(redis, tmp_path / "literal") as literal, \
            terminal(redis, tmp_path / "pattern") as pattern:
        literal.type("SUBSCRIBE dyad:event:*")
        literal.wait("dyad:event:*")
        pattern.type("PSUBSCRIBE dyad:event:*")
        pattern.wait("dyad:event:*")
        receivers = redis_cli(redis, "PUBLISH", "dyad:event:mode:changed", '{"test": true}')
        assert int(receivers) >= 2, "the pattern, and the server"
        pattern.wait('{"test": true}')
        dyad.wait_log("dyad:event:mode:changed was dropped")
        with Plain(dyad.port, USER, "dyad-1") as client:
            client.set_mode("didactic", "parallel")
        pattern.wait('"toMode":"didactic"')
        assert '{"test": true}' not in (tmp_path / "literal").read_text()
    assert json.loads(dyad.get("/api/v1/status")[2])["isFullyOperational"]


def test_redis_cli_keys_and_memory(dyad, redis):
    assert redis_cli(redis, "KEYS", "dyad:*").strip() == "", "the bus keeps no keys"
    assert "used_memory_human:" in redis_cli(redis, "INFO", "memory")
    assert redis_cli(redis, "CONFIG", "SET", "maxmemory", "256mb") == "OK\n"
    assert redis_cli(redis, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru") == "OK\n"


# ---- Troubleshooting ------------------------------------------------------------------------

def indicator_of(server):
    shown = server.cli("--url", f"http://127.0.0.1:{server.port}", "status")
    return next(line for line in (shown.stdout + shown.stderr).splitlines() if "Sync]" in line)


@pytest.mark.parametrize("system, words", [
    ("mongodb", "[mongodb_client] MongoDB not connected"),
    ("redis", "[redis_event_bus] Redis not connected")])
def test_troubleshooting_stop_and_start_again(system, words):
    """Down while it runs: `2/3`, and the words that people search for; started again: `3/3`
    without a restart of Dyad."""
    with Redis() as redis, Mongo() as mongo, Server(env={
            "ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": USER, **redis.env(),
            **mongo.env()}).start(30) as server:
        wait_until(lambda: "3/3" in indicator_of(server), 20, what="the indicator")
        api = Api(server, USER, "dyad-1")
        assert api.status("PUT", "contexts/k", {"data": {"n": 1}}) == 201
        victim = mongo if system == "mongodb" else redis
        victim.stop()
        wait_until(lambda: "2/3" in indicator_of(server), 30, 0.2, what="the indicator")
        server.wait_log(words, 20)
        status = json.loads(server.get("/api/v1/status")[2])
        assert not status[system]["connected"] and status[system]["problem"], status
        put = ("PUT", "contexts/k", {"data": {"n": 2}, "force": True})
        if system == "mongodb":
            code, problem = api.call(*put)
            assert code == 503 and "MongoDB not connected" in json.dumps(problem), problem
            read = server.get("/api/v1/contexts/k?fresh=any", as_user(USER))
            assert read[0] == 200 and int(read[1]["Age"]) >= 0, read
            assert json.loads(read[2])["data"] == {"n": 1}
        else:
            assert api.status(*put) == 200
        time.sleep(0.5)
        victim.start()
        wait_until(lambda: "3/3" in indicator_of(server), 40, 0.2, what="the indicator")
        assert api.status(*put) == 200

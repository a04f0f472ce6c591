"""One user's memory, written by existing instances and by ours at once; what came of it."""

import contextlib
import json
import random
import threading
import time
import uuid

from history import ForeignWrite, History
from support.foreign import Refused
from support.frames import Ended
from support.plain import Closed, Plain
from support.rest import as_user, read_log
from support.server import PATIENCE, wait_until

KEYS = ["plan", "notes", "a/b.c $d"]
WAYS = ["findOneAndUpdate", "findOneAndUpdate", "updateOne", "replaceOne", "findOneAndReplace",
        "deleteInsert"]
MODES = ["inspired", "didactic", "parallel"]
# Mostly a clock, as existing instances have it.
VERSIONS = ["clock"] * 6 + ["small", "none", "text", "fraction"]


class Interleaving:
    def __init__(self, world, seed):
        self.world = world
        self.random = random.Random(f"interleaving {seed}")
        self.user = f"user-{seed}@example.com"
        self.history = History(seed=seed)
        self.ids = iter(range(1, 10**6))
        self.id_lock = threading.Lock()
        self.failures = []
        self.began = time.monotonic()

    def next_id(self):
        with self.id_lock:
            return next(self.ids)

    def run(self):
        watcher = Watcher(self)
        actors = [threading.Thread(target=self._guard, args=(act, random.Random(
            self.random.random()))) for act in (self.act_foreign, self.act_ours)]
        for actor in actors:
            actor.start()
        for actor in actors:
            actor.join()
        self.watcher = watcher
        return self

    def _guard(self, act, rng):
        try:
            act(rng)
        except Exception as error:  # told by finish(), in the main thread
            self.failures.append(error)

    # ---- what existing instances do ---------------------------------------------------------

    def act_foreign(self, rng):
        modes = {}
        for _ in range(rng.randint(5, 14)):
            one = rng.choice(self.world.foreign)
            what = rng.random()
            if what < 0.65:
                self.foreign_context(rng, one)
            elif what < 0.85:
                self.foreign_mode(rng, one, modes)
            elif what < 0.95:
                self.announce(rng, one)
            else:
                with contextlib.suppress(Refused):
                    one.call("raw", channel="dyad:event:mode:changed", text='{"test": true}')
            time.sleep(rng.choice([0, 0, 0.005, 0.02, 0.1]))

    def foreign_context(self, rng, one):
        key, value = rng.choice(KEYS), self.next_id()
        version = {"clock": int(time.time() * 1000), "small": rng.randint(1, 5), "none": None,
                   "text": "7", "fraction": 12.5}[rng.choice(VERSIONS)]
        write = ForeignWrite(key, value, version, False)
        self.history.foreign.append(write)
        try:
            answer = one.call("context", userId=self.user, key=key, how=rng.choice(WAYS),
                              data={"id": value, "from": one.instance}, version=version,
                              silent=rng.random() < 0.2)
        except Refused:
            return
        write.acknowledged = True
        write.overwrote = [data.get("id") for data in answer["overwrote"]]

    def foreign_mode(self, rng, one, modes):
        before = modes.get(one.instance)
        mode = rng.choice([mode for mode in MODES if mode != before])
        modes[one.instance] = mode
        try:
            answer = one.call("mode", userId=self.user, fromMode=before, toMode=mode,
                              silent=rng.random() < 0.2)
            self.history.transitions.append((answer["transition"], one.instance, mode))
        except Refused:
            self.history.transitions.append((None, one.instance, mode))
        time.sleep(0.002)  # the order of transitions is their timestamps'

    def announce(self, rng, one):
        event = str(uuid.uuid4())
        self.history.announced.append(event)
        if rng.random() < 0.5:
            kind = rng.choice(["mcp:tool-executed", "mcp:server-added", "mcp:server-removed"])
            payload = {"tool": "search", "id": self.next_id()}
        else:
            kind = "response:generated"
            payload = {"chatId": "c", "messageId": str(self.next_id()), "mode": "didactic",
                       "sourceType": "external", "provider": "openai", "model": "gpt",
                       "confidence": None, "responseHash": "ab", "metadata": {},
                       "userId": self.user, "instanceId": one.instance}
        with contextlib.suppress(Refused):
            one.call("publish", userId=self.user, eventType=kind, payload=payload,
                     given={"eventId": event})

    # ---- what our clients do ----------------------------------------------------------------

    def act_ours(self, rng):
        for _ in range(rng.randint(4, 10)):
            key = rng.choice(KEYS)
            if rng.random() < 0.12:
                self.our_write(rng, "DELETE", key, None)
            else:
                self.our_write(rng, "PUT", key, self.next_id())
            time.sleep(rng.choice([0, 0, 0.005, 0.02, 0.1]))

    def our_write(self, rng, method, key, value):
        """By REST, at any node, the same operation again until it is answered."""
        operation = str(uuid.uuid4())
        self.history.ours[operation] = (key, value, False)
        body = None if value is None else json.dumps({"data": {"id": value}, "force": True})
        headers = {**as_user(self.user), "Content-Type": "application/json",
                   "Dyad-Instance": "ours-1", "Idempotency-Key": operation}
        path = "/api/v1/context?contextKey=" + key.replace(" ", "%20").replace("/", "%2F")
        deadline = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < deadline:
            node = rng.choice(self.world.nodes)
            try:
                code, _, answer = node.request(method, path, body, headers, timeout=5)
            except OSError:
                code = 503
            if code in (200, 201, 204):
                self.history.ours[operation] = (key, value, True)
                return
            if code == 404 and method == "DELETE":
                return
            if code not in (503, 429, 500, 504):
                raise AssertionError(f"{method} {path}: {code} {answer}")
            time.sleep(0.05)
        raise AssertionError(f"no node answers to {method} {path}")

    # ---- what came of it --------------------------------------------------------------------

    def finish(self):
        """Waits until all that is read is one and the same, or does not become so."""
        for failure in self.failures:
            raise failure
        with contextlib.suppress(AssertionError):
            wait_until(self.settled, 20, 0.1)
        history = self.history
        self.watcher.finish(sum(e["kind"] == "context-changed" for e in history.log))
        with contextlib.suppress(AssertionError):
            wait_until(self.all_heard, 5, 0.05)
        history.heard = {one.instance: one.heard_of(self.user) for one in self.world.foreign}
        history.pushed = self.watcher.pushed
        history.faulty = self.world.faulty_since(self.began) or self.watcher.broken
        return history

    def all_heard(self):
        return all(len([e for e in one.heard_of(self.user) if "metadata" in e]) >=
                   len(self.history.log) for one in self.world.foreign)

    def get(self, node, path):
        code, _, body = node.get(f"/api/v1/{path}", as_user(self.user))
        assert code == 200, (path, code, body)
        return json.loads(body)

    def collect(self):
        history = self.history
        history.contexts = [
            {one["contextKey"]: (one["data"].get("id"), one["version"])
             for one in self.get(node, "contexts?limit=100")["contexts"]}
            for node in self.world.nodes]
        history.documents = self.world.foreign[0].call("read", userId=self.user)
        node = self.world.nodes[0]
        transitions = self.get(node, "transitions?limit=200")["transitions"]
        history.rest_transitions = [(one["instanceId"], one["currentMode"])
                                    for one in reversed(transitions)]
        history.rest_modes = {one["instanceId"]: one["currentMode"]
                              for one in self.get(node, "modes")["modes"]}
        history.log = read_log(node, self.user)

    def settled(self):
        """Whether a second look finds what the first one did, and the documents are as the log."""
        with contextlib.suppress(OSError, Refused):
            self.collect()
            first = (self.history.log, self.history.documents)
            time.sleep(0.3)
            self.collect()
            documents = {one["contextKey"]: (one["data"].get("id"), one["metadata"]["version"])
                         for one in self.history.documents["distributed_context"]}
            unmarked = [one for one in self.history.documents["mode_transitions"]
                        if "dyad" not in one]
            return (first == (self.history.log, self.history.documents) and not unmarked and
                    all(documents == state for state in self.history.contexts))
        return False


class Watcher:
    """A client of ours that writes nothing, on one of the nodes."""

    def __init__(self, interleaving):
        self.pushed = []
        self.broken = False
        self.client = None
        try:
            node = interleaving.random.choice(interleaving.world.nodes)
            self.client = Plain(node.port, interleaving.user, "watcher")
            self.client.state()
        except (Closed, Ended, OSError, TimeoutError):
            self.broken = True  # a node that was just killed
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.done = False
        self.thread.start()

    def _read(self):
        while not self.done and not self.broken:
            try:
                message = self.client.receive(timeout=0.5)
            except TimeoutError:
                continue
            except (Closed, Ended, OSError):
                self.broken = True
                return
            if message["type"] == "context-sync":
                self.pushed.append((message["payload"]["contextKey"],
                                    message["payload"]["version"]))

    def finish(self, count):
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self.broken or len(self.pushed) >= count, 5)
        time.sleep(0.05)
        self.done = True
        self.thread.join()
        if self.client:
            self.client.close()

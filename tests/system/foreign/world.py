"""One to three nodes, MongoDB, Redis and two existing instances, and who kills them."""

import contextlib
import json
import random
import threading
import time
from collections import Counter

from support.backends import Mongo, Redis
from support.foreign import ForeignInstance, Refused
from support.server import Server, wait_until

OWNER = "owner@example.com"


class World:
    """Lifetime: until close(). Existing instances are there before the nodes, or after them."""

    def __init__(self, seed, faults):
        self.random = random.Random(f"world {seed}")
        self.faults_on = faults
        self.redis, self.mongo = Redis(), Mongo(standalone=self.random.random() < 0.5)
        env = {"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": OWNER,
               **self.redis.env(), **self.mongo.env()}
        self.nodes = [Server(env=env) for _ in range(self.random.randint(1, 3))]
        self.foreign = []
        self.fault_times = []  # [from, to], of the monotonic clock
        self.kills = Counter(node=0, redis=0, mongo=0)
        self.lock = threading.Lock()
        self.stopping, self.healed, self.closing = (threading.Event() for _ in range(3))
        self.killer = None

    def start(self):
        self.redis.start()
        self.mongo.start()
        if self.random.random() < 0.5:
            self.add_foreign("electron-1")
        for node in self.nodes:
            node.spawn()
        for node in self.nodes:
            node.wait_ready(30)
        while len(self.foreign) < 2:
            self.add_foreign(f"electron-{len(self.foreign) + 1}")
        self.wait_healthy()
        if self.faults_on:
            self.killer = threading.Thread(target=self._kill_now_and_then, daemon=True)
            self.killer.start()
        return self

    def add_foreign(self, name):
        self.foreign.append(ForeignInstance(self.mongo, self.redis, name))

    def status(self, node):
        try:
            return json.loads(node.get("/api/v1/status", timeout=3)[2])
        except OSError:
            return {"isFullyOperational": False}

    def wait_healthy(self):
        """Everything is connected with everything, so that nothing of what follows is missed."""
        for node in self.nodes:
            try:
                wait_until(lambda: self.status(node)["isFullyOperational"], 40, 0.05)
            except AssertionError as error:
                raise AssertionError(f"{error}: a node, ended {node.process.poll()}: "
                                     f"{self.status(node)}\n{node.log()[-3000:]}") from None
        for one in self.foreign:
            if self._speaks(one, 15):
                continue
            # Its library for Redis may stay silent for ever after an outage.
            one.restart()
            self.kills["an existing instance that stayed silent"] += 1
            assert self._speaks(one, 40), f"{one.instance} is not connected: {self._silence(one)}"

    def _speaks(self, one, seconds):
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self._silence(one) is None, seconds, 0.05)
            return True
        return False

    @staticmethod
    def _silence(one):
        """Why it does not talk to both servers; nothing: it does."""
        mark = f"probe {time.monotonic()}"
        try:
            one.call("read", userId="nobody")
            answer = one.call("raw", channel="dyad:event:probe", text=mark)
        except Refused as error:
            return str(error)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if mark in one.others:
                return None
            time.sleep(0.01)
        return f"it did not hear itself, Redis says of its message: {answer}"

    def _kill_now_and_then(self):
        while not self.stopping.wait(self.random.uniform(0.5, 4)):
            span = [time.monotonic(), float("inf")]
            with self.lock:
                self.fault_times.append(span)
            for _ in range(self.random.randint(1, 3)):
                self._kill_one()
                time.sleep(self.random.uniform(0, 0.5))
            self.wait_healthy()
            span[1] = time.monotonic()
        self.healed.set()
        self.closing.wait()  # what a thread has started ends with it (support.server)

    def _kill_one(self):
        what = self.random.choice(["node", "node", "redis", "mongo"])
        self.kills[what] += 1
        victim = {"redis": self.redis, "mongo": self.mongo}.get(
            what) or self.random.choice(self.nodes)
        victim.kill()
        time.sleep(self.random.uniform(0, 0.8))
        if what == "node":
            victim.spawn()
        else:
            victim.start()

    def faulty_since(self, since):
        with self.lock:
            return any(to > since for _, to in self.fault_times)

    def stop_faults(self):
        self.stopping.set()
        if self.killer:
            assert self.healed.wait(180), "the faults do not heal"
        self.wait_healthy()

    def close(self):
        self.stopping.set()
        self.closing.set()
        if self.killer:
            self.killer.join(60)
        for part in (*self.foreign, *self.nodes, self.redis, self.mongo):
            part.close()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

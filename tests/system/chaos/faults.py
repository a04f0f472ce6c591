"""What goes wrong, and when: a schedule from a seed, and how each fault is done and undone.

    fault     target            what happens
    kill      a process         kill -9; started again when its time is over
    stop      a process         SIGSTOP: its connections stay open, and nothing answers
    cut       a link            its connections end, new ones are refused
    half      a link            half-open: what is sent one way does not arrive
    slow      a link            every piece comes late, by a random time
    clock     the first node    its wall clock is wrong by so many seconds
"""

import asyncio
import random
import signal
import time
from dataclasses import dataclass

from history import Outage

PROCESSES = ["node0", "node1", "node2", "redis", "mongo"]
LINKS = ["mongo0", "mongo1", "mongo2", "redis0", "redis1", "redis2", "node0", "node1", "node2",
         "front"]
KINDS = ["kill"] * 5 + ["stop"] * 4 + ["cut"] * 4 + ["half"] * 4 + ["slow"] * 3 + ["clock"]
CLOCKS_S = [-3 * 86400, -3600, -20, 20, 600, 3600, 40 * 86400]
GAP_S = 1.2  # between two faults, on average


@dataclass
class Fault:
    at: float
    until: float
    kind: str
    target: str
    how: object = None

    def __str__(self):
        how = f" ({self.how})" if self.how is not None else ""
        return f"{self.at:5.1f} to {self.until:4.1f} s  {self.kind} {self.target}{how}"


def thing_of(kind, target):
    """What has one fault at a time."""
    return {"clock": "clock", "kill": "process", "stop": "process"}.get(kind, "link"), target


def schedule(seed, seconds):
    """The faults, in the order of their beginning; all are over after so many seconds."""
    dice = random.Random(seed)
    faults, at, busy = [], 0.0, {}
    while True:
        at += dice.expovariate(1 / GAP_S)
        if at > seconds - 0.5:
            return faults
        kind = dice.choice(KINDS)
        how = None
        if kind in ("kill", "stop"):
            target = dice.choice(PROCESSES)
        elif kind == "clock":
            target, how = "node0", dice.choice(CLOCKS_S)
        else:
            target = dice.choice(LINKS)
            if kind == "half":
                how = dice.choice(["upstream", "downstream"])
            elif kind == "slow":
                how = dice.choice([20, 100, 400])
        until = min(seconds, at + dice.choice([0.1, 0.5, 1, 2, 4, 8]) * (0.5 + dice.random()))
        thing = thing_of(kind, target)
        if busy.get(thing, -1) < at:
            busy[thing] = until
            faults.append(Fault(at, until, kind, target, how))


class Injector:
    """Does the faults of a schedule to a topology."""

    def __init__(self, topology, history):
        self.topology, self.history = topology, history
        self.turns = {}  # of each thing, its faults one after the other

    def process(self, name):
        topology = self.topology
        return {"redis": topology.redis, "mongo": topology.mongo}.get(name) or \
            topology.nodes[int(name[-1])]

    async def run(self, faults):
        started = time.monotonic()
        await asyncio.gather(*(self.one(fault, started) for fault in faults))

    async def one(self, fault, started):
        await asyncio.sleep(max(0, started + fault.at - time.monotonic()))
        async with self.turns.setdefault(thing_of(fault.kind, fault.target), asyncio.Lock()):
            await self.do(fault, started)

    async def do(self, fault, started):
        begin, end = getattr(self, fault.kind), getattr(self, "end_" + fault.kind)
        outage = Outage(0, 0)
        await asyncio.to_thread(begin, fault)
        outage.begun = time.monotonic()
        await asyncio.sleep(max(0, started + fault.until - time.monotonic()))
        outage.ended = time.monotonic()
        if fault.target == "mongo":
            self.history.outages.append(outage)
        await asyncio.to_thread(end, fault)

    def kill(self, fault):
        self.process(fault.target).kill()

    def end_kill(self, fault):
        process = self.process(fault.target)
        if fault.target.startswith("node"):
            process.spawn()
        else:
            process.start(60)

    def stop(self, fault):
        self.process(fault.target).process.send_signal(signal.SIGSTOP)

    def end_stop(self, fault):
        self.process(fault.target).process.send_signal(signal.SIGCONT)

    def cut(self, fault):
        self.topology.proxy.cut(fault.target)

    def end_cut(self, fault):
        self.topology.proxy.mend(fault.target)

    def half(self, fault):
        self.topology.proxy.poison(fault.target, "timeout", fault.how, timeout=0)

    def slow(self, fault):
        for stream in ("upstream", "downstream"):
            self.topology.proxy.poison(fault.target, "latency", stream, latency=fault.how,
                                       jitter=fault.how // 2)

    def end_half(self, fault):
        self.topology.proxy.cure(fault.target)

    end_slow = end_half

    def clock(self, fault):
        self.topology.set_clock(fault.how)

    def end_clock(self, fault):
        self.topology.set_clock(0)

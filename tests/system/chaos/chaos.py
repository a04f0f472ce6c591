#!/usr/bin/env python3
"""Three nodes behind nginx with hundreds of clients, and everything that can fail fails, by a
schedule from a seed. Then the faults are over, everyone has to be live again within seconds, and
the checker looks at all that was seen.

With --rolling N the nodes are restarted one after the other instead, N times in all: nobody may
notice more than the announced reconnect.
"""

import argparse
import asyncio
import collections
import logging
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support import rest  # noqa: E402
from support.server import PATIENCE  # noqa: E402

import checker  # noqa: E402
import clients  # noqa: E402
import faults  # noqa: E402
import rolling  # noqa: E402
from history import History, Memory, Told  # noqa: E402
from topology import Topology  # noqa: E402

USERS = 20
WAIT_S_MAX = 40.0  # for the recovery and the quiet; longer is as good as never


class Run:
    """A cluster, its clients, and the history."""

    def __init__(self, topology, options):
        self.topology, self.options = topology, options
        self.history = History()
        self.told = [Told(f"user-{number}") for number in range(min(USERS, options.clients))]
        pace_s = options.clients / options.rate
        nginx, front = topology.nginx.port, topology.front
        self.negotiated, self.plain, self.readers = [], [], []
        for number in range(options.clients):
            told = self.told[number % len(self.told)]
            # One of three comes through a link that fails, too; one of ten is plain.
            port = front if number % 3 == 2 else nginx
            kind, where = (clients.Plain, self.plain) if number % 10 == 9 else \
                (clients.Negotiated, self.negotiated)
            where.append(kind(self.history, told, lambda port=port: port, pace_s))
        self.readers = [clients.Reader(self.history, told, nginx, 2.0) for told in self.told]
        self.tasks = []

    def everyone(self):
        return self.negotiated + self.plain

    def begin(self):
        self.tasks = [asyncio.create_task(part)
                      for one in self.everyone() + self.readers for part in one.tasks()]

    async def end(self):
        for task in self.tasks:
            task.cancel()
        for result in await asyncio.gather(*self.tasks, return_exceptions=True):
            if result is not None and not isinstance(result, asyncio.CancelledError):
                raise result

    def alive(self):
        for task in self.tasks:
            if task.done():
                task.result()

    async def until(self, condition):
        """How long it took, in seconds; None where it never came true."""
        begun = time.monotonic()
        while not condition():
            self.alive()
            if time.monotonic() - begun > WAIT_S_MAX * PATIENCE:
                return None
            await asyncio.sleep(0.02)
        return time.monotonic() - begun

    async def recover(self):
        """Of each user a write that began after the heal is acknowledged, and everyone is
        connected, live and has got it. How long that took, in seconds."""
        healed = time.monotonic()
        history = self.history
        waiting = set(self.everyone())
        probes = {}  # user -> the offset of its first write since
        stages = dict.fromkeys(("connected", "live", "written", "told"), 0.0)

        def stage_of(one):
            if not one.ready:
                return "connected"
            if not one.live_since:
                return "live"
            if isinstance(one, clients.Plain):
                return None
            if one.told.user not in probes:
                return "written"
            return None if one.last >= probes[one.told.user] else "told"

        def everyone_is_back():
            now = time.monotonic() - healed
            for one in self.negotiated:
                if one.acknowledged_of > healed and one.told.user not in probes:
                    probes[one.told.user] = one.acknowledged_at
                    stages["written"] = now
            self.probe(set(probes), healed)
            for one in list(waiting):
                stage = stage_of(one)
                if stage:
                    stages[stage] = now
                else:
                    history.recoveries[one.name()] = now
                    waiting.remove(one)
            return not waiting

        await self.until(everyone_is_back)
        print("  until everyone was", ", ".join(f"{stage} {seconds:.1f} s"
                                                for stage, seconds in stages.items()), flush=True)
        for one in waiting:
            history.recoveries[one.name()] = None
        for one in sorted(waiting, key=lambda one: one.name())[:5]:
            print(f"  not live: {one.name()}, {one.state()}", flush=True)
        return max(stages.values())

    def probe(self, done, healed):
        """One write under way for each user that has none since the heal."""
        for told in self.told:
            if told.user in done:
                continue
            mine = [one for one in self.negotiated if one.told is told]
            if not any(operation.begun > healed for one in mine
                       for operation in one.pending.values()):
                for one in mine:
                    if one.ready and not one.pending:
                        one.write()
                        break

    async def quieten(self):
        """No more writes; everything is answered, and the clients of each user are as far."""
        for one in self.everyone():
            one.writing = False

        def quiet():
            ends = {}
            for one in self.negotiated:
                ends.setdefault(one.told.user, set()).add(one.last)
            return not any(one.pending for one in self.negotiated) and \
                all(len(seen) == 1 for seen in ends.values())

        if await self.until(quiet) is None:
            ends = {}
            for one in self.negotiated:
                ends.setdefault(one.told.user, set()).add(one.last)
                if one.pending:
                    self.history.broken.append(f"{one.name()}: {len(one.pending)} writes have no "
                                               f"answer (ready {one.ready})")
            self.history.broken += [f"{user}: clients did not converge: {seen}"
                                    for user, seen in ends.items() if len(seen) != 1]
        await asyncio.sleep(0.3)  # plain writes that are still on their way

    def look(self):
        """The logs by REST, their hashes as the database has them, the state on every node."""
        nodes = self.topology.nodes
        for told in self.told:
            memory = Memory(rest.read_log(nodes[-1], told.user), self.proofs(told.user))
            for number, node in enumerate(nodes):
                listed = rest.read_json(node, "/api/v1/contexts?limit=1000", told.user)
                memory.states[f"node {number}"] = {
                    one["contextKey"]: (one["version"], one["data"]) for one in listed["contexts"]}
            self.history.memories[told.user] = memory

    def proofs(self, user):
        found = self.topology.mongo.db.sync_events.find(
            {"userId": user, "offset": {"$gt": 0}}, sort=[("offset", 1)])
        return [{"salt": one["salt"].hex(), "contentHash": one["contentHash"].hex(),
                 "prevHash": one["prev"].hex(), "hash": one["hash"].hex(),
                 "epoch": f"{one['epoch'] % (1 << 64):016x}"} for one in found]

    def nobody_ended(self):
        """Every process that the schedule left running runs."""
        topology = self.topology
        for part in (*topology.nodes, topology.redis, topology.mongo, topology.nginx):
            if part.process.poll() is not None:
                self.history.broken.append(f"ended by itself: {part.command()[0]}: "
                                           f"{part.log()[-2000:]}")

    def summary(self):
        history = self.history
        acknowledged = sum(one.offset is not None for one in history.operations)
        events = sum(len(memory.log) for memory in history.memories.values())
        deliveries = sum(len(one.events) for one in history.slices) + \
            sum(len(one.seen) for one in history.plain_slices)
        return (f"{events} events, {acknowledged} acknowledged, {deliveries} deliveries, "
                f"{len(history.slices) + len(history.plain_slices)} connections, "
                f"{len(history.reads)} reads")


async def one_schedule(seed, options):
    """What the checker found, and how long the recovery took."""
    plan = faults.schedule(seed, options.seconds)
    if options.show:
        print("\n".join(f"  {fault}" for fault in plan), flush=True)
    topology = await asyncio.to_thread(Topology(
        standalone=options.standalone, env={"LOG_LEVEL": "debug"} if options.keep else {}).start)
    try:
        run = Run(topology, options)
        run.begin()
        await run.until(lambda: all(one.ready for one in run.everyone()))
        await faults.Injector(topology, run.history).run(plan)
        run.nobody_ended()
        recovery_s = await run.recover()
        await run.quieten()
        await run.end()
        await asyncio.to_thread(run.look)
        wrong = checker.check(run.history, checker.RECOVERY_S_MAX * PATIENCE)
        of = collections.Counter(point for point, _ in wrong)
        print(f"  seed {seed}: {len(plan)} faults, {run.summary()}; live again after "
              f"{recovery_s:.1f} s; {len(wrong)} violations {dict(of) or ''}", flush=True)
        if wrong and options.keep:
            keep(topology, seed)
        return wrong
    finally:
        await asyncio.to_thread(topology.close)


async def one_rolling(options):
    topology = await asyncio.to_thread(Topology(standalone=options.standalone).start)
    try:
        return await rolling.run_rolling(topology, Run(topology, options), options)
    finally:
        await asyncio.to_thread(topology.close)


def keep(topology, seed):
    """The logs of the processes, for whoever looks for the reason."""
    folder = pathlib.Path(topology.proxy.home).parent / f"dyad-chaos-{seed}"
    folder.mkdir(exist_ok=True)
    for number, node in enumerate(topology.nodes):
        (folder / f"node{number}.log").write_text(node.log())
    (folder / "mongo.log").write_text(topology.mongo.log())
    print(f"  logs: {folder}")


def main():
    parser = argparse.ArgumentParser(prog="./x chaos", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1, metavar="N")
    parser.add_argument("--rolling", type=int, default=0, metavar="N", help="restarts instead")
    parser.add_argument("--seed", type=int, default=None, help="of the first schedule")
    parser.add_argument("--seconds", type=float, default=60, help="of each schedule")
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--rate", type=float, default=20, help="writes a second, of all clients")
    parser.add_argument("--standalone", action="store_true",
                        help="the database is no replica set of one")
    parser.add_argument("--show", action="store_true", help="print the schedules")
    parser.add_argument("--keep", action="store_true",
                        help="keep the logs, with debug lines, where something is wrong")
    options = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    if options.rolling:
        wrong = asyncio.run(one_rolling(options))
        for point, text in wrong[:20]:
            print(f"  wrong ({point}): {text}", flush=True)
        print(f"rolling: {0 if wrong else options.rolling} passed, "
              f"{options.rolling if wrong else 0} failed")
        return 1 if wrong else 0
    first = options.seed if options.seed is not None else random.randrange(1 << 32)
    failed = 0
    for seed in range(first, first + options.schedules):
        wrong = asyncio.run(one_schedule(seed, options))
        failed += bool(wrong)
        wrong.sort(key=lambda one: one[0] == 10)
        for point, text in wrong[:20]:
            print(f"  wrong ({point}): {text}", flush=True)
        if wrong:
            print(f"  again: ./x chaos --seed {seed} --seconds {options.seconds:g} "
                  f"--clients {options.clients} --show --keep", flush=True)
    print(f"chaos: {options.schedules - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Kills the server with SIGKILL in the middle of writes, again and again, and proves that every
acknowledged write is in the log exactly once, in order, and that every client saw one history.

With --store mongodb the memory is in a server of MongoDB's protocol, and --kill-database says how
often that one is killed in between.

With --tamper the folder is set back to an older copy before one restart: acknowledged writes are
gone then, and the checker must say so.
"""

import argparse
import asyncio
import logging
import pathlib
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support.backends import Mongo  # noqa: E402
from support.server import PATIENCE, Server  # noqa: E402

import check  # noqa: E402
import load  # noqa: E402


class Run:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.mongo = None
        if options.store == "mongodb":
            self.mongo = Mongo(standalone=options.standalone).start()
        self.server = Server(env=self.environment())
        self.memories = [load.Memory(f"user-{n}") for n in range(options.users)]
        self.clients = [load.Client(memory, lambda: self.server.port)
                        for memory in self.memories for _ in range(options.clients)]
        self.kills = 0
        self.outages = []  # (dead, about to be started) of the database

    def environment(self):
        if not self.mongo:
            return {}
        return {"ENABLE_MONGODB": "true", "DISTRIBUTED_USER_ID": "user-0", **self.mongo.env()}

    def close(self):
        self.server.close()
        if self.mongo:
            self.mongo.close()

    def acknowledged(self):
        return sum(len(client.acknowledged) for client in self.clients)

    async def ready_again(self):
        """The process answers; the load's clients go on meanwhile."""
        await asyncio.to_thread(self.server.wait_ready, 30)

    async def until_acknowledged(self, count):
        deadline = time.monotonic() + 60 * PATIENCE
        while self.acknowledged() < count:
            if self.server.process.poll() is not None:
                raise SystemExit(f"the server ended by itself:\n{self.server.log()[-5000:]}")
            if time.monotonic() > deadline:
                raise SystemExit(f"no acknowledgements for 60 s:\n{self.server.log()[-5000:]}")
            await asyncio.sleep(0.002)

    async def one_life(self, per_life):
        """The server lives for a random number of acknowledgements, then is killed."""
        self.server.spawn()
        if self.random.random() < 0.1:
            # While it starts and recovers.
            await asyncio.sleep(self.random.random() * 0.1)
        else:
            await self.until_acknowledged(
                self.acknowledged() + self.random.randint(1, 2 * per_life))
            await asyncio.sleep(self.random.random() * 0.003)
        if self.database_is_due():
            await self.kill_database()
            if self.random.random() < 0.5:  # the server outlives it, or both are killed
                await self.until_acknowledged(self.acknowledged() + self.random.randint(1, 50))
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.kills += 1

    def database_is_due(self):
        options = self.options
        return len(self.outages) * options.count < self.kills * options.kill_database

    async def kill_database(self):
        self.mongo.kill()
        dead = time.monotonic()
        await asyncio.sleep(self.random.random() * 0.5)
        self.outages.append((dead, time.monotonic()))
        await asyncio.to_thread(self.mongo.start)

    async def tampered_life(self):
        """Acknowledges writes that an older copy of the folder then takes back."""
        copy = self.server.home / "older"
        owner = self.mongo or self.server
        folder = self.mongo.home / "data" if self.mongo else self.server.data_dir
        self.server.spawn()
        await self.until_acknowledged(self.acknowledged() + 200)
        owner.process.send_signal(signal.SIGSTOP)
        shutil.copytree(folder, copy)
        owner.process.send_signal(signal.SIGCONT)
        # More than could be on its way when the copy was made.
        await self.until_acknowledged(self.acknowledged() + 1000)
        self.server.kill()
        owner.kill()
        shutil.rmtree(folder)
        copy.rename(folder)
        if self.mongo:
            await asyncio.to_thread(self.mongo.start)

    async def go(self):
        options = self.options
        tasks = [asyncio.create_task(client.run()) for client in self.clients]
        started = shown = time.monotonic()
        per_life = max(1, options.writes // options.count)
        tamper_at = options.count // 2 if options.tamper else -1
        while self.kills < options.count:
            if self.kills == tamper_at:
                await self.tampered_life()
                tamper_at = -1
            await self.one_life(per_life)
            self.alive(tasks)
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"  {self.kills} kills, {self.acknowledged()} acknowledged, "
                      f"{shown - started:.0f} s", flush=True)
        self.server.spawn()
        await self.ready_again()
        await self.until_acknowledged(options.writes)
        for client in self.clients:
            client.writing = False
        await self.quiet()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return self.judge()

    @staticmethod
    def alive(tasks):
        for task in tasks:
            if task.done():
                task.result()

    async def quiet(self):
        """Everything sent is answered, and the clients of each user have received the same."""
        deadline = time.monotonic() + 30 * PATIENCE
        while time.monotonic() < deadline:
            ends = {}
            for client in self.clients:
                ends.setdefault(client.memory.user, set()).add(client.last_seen)
            if not any(client.pending for client in self.clients) and \
                    all(len(seen) == 1 for seen in ends.values()):
                return
            await asyncio.sleep(0.02)
        for client in self.clients:
            if client.pending:
                client.memory.wrong.append(f"{client.memory.user}: {len(client.pending)} writes "
                                           "have no answer")
        for user, seen in ends.items():
            if len(seen) != 1:
                self.memories[0].wrong.append(f"{user}: clients did not converge: {seen}")

    def judge(self):
        verdict = check.Verdict()
        events = 0
        for memory in self.memories:
            clients = [client for client in self.clients if client.memory is memory]
            events += check.check_user(self.server, memory, clients, verdict, self.options.proofs)
        resumed = sum(client.resumed for client in self.clients)
        received = sum(client.received for client in self.clients)
        print(f"  {events} events, {received} deliveries, {resumed} resumptions")
        for dead, again in self.outages:
            # Begun while there was no database, and acknowledged before there was one again.
            if any(dead < begun and answered < again
                   for client in self.clients for begun, answered in client.spans):
                verdict.wrong.append("acknowledged while the database was down")
        for wrong in verdict.wrong[:20]:
            print(f"  wrong: {wrong}")
        if self.mongo:
            print(f"  {len(self.outages)} kills of the database")
        if self.server.process.poll() is not None:
            verdict.wrong.append("the server ended by itself")
        print(f"kill: {self.kills} kills, {self.acknowledged()} acknowledged, {verdict.lost} lost, "
              f"{verdict.doubled} doubled, {verdict.disordered} out of order")
        return verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=25, help="kills")
    parser.add_argument("--writes", type=int, default=0,
                        help="acknowledged writes at least (500 a kill)")
    parser.add_argument("--store", choices=["embedded", "mongodb"], default="embedded")
    parser.add_argument("--standalone", action="store_true",
                        help="the database is no replica set of one")
    parser.add_argument("--kill-database", type=int, default=None, metavar="M",
                        help="kills of the database (two of five of the server's)")
    parser.add_argument("--users", type=int, default=6)
    parser.add_argument("--clients", type=int, default=4, help="clients of each user")
    parser.add_argument("--proofs", type=int, default=3, help="runs of the chain checked per user")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--tamper", action="store_true", help="negative control: must fail")
    options = parser.parse_args()
    if options.kill_database is None:
        options.kill_database = options.count * 2 // 5 if options.store == "mongodb" else 0
    if options.kill_database and options.store != "mongodb":
        parser.error("--kill-database needs --store mongodb")
    if options.kill_database > options.count:
        parser.error("--kill-database: at most one for each kill of the server")
    options.writes = options.writes or 500 * options.count
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    print(f"kill: seed {options.seed}", flush=True)
    # Writing to a server that was just killed is what this is about.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    run = Run(options)
    try:
        verdict = asyncio.run(run.go())
    finally:
        run.close()
    return 0 if verdict.ok() else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Kills the server with SIGKILL in the middle of writes, again and again, and proves that every
acknowledged write is in the log exactly once, in order, and that every client saw one history.

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

from support.server import PATIENCE, Server  # noqa: E402

import check  # noqa: E402
import load  # noqa: E402


class Run:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.server = Server()
        self.memories = [load.Memory(f"user-{n}") for n in range(options.users)]
        self.clients = [load.Client(memory, lambda: self.server.port)
                        for memory in self.memories for _ in range(options.clients)]
        self.kills = 0

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
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.kills += 1

    async def tampered_life(self):
        """Acknowledges writes that an older copy of the folder then takes back."""
        copy = self.server.home / "older"
        self.server.spawn()
        await self.until_acknowledged(self.acknowledged() + 200)
        self.server.process.send_signal(signal.SIGSTOP)
        shutil.copytree(self.server.data_dir, copy)
        self.server.process.send_signal(signal.SIGCONT)
        # More than could be on its way when the copy was made.
        await self.until_acknowledged(self.acknowledged() + 1000)
        self.server.kill()
        shutil.rmtree(self.server.data_dir)
        copy.rename(self.server.data_dir)

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
        for wrong in verdict.wrong[:20]:
            print(f"  wrong: {wrong}")
        if self.server.process.poll() is not None:
            verdict.wrong.append("the server ended by itself")
        print(f"kill: {self.kills} kills, {self.acknowledged()} acknowledged, {verdict.lost} lost, "
              f"{verdict.doubled} doubled, {verdict.disordered} out of order")
        return verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=25, help="kills")
    parser.add_argument("--writes", type=int, default=0,
                        help="acknowledged writes at least (400 a kill)")
    parser.add_argument("--users", type=int, default=6)
    parser.add_argument("--clients", type=int, default=4, help="clients of each user")
    parser.add_argument("--proofs", type=int, default=3, help="runs of the chain checked per user")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--tamper", action="store_true", help="negative control: must fail")
    options = parser.parse_args()
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
        run.server.close()
    return 0 if verdict.ok() else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Records histories of concurrent clients that read and write the contexts of one user through
three nodes, and has porcupine judge whether each is linearizable (tools/porcupine).

In most histories something is killed, stopped or cut meanwhile. A client whose request is not
answered repeats it through another node, under the same operation id: one operation, from the first
request to the answer.
"""

import argparse
import asyncio
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

from support.server import PATIENCE, ROOT  # noqa: E402

import faults  # noqa: E402
from history import History  # noqa: E402
from topology import Topology  # noqa: E402

PORCUPINE = ROOT / "build/tools/porcupine"
KEYS = ["a", "b"]
CLIENTS = 6
ATTEMPT_S_MAX = 2.0
GIVE_UP_S = 20.0
FINAL = {200, 201, 404, 409, 412}
# What goes wrong meanwhile; nothing in one history of five.
FAULTS = [("kill", "node0"), ("kill", "node1"), ("stop", "node2"), ("kill", "mongo"),
          ("stop", "mongo"), ("kill", "redis"), ("cut", "mongo1"), ("half", "mongo2"),
          ("cut", "redis0"), ("half", "redis1"), None, None]


class Client:
    """One operation at a time."""

    def __init__(self, number, user, ports, dice):
        self.number, self.user, self.ports, self.dice = number, user, ports, dice
        self.at = number % len(ports)  # the node that it asks first
        self.seen = {key: 0 for key in KEYS}
        self.lines = []

    async def run(self, operations):
        for count in range(operations):
            await self.operate(count)
            await asyncio.sleep(self.dice.random() * 0.02)

    async def operate(self, count):
        key = self.dice.choice(KEYS)
        op = self.dice.choice(["get", "get", "put", "cas"])
        value = self.number * 1000 + count
        body = None if op == "get" else {"data": {"value": value}}
        if op == "put":
            body["force"] = True
        elif op == "cas":
            body["expectedVersion"] = self.seen[key]
        one = {"client": self.number, "op": op, "key": key, "call": time.monotonic_ns(),
               "return": None}
        if op != "get":
            one["value"] = value
        if op == "cas":
            one["expected"] = self.seen[key]
        status, answer = await self.ask(key, f"op-{self.number}-{count}", body)
        if status is not None:
            one["return"] = time.monotonic_ns()
            self.note(one, status, answer)
        if status is not None or op != "get":
            self.lines.append(one)

    def note(self, one, status, answer):
        if status in (409, 412):
            assert one["op"] == "cas" and answer["code"] == "version_conflict", (one, answer)
            one["ok"] = False
            self.seen[one["key"]] = (answer.get("current") or {}).get("version", 0)
            return
        if one["op"] == "cas":
            one["ok"] = True
        found = {} if status == 404 else answer if one["op"] == "get" else \
            {"version": answer["version"]}
        one["version"] = self.seen[one["key"]] = found.get("version", 0)
        if "data" in found:
            one["value"] = found["data"]["value"]

    async def ask(self, key, operation, body):
        """(status, document), from whichever node answers first; (None, None) if none does."""
        deadline = time.monotonic() + GIVE_UP_S * PATIENCE
        while time.monotonic() < deadline:
            try:
                async with asyncio.timeout(ATTEMPT_S_MAX):
                    status, answer = await self.request(self.ports[self.at], key, operation, body)
                if status in FINAL:
                    return status, answer
                assert status in (408, 503), (status, answer)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError):
                pass
            self.at = (self.at + 1) % len(self.ports)
            await asyncio.sleep(0.02)
        return None, None

    async def request(self, port, key, operation, body):
        text = b"" if body is None else json.dumps(body).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            # Without `fresh` a node whose database is away answers from what it has.
            line = f"GET /api/v1/contexts/{key}?fresh=latest" if body is None else \
                f"PUT /api/v1/contexts/{key}"
            writer.write((f"{line} HTTP/1.1\r\n"
                          f"Host: 127.0.0.1\r\nConnection: close\r\nDyad-User: {self.user}\r\n"
                          f"Dyad-Instance: client-{self.number}\r\n"
                          f"Idempotency-Key: {operation}\r\nContent-Type: application/json\r\n"
                          f"Content-Length: {len(text)}\r\n\r\n").encode() + text)
            head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.transport.abort()
        if not head:
            raise EOFError
        return int(head.split()[1]), json.loads(answer)


async def record(topology, number, seed, operations):
    """The lines of one history."""
    dice = random.Random(f"{seed}/{number}")
    clients = [Client(one, f"user-{number}", [node.port for node in topology.nodes],
                      random.Random(dice.random())) for one in range(CLIENTS)]
    fault = dice.choice(FAULTS)
    plan = []
    if fault:
        begin = dice.random() * 0.4
        plan = [faults.Fault(begin, begin + dice.choice([0.1, 0.5, 1.5]), *fault,
                             dice.choice(["upstream", "downstream"]))]
    await asyncio.gather(*(client.run(operations) for client in clients),
                         faults.Injector(topology, History()).run(plan))
    lines = sorted((line for client in clients for line in client.lines),
                   key=lambda line: line["call"])
    return lines, plan


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def judge(*paths):
    """The verdict on each history, in their order."""
    done = subprocess.run([PORCUPINE, *paths], capture_output=True, text=True, check=False)
    return [line.split()[0] for line in done.stdout.splitlines()]


async def record_all(options, seed, folder):
    """How many were linearizable; the operations of all, and those without an answer.

    One loop for all of them: a process that is started again ends with the thread that started it.
    """
    good = counted = unanswered = 0
    topology = await asyncio.to_thread(Topology().start)
    try:
        for number in range(options.histories):
            lines, plan = await record(topology, number, seed, options.operations)
            path = folder / f"history-{number}.jsonl"
            write(path, lines)
            verdict = await asyncio.to_thread(judge, path)
            counted += len(lines)
            unanswered += sum(line["return"] is None for line in lines)
            if verdict == ["ok"]:
                good += 1
                if not options.folder:
                    path.unlink()
            else:
                print(f"  {verdict} {path} {[str(fault) for fault in plan]}", flush=True)
            if number % 20 == 19:
                print(f"  {number + 1} histories, {good} ok", flush=True)
    finally:
        await asyncio.to_thread(topology.close)
    return good, counted, unanswered


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=5, metavar="N")
    parser.add_argument("--operations", type=int, default=25, help="of each client")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", type=pathlib.Path, help="keeps the histories here")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(f"linearizability: seed {seed}", flush=True)
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="dyad-histories-"))
    folder.mkdir(exist_ok=True)
    good, counted, unanswered = asyncio.run(record_all(options, seed, folder))
    print(f"  {counted} operations, {unanswered} without an answer")
    print(f"linearizability: {good} passed, {options.histories - good} failed")
    return 0 if good == options.histories else 1


if __name__ == "__main__":
    sys.exit(main())

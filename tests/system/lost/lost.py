"""The lost-write harness of the reference memory server: N writers share one memory, each adds
entities and observations of one that all have, and whatever can be killed is killed. What was
acknowledged and is not there at the end is lost.

    lost.py [--writers N] [--seconds S] [--against ours|reference|both]

Ours: every writer speaks MCP to /mcp/reference of one server, which is killed with SIGKILL and
started again. The reference server: every writer has a process of it, as its clients start it, on
one file; a process is killed with SIGKILL and started again.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from support.server import ROOT, Server  # noqa: E402

REFERENCE = (ROOT / "tests/system/node/node_modules/@modelcontextprotocol/server-memory"
             / "dist/index.js")
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "lost", "version": "1"}}


class Gone(Exception):
    """No answer came: whether it was done is not known."""


class OurDoor:
    """A writer's way to /mcp/reference."""

    def __init__(self, server, name):
        self.server, self.name = server, name

    def call(self, tool, arguments):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": tool, "arguments": arguments, "_meta": META}}
        try:
            status, _, text = self.server.request(
                "POST", "/mcp/reference", json.dumps(body),
                {"Content-Type": "application/json", "Mcp-Method": "tools/call", "Mcp-Name": tool,
                 "Accept": "application/json, text/event-stream", "Dyad-Instance": self.name,
                 "MCP-Protocol-Version": "2026-07-28"}, timeout=5)
        except OSError as error:
            raise Gone() from error
        answer = json.loads(text)
        if status != 200 or "error" in answer or answer["result"].get("isError"):
            raise Gone()  # refused: nothing is promised
        return answer["result"]["structuredContent"]

    def restart(self):
        pass  # the server is what is killed

    def close(self):
        pass


class ReferenceDoor:
    """A writer's own process of the reference server, on the file that all have."""

    def __init__(self, file):
        self.file = file
        self.process = None
        self.next_id = 0
        self.restart()

    def restart(self):
        self.close()
        self.process = subprocess.Popen(
            ["node", str(REFERENCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
            env={"PATH": os.environ["PATH"], "MEMORY_FILE_PATH": self.file})
        self._send({"method": "initialize", "id": 0, "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "lost", "version": "1"}}})
        self._answer(0)
        self._send({"method": "notifications/initialized"})

    def _send(self, message):
        try:
            self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Gone() from error

    def _answer(self, wanted):
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise Gone()
            message = json.loads(line)
            if message.get("id") == wanted:
                return message

    def call(self, tool, arguments):
        self.next_id += 1
        self._send({"method": "tools/call", "id": self.next_id,
                    "params": {"name": tool, "arguments": arguments}})
        answer = self._answer(self.next_id)
        if "error" in answer or answer["result"].get("isError"):
            raise Gone()
        return answer["result"]["structuredContent"]

    def kill(self):
        self.process.kill()

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                try:
                    stream.close()
                except OSError:
                    pass


def write(door, number, until, acknowledged):
    """Adds entities of its own and observations of the one that all have, until the time is over;
    notes what was acknowledged."""
    count = 0
    while time.monotonic() < until:
        count += 1
        mine = f"writer-{number}-{count}"
        try:
            if count % 2:
                door.call("create_entities", {"entities": [
                    {"name": mine, "entityType": "note", "observations": [mine]}]})
            else:
                door.call("add_observations", {"observations": [
                    {"entityName": "shared", "contents": [mine]}]})
            acknowledged.append(("entity" if count % 2 else "observation", mine))
        except Gone:
            time.sleep(0.05)
            while time.monotonic() < until:
                try:
                    door.restart()
                    break
                except Gone:
                    time.sleep(0.05)


def missing_from(graph, acknowledged):
    names = {entity["name"] for entity in graph["entities"]}
    shared = {text for entity in graph["entities"] if entity["name"] == "shared"
              for text in entity["observations"]}
    return [what for kind, what in acknowledged
            if what not in (names if kind == "entity" else shared)]


def run(doors, kill, seconds, reader):
    """(acknowledged, lost, kills)"""
    reader().call("create_entities", {"entities": [
        {"name": "shared", "entityType": "note", "observations": []}]})
    until = time.monotonic() + seconds
    lists = [[] for _ in doors]
    threads = [threading.Thread(target=write, args=(door, i, until, lists[i]), daemon=True)
               for i, door in enumerate(doors)]
    for thread in threads:
        thread.start()
    kills = 0
    while time.monotonic() + 0.5 < until:
        time.sleep(random.uniform(0.2, 0.5))
        kill()
        kills += 1
    for thread in threads:
        thread.join(60)
    for door in doors:
        door.close()
    acknowledged = [one for each in lists for one in each]
    try:
        graph = reader().call("read_graph", {})
    except Gone:
        graph = {"entities": [], "relations": []}  # what cannot be read is lost
    return len(acknowledged), len(missing_from(graph, acknowledged)), kills


def run_ours(writers, seconds):
    with Server() as server:
        def kill():
            server.kill()
            server.start()
        doors = [OurDoor(server, f"writer-{i}") for i in range(writers)]
        return run(doors, kill, seconds, lambda: OurDoor(server, "reader"))


def run_reference(writers, seconds):
    with tempfile.TemporaryDirectory() as folder:
        file = str(pathlib.Path(folder) / "memory.jsonl")
        doors = [ReferenceDoor(file) for _ in range(writers)]
        try:
            return run(doors, lambda: random.choice(doors).kill(), seconds,
                       lambda: ReferenceDoor(file))
        finally:
            for door in doors:
                door.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--against", choices=["ours", "reference", "both"], default="both")
    options = parser.parse_args()
    for name, harness in (("ours", run_ours), ("reference", run_reference)):
        if options.against in (name, "both"):
            acknowledged, lost, kills = harness(options.writers, options.seconds)
            print(f"{name}: {acknowledged} acknowledged, {lost} lost, {kills} kills", flush=True)


if __name__ == "__main__":
    main()

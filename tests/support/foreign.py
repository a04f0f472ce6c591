"""An existing Dyad instance as a child process: tests/system/node/foreign_writer.mjs, which tells
how they talk. Calls of several threads may be under way at once."""

import itertools
import json
import queue
import subprocess
import threading

from support.server import PATIENCE, ROOT, _end_with_parent

NODE = ROOT / "tests/system/node"


class Refused(Exception):
    """It said an error; what it was about to write may or may not be written."""


class ForeignInstance:
    """Ready once it is made: connected, its indexes created, subscribed."""

    def __init__(self, mongo, redis, instance):
        self.instance = instance
        self.command = ["node", str(NODE / "foreign_writer.mjs"), f"{mongo.url}/", mongo.database,
                        redis.url, instance]
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.heard = []  # envelopes of others
        self.others = []  # texts that are none
        self.errors = []
        self.restarting = False
        self._start()

    def restart(self):
        """As its user would. What was under way is refused; what it heard is kept."""
        self.restarting = True
        self.close()
        self._start()
        self.restarting = False

    def _start(self):
        self.process = subprocess.Popen(
            self.command, cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=_end_with_parent)
        self.waiting = {}
        self.started = queue.Queue()
        self.readers = [threading.Thread(target=self._read, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()
        try:
            ready = self.started.get(timeout=30 * PATIENCE)
        except queue.Empty:
            ready = False
        if not ready:
            self.close()
            raise AssertionError(f"{self.instance} does not start: {''.join(self.errors)}")

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            if "call" in message:
                with self.lock:
                    answers = self.waiting.pop(message["call"])
                answers.put(message)
            elif "heard" in message:
                self.heard.append(message["heard"])
            elif "other" in message:
                self.others.append(message["other"])
            else:
                self.started.put(message["ready"])
        self.started.put(None)
        with self.lock:
            waiting, self.waiting = self.waiting, None
        for answers in waiting.values():
            answers.put({"error": "it has ended"})

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def call(self, op, **request):
        answers = queue.Queue()
        with self.lock:
            if self.restarting:
                raise Refused("it is being restarted")
            assert self.waiting is not None, f"it has ended: {''.join(self.errors)}"
            number = next(self.numbers)
            self.waiting[number] = answers
            self.process.stdin.write(json.dumps({"call": number, "op": op, **request}) + "\n")
            self.process.stdin.flush()
        answer = answers.get(timeout=60 * PATIENCE)
        if "error" in answer:
            raise Refused(answer["error"])
        del answer["call"], answer["ok"]
        return answer

    def heard_of(self, user):
        return [envelope for envelope in list(self.heard) if envelope["userId"] == user]

    def close(self):
        self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

"""Two machines and one memory: whoever writes what, and whatever dies, they become equal, and
nothing of anybody's is lost or there twice."""

import random
import re
import threading
import time

import pytest

from support.bridge import block, inner, shared
from support.server import wait_until

BASE = "".join(f"- fact {number}\n" for number in range(20))


class Person:
    """Puts lines into the file, changes and deletes its own."""

    def __init__(self, machine, seed):
        self.machine = machine
        self.dice = random.Random(seed)
        self.lines = []
        self.count = 0
        self.outside = f"# of {machine.folder.name}\n"

    def edit(self):
        kind = self.dice.random()
        by_rename = self.dice.random() < 0.5
        if kind < 0.15 and self.lines:
            self.replace(self.dice.choice(self.lines), None, by_rename)
        elif kind < 0.35 and self.lines:
            self.replace(self.dice.choice(self.lines), self.fresh(), by_rename)
        elif kind < 0.5:
            self.outside += f"# {self.count}\n"
            self.machine.edit(lambda text: self.outside + text[text.index("<!-- dyad"):],
                              by_rename=by_rename)
        else:
            line = self.fresh()
            after = self.dice.randrange(20)
            self.machine.edit(lambda text: text.replace(
                f"- fact {after}\n", f"- fact {after}\n{line}\n"), by_rename=by_rename)
            self.lines.append(line)

    def replace(self, line, other, by_rename):
        changed = []

        def change(text):
            changed[:] = [f"\n{line}\n" in text]
            return text.replace(f"\n{line}\n", f"\n{other}\n" if other else "\n")

        self.machine.edit(change, by_rename=by_rename)
        if changed[0]:
            self.lines.remove(line)
            if other:
                self.lines.append(other)

    def fresh(self):
        self.count += 1
        return f"- {self.machine.folder.name}{self.count}."

    def decide(self):
        """Keeps both sides of every conflict, once each."""
        shown = self.machine.conflict()
        if not shown:
            return
        theirs = [line for part in re.findall(r"======= shared\n(.*?)>>>>>>>", shown, re.S)
                  for line in part.splitlines(keepends=True)]

        def keep_both(text):
            missing = [line for line in theirs if "\n" + line not in text]
            return text.replace("<!-- dyad-memory:end -->",
                                "".join(missing) + "<!-- dyad-memory:end -->")

        self.machine.edit(keep_both)
        self.machine.path("CLAUDE.md.dyad-conflict").unlink()


def settle(server, people):
    """Until nothing moves any more; conflicts are decided by hand."""
    machines = [person.machine for person in people]

    def quiet():
        if any(machine.conflict() for machine in machines):
            time.sleep(0.5)
            for person in people:
                person.decide()
            return False
        texts = {inner(machine.read()) for machine in machines} | {shared(server)}
        if len(texts) > 1:
            return False
        time.sleep(1)
        return {inner(machine.read()) for machine in machines} | {shared(server)} == texts and \
            not any(machine.conflict() for machine in machines)

    wait_until(quiet, 60, 0.1, "\n".join(machine.log() for machine in machines))


def check(server, people):
    lines = shared(server).splitlines()
    for person in people:
        for line in person.lines:
            assert lines.count(line) == 1, (line, shared(server), person.machine.log())
        assert person.machine.read().startswith(person.outside + "<!-- dyad-memory:begin"), \
            person.machine.read()
    assert [line for line in lines if line.startswith("- fact")] == BASE.splitlines()


@pytest.fixture
def people(server, machine):
    def make(seed):
        out = [Person(machine(name), f"{seed}{name}") for name in ("a", "b")]
        for person in out:
            person.machine.write(block(BASE, person.outside))
            person.machine.once()
        return out
    return make


@pytest.mark.parametrize("seed", range(3))
def test_both_edit_at_once(server, people, seed):
    both = people(seed)
    for person in both:
        person.machine.start()
        person.machine.wait_connected()

    def work(person):
        for _ in range(25):
            person.edit()
            time.sleep(person.dice.random() * 0.3)

    threads = [threading.Thread(target=work, args=(person,)) for person in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle(server, both)
    check(server, both)
    for person in both:
        assert "fail" not in person.machine.log() and person.machine.stop() == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_bridges_and_the_server_die_at_any_time(server, people, seed):
    both = people(seed)
    dice = random.Random(seed)
    for _ in range(12):
        for person in both:
            person.machine.start()
        end = time.monotonic() + dice.random() * 1.2
        while time.monotonic() < end:
            dice.choice(both).edit()
            time.sleep(dice.random() * 0.15)
        if dice.random() < 0.3:
            server.kill()
            dice.choice(both).edit()
            server.start()
        for person in both:
            person.machine.kill()
    for person in both:
        person.machine.start()
    settle(server, both)
    check(server, both)
    for person in both:
        assert person.machine.stop() == 0
        left = [path.name for path in person.machine.folder.iterdir()]
        assert left == ["CLAUDE.md"], left

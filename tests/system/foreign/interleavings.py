#!/usr/bin/env python3
"""Existing instances and ours on the same memory, N random interleavings with kills.

Each world (up to three nodes, two existing instances, MongoDB, Redis) lives through some of them at
once; every second world is killed in: kill -9 of a node, of Redis, of the database. A seed gives
what everybody does; when exactly is the machine's.
"""

import argparse
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from history import Checker, Figures  # noqa: E402
from interleaving import Interleaving  # noqa: E402
from world import World  # noqa: E402

IN_A_WORLD = 20
AT_ONCE = 5


def run_in(world, seeds):
    """The histories of these seeds, some at a time."""
    done, failures = [], []
    places = threading.Semaphore(AT_ONCE)

    def one(seed):
        with places:
            try:
                done.append(Interleaving(world, seed).run())
            except Exception as error:  # raised below, in the main thread
                failures.append((seed, error))

    threads = [threading.Thread(target=one, args=(seed,)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.stop_faults()
    for seed, error in failures:
        raise AssertionError(f"seed {seed}: {error!r}") from error
    return [interleaving.finish() for interleaving in done]


def note(text):
    print(text, file=sys.stderr, flush=True)


def run(count, seed):
    """(problems, figures); progress and the nodes' own words on stderr."""
    problems, figures = [], Figures()
    for first in range(seed, seed + count, IN_A_WORLD):
        faults = (first // IN_A_WORLD) % 2 == 0
        before = len(problems)
        with World(first, faults) as world:
            seeds = range(first, min(first + IN_A_WORLD, seed + count))
            for history in run_in(world, seeds):
                checker = Checker(history)
                problems += checker.run()
                figures += checker.figures
                figures["interleavings"] += 1
                figures["of them while something was killed"] += history.faulty
            for what, kills in world.kills.items():
                figures[f"kills of {what}"] += kills
            if len(problems) > before:
                note("\n".join(problems[before:]))
                for node in world.nodes:
                    note(node.log()[-3000:])
        note(f"{figures['interleavings']} of {count}, {len(problems)} problems")
    return problems, figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interleavings", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.monotonic()
    problems, figures = run(options.interleavings, options.seed)
    for problem in problems:
        print(problem)
    for name, number in figures.items():
        print(f"  {number:7} {name}")
    print(f"foreign: {figures['interleavings']} interleavings, {len(problems)} problems "
          f"({time.monotonic() - started:.0f} s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

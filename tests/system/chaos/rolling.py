"""The nodes are restarted one after the other under load (SIGTERM, and started again), as a new
version is rolled out. Nobody may notice more than the announced reconnect.
"""

import asyncio
import time

import checker

ANNOUNCED = 1012  # the close code of a node that stops


async def roll(topology, run, restarts):
    """What was noticed that may not be, as (point, text); the longest restart in seconds."""
    longest = 0.0
    for number in range(restarts):
        node = topology.nodes[number % len(topology.nodes)]
        begun = time.monotonic()
        status = await asyncio.to_thread(node.stop)
        if status != 0:
            run.history.broken.append(f"a node ended with {status}: {node.log()[-1000:]}")
        node.spawn()
        await asyncio.to_thread(node.wait_ready, 30)
        longest = max(longest, time.monotonic() - begun)
        await run.until(lambda: all(one.ready for one in run.everyone()))
        run.alive()
    return longest


def noticed(run):
    """Ends of connections that were not announced, and operations that were refused."""
    return [(0, f"{one.name()}: {text}") for one in run.everyone()
            for code, text in one.endings if code != ANNOUNCED] + \
        [(0, f"{one.name()}: {one.last_error}") for one in run.everyone()
         if one.errors and one.last_error]


async def run_rolling(topology, run, options):
    run.begin()
    await run.until(lambda: all(one.ready for one in run.everyone()))
    longest = await roll(topology, run, options.rolling)
    recovery_s = await run.recover()
    await run.quieten()
    wrong = noticed(run)
    await run.end()
    await asyncio.to_thread(run.look)
    wrong += checker.check(run.history)
    print(f"  {options.rolling} restarts, {run.summary()}; the longest took {longest:.1f} s, "
          f"live again after {recovery_s:.1f} s; {len(wrong)} violations", flush=True)
    return wrong

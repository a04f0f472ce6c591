"""What reads cost: against the length of the log, and the writers beside them."""
import contextlib
import signal
import subprocess
import sys
import time

import live_client
import reading_client
from parts.users import exponent
from rig import DRIVER_CPU, Failed

SIZES = (1000, 10_000, 100_000, 1_000_000)  # events of one user
BESIDE = 100_000
USER = 'room-0'
PATIENCE_S = 20  # for one kind of read at one size


def measure(rig, repeat):
    figures = {}
    growth(rig, repeat, figures)
    beside_writers(rig, figures)
    return figures


# ---- against the log's length -------------------------------------------------------------------

def growth(rig, repeat, figures):
    sizes = (1000, 5000) if rig.smoke else SIZES
    costs = {kind: {} for kind in reading_client.KINDS}
    firsts = {}
    for size in sizes if repeat % 2 == 0 else sizes[::-1]:
        try:
            with rig.copy_of(rig.store(size)) as folder:
                with rig.serving('dyad', folder, stop_with=signal.SIGTERM) as server:
                    firsts[size] = first_write_ms(server)
                    for kind in reading_client.KINDS:
                        costs[kind][size] = cost_us(rig, server, kind)
        except (Failed, OSError) as failure:
            print(f'    failed: {failure}', flush=True)
            firsts.setdefault(size, None)
            for kind in reading_client.KINDS:
                costs[kind].setdefault(size, None)
    for size in sizes:
        known = ', '.join(f'{kind} {costs[kind][size] or 0:,.0f}' for kind in costs)
        print(f'    {size:9,} events: first write {firsts[size] or 0:6.1f} ms; CPU us of {known}',
              flush=True)
        figures[f'reads.first_write_ms.{size}'] = firsts[size]
    for kind, by_size in costs.items():
        for size, cost in by_size.items():
            figures[f'reads.{kind}.cpu_us.{size}'] = cost
        figures[f'reads.{kind}.exponent'] = exponent(by_size)


def first_write_ms(server):
    """The wait for the first write after a start, beyond the second one's."""
    begin = time.perf_counter()
    live_client.write_contexts(server.port, USER, 1)
    first = time.perf_counter()
    live_client.write_contexts(server.port, USER, 1)
    return (first - begin - (time.perf_counter() - first)) * 1e3


def cost_us(rig, server, kind):
    """CPU of the server for one read, of all its threads."""
    reader = reading_client.Reader(server.port, USER)
    reader.read(kind)
    wanted, done = 5 if rig.smoke else 200, 0
    before, end = live_client.cpu_seconds(server.pid), time.monotonic() + PATIENCE_S
    while done < wanted and time.monotonic() < end:
        reader.read(kind)
        done += 1
    return (live_client.cpu_seconds(server.pid) - before) / done * 1e6


# ---- beside writers -----------------------------------------------------------------------------

@contextlib.contextmanager
def reading(server, kind):
    process = subprocess.Popen(
        ['taskset', '-c', DRIVER_CPU, sys.executable, reading_client.__file__, str(server.port),
         USER, kind], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def beside_writers(rig, figures):
    """16 writers with 8 in flight each, and one client that asks as fast as it can. Merges write,
    too: they are not compared."""
    found = {}
    for kind in (None, *reading_client.GETS, 'repeat'):
        try:
            with rig.copy_of(rig.store(2000 if rig.smoke else BESIDE)) as folder:
                with rig.serving('dyad', folder) as server:
                    found[kind] = writes(rig, server, kind)
        except (Failed, OSError) as failure:
            print(f'    failed: {failure}', flush=True)
            found[kind] = None
    alone, point = found[None], found['point']
    figures['reads.beside.none.events_per_s'] = alone and alone['dps']
    for kind in (*reading_client.GETS, 'repeat'):
        one = found[kind]
        figures[f'reads.beside.{kind}.events_per_s'] = one and one['dps']
        if kind != 'point':
            known = one and point
            figures[f'reads.beside.{kind}.x_point'] = known and one['dps'] / point['dps']
            figures[f'reads.beside.{kind}.p99.x_point'] = known and one['p99'] / point['p99']


def writes(rig, server, kind):
    load = {'mode': 'acked', 'rooms': 16, 'window': 128, 'secs': rig.seconds(3), 'warm': 0.5}
    print(f'    beside {kind or "nobody"}:', end='', flush=True)
    if kind is None:
        return rig.load(server, **load)
    with reading(server, kind) as process:
        result = rig.load(server, **load)
        if process.poll() is not None:
            raise Failed(f'{kind}: the reading client ended: {process.stderr.read()[-300:]}')
    return result

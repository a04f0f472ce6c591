"""What reads cost: against the length of the log, and the writers beside them."""
import contextlib
import json
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
IN_TURN_S = 40  # some 20 slots for each kind
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

BESIDE_KINDS = (*reading_client.GETS, 'repeat')  # merges write, too: they are not compared


@contextlib.contextmanager
def reading(server, *arguments):
    process = subprocess.Popen(
        ['taskset', '-c', DRIVER_CPU, sys.executable, reading_client.__file__, str(server.port),
         USER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def beside_writers(rig, figures):
    """16 writers with 8 in flight each, and one client that asks as fast as it can: for each kind
    in a run of its own, which has the latencies, and for all in turn in one run, which has the
    rates. Those of two runs differ by a quarter on some machines without any reason of ours."""
    alone = on_copy(rig, None, writes)
    figures['reads.beside.none.events_per_s'] = alone and alone['dps']
    p99 = {}
    for kind in BESIDE_KINDS:
        one = on_copy(rig, kind, writes)
        p99[kind] = one and one['p99']
    rates = on_copy(rig, BESIDE_KINDS, in_turn) or dict.fromkeys(BESIDE_KINDS)
    for kind, rate in rates.items():
        figures[f'reads.beside.{kind}.events_per_s'] = rate
        if kind != 'point':
            point = rates['point']
            figures[f'reads.beside.{kind}.x_point'] = rate and point and rate / point
            known = p99[kind] and p99['point']
            figures[f'reads.beside.{kind}.p99.x_point'] = known and p99[kind] / p99['point']


def on_copy(rig, kinds, measured):
    """What `measured` finds at a server with a log of some length; None where it failed."""
    try:
        with rig.copy_of(rig.store(2000 if rig.smoke else BESIDE)) as folder:
            with rig.serving('dyad', folder) as server:
                return measured(rig, server, kinds)
    except (Failed, OSError) as failure:
        print(f'    failed: {failure}', flush=True)
        return None


def load(rig, server, seconds):
    return rig.load(server, mode='acked', rooms=16, window=128, secs=seconds, warm=0.5)


def writes(rig, server, kind):
    print(f'    beside {kind or "nobody"}:', end='', flush=True)
    if kind is None:
        return load(rig, server, rig.seconds(3))
    with reading(server, kind) as process:
        result = load(rig, server, rig.seconds(3))
        if process.poll() is not None:
            raise Failed(f'{kind}: the reading client ended: {process.stderr.read()[-300:]}')
    return result


def in_turn(rig, server, kinds):
    """{kind: events committed a second beside it}"""
    seconds, warm = (2, 1) if rig.smoke else (IN_TURN_S, 2)
    with reading(server, ','.join(kinds), str(seconds)) as process:
        print('    beside all in turn:', end='', flush=True)
        load(rig, server, seconds + warm)
        try:
            out, problem = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            raise Failed('the reading client did not end') from None
    if process.returncode:
        raise Failed(f'the reading client ended: {problem[-300:]}')
    found = json.loads(out)
    rates = {kind: one['events'] / one['seconds'] for kind, one in found.items()}
    for kind, one in found.items():
        print(f'    beside {kind:12s} {rates[kind]:8,.0f} events/s '
              f'{rates[kind] / rates["point"]:5.2f} of beside points; '
              f'{one["answers"] / one["seconds"]:6,.0f} answers/s', flush=True)
    return rates

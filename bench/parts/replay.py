"""Goal 8: a client comes back after 10,000 events, and others of the same user are live."""
import contextlib
import subprocess
import sys

import live_client
from rig import DRIVER_CPU, Failed, ratio

USER = 'room-0'  # whom the load driver writes to


def measure(rig, repeat):
    events = 500 if rig.smoke else 10000
    figures = {'replay.d_per_cpu.x_cork': None, 'replay.live_p99.x_without': None}
    cork = rig.measure('cork', subs=100, window=64, secs=rig.seconds(2), warm=0.3)
    try:
        with rig.copy_of(rig.store(events)) as folder, rig.serving('dyad', folder) as server:
            per_cpu = replays_per_cpu(rig, server, events)
            figures['replay.d_per_cpu.x_cork'] = cork and per_cpu / cork['d_per_cpu']
            figures['replay.d_per_cpu'] = per_cpu
            figures.update(live_meanwhile(rig, server, events))
    except (Failed, OSError) as failure:
        print(f'    failed: {failure}', flush=True)
    return figures


def replays_per_cpu(rig, server, events):
    live_client.replay(server.port, USER, events)  # the user is in memory from now on
    rounds = 1 if rig.smoke else 20
    before = live_client.cpu_seconds(server.pid)
    got = sum(live_client.replay(server.port, USER, events) for _ in range(rounds))
    used = live_client.cpu_seconds(server.pid) - before
    if got != events * rounds or used <= 0:
        raise Failed(f'{got} of {events * rounds} events were replayed')
    return got / used


@contextlib.contextmanager
def replaying(server, events):
    """One client that resumes from the beginning again and again."""
    process = subprocess.Popen(
        ['taskset', '-c', DRIVER_CPU, sys.executable, live_client.__file__, 'replay',
         str(server.port), USER, str(events)], stdout=subprocess.PIPE, text=True)
    try:
        yield lambda: process
    finally:
        process.terminate()
        process.communicate()


def live_meanwhile(rig, server, events):
    load = {'subs': 100, 'rate': 300, 'secs': rig.seconds(4), 'warm': 0.5}
    without = rig.load(server, **load)
    with replaying(server, events) as process:
        meanwhile = rig.load(server, **load)
        if process().poll() is not None:
            raise Failed('the replaying client ended')
    return {
        'replay.live_p99.x_without': ratio(meanwhile, without, 'p99'),
        'replay.live_p50.x_without': ratio(meanwhile, without, 'p50'),
        'replay.live_p99_us': meanwhile['p99'],
    }

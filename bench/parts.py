"""The parts of the benchmark. Each runs once per repeat and returns {figure: value}; figures are
ratios to a peer or a physical limit that ran in the same repeat."""
import json
import os
import subprocess
import sys
import tempfile
import time

import live_client


class Bench:
    """The load driver in its folder, and the server under test."""

    def __init__(self, work, binary, smoke):
        self.work, self.binary, self.smoke = work, binary, smoke
        sys.path.insert(0, work)
        import bench as driver  # the load driver's own runner, copied to the work folder
        self.driver = driver
        driver.port[0] = 21000

    def run(self, server, *arguments):
        """One run of the load driver against one server; its figures, or None."""
        time.sleep(0.1 if self.smoke else 0.5)
        result = self.driver.run(server, [str(a) for a in arguments], timeout=120)
        if 'error' in result or result.get('lost') or result.get('order_err'):
            print('  failed:', server, result, flush=True)
            return None
        return result

    def serve(self, data_dir=None):
        """Starts the server alone, pinned like a measured one; returns it with its port."""
        self.driver.port[0] += 1
        port = self.driver.port[0]
        data_dir = data_dir or tempfile.mkdtemp(prefix='dyad-bench-')
        process = subprocess.Popen(
            [os.path.join(self.work, 'bin/prio'), '0', '100000', self.binary, 'serve', '--port',
             str(port), '--data-dir', data_dir], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        return process, port, data_dir


def ratio(a, b, figure):
    if a is None or b is None or not b.get(figure):
        return None
    return a[figure] / b[figure]


def in_turn(bench, repeat, servers, *arguments):
    """Every server once, beginning with another one in each repeat."""
    first = repeat % len(servers)
    order = servers[first:] + servers[:first]
    return {server: bench.run(server, *arguments) for server in order}


def fanout(bench, repeat):
    seconds = ['--nsrc', 8, '--secs', 0.5 if bench.smoke else 2, '--warm', 0.4]
    figures = {}
    peers = ['dyad', 'epoll', 'cork'] + ([] if bench.smoke else ['ws_basic', 'ws_best', 'nats'])
    burst = in_turn(bench, repeat, peers, '--subs', 100, '--window', 64, *seconds)
    for peer in peers[1:]:
        figures[f'burst100.d_per_cpu.x_{peer}'] = ratio(burst['dyad'], burst[peer], 'd_per_cpu')
    limits = ['dyad', 'epoll', 'cork']
    wide = in_turn(bench, repeat, limits, '--subs', 1000, '--window', 64, *seconds)
    figures['burst1000.d_per_cpu.x_cork'] = ratio(wide['dyad'], wide['cork'], 'd_per_cpu')
    pair = ['dyad', 'epoll']
    small = in_turn(bench, repeat, pair, '--subs', 2, '--rooms', 400, '--window', 64, *seconds)
    figures['users400x2.d_per_cpu.x_epoll'] = ratio(small['dyad'], small['epoll'], 'd_per_cpu')
    rooms = in_turn(bench, repeat, pair, '--subs', 10, '--rooms', 100, '--window', 64, *seconds)
    figures['users100x10.d_per_cpu.x_epoll'] = ratio(rooms['dyad'], rooms['epoll'], 'd_per_cpu')
    return figures


def latency(bench, repeat):
    length = ['--nsrc', 8, '--secs', 0.5 if bench.smoke else 3, '--warm', 0.3]
    pair = ['dyad', 'epoll']
    calm = in_turn(bench, repeat, pair, '--subs', 100, '--rate', 100, *length)
    busy = in_turn(bench, repeat, pair, '--subs', 100, '--rate', 1000, *length)
    one = in_turn(bench, repeat, pair, '--subs', 1, '--window', 1, *length)
    sync = durable_limit(bench, 'raw_over_b1')
    figures = {
        'rate100.d_per_cpu.x_epoll': ratio(calm['dyad'], calm['epoll'], 'd_per_cpu'),
        'rate1000.p99.x_epoll': ratio(busy['dyad'], busy['epoll'], 'p99'),
    }
    if one['dyad'] and one['epoll'] and sync:
        # Goal 3: p50 at most the raw hop + 1.3 fdatasync; goal 7: one in flight, p50 and p99.
        figures['one_in_flight.p50_over_raw.x_fdatasync'] = (
            (one['dyad']['p50'] - one['epoll']['p50']) / sync['p50_us'])
        figures['one_in_flight.p99.x_fdatasync_p50'] = one['dyad']['p99'] / sync['p50_us']
    return figures


def durable_limit(bench, test):
    out = subprocess.run(
        [f'{bench.work}/bin/prio', '0', '100000', f'{bench.work}/bin/durable', f'{bench.work}/db',
         test, '0.3' if bench.smoke else '2'], capture_output=True, text=True, check=False)
    lines = out.stdout.splitlines()
    return json.loads(lines[0]) if lines else None


def durable(bench, repeat):
    """Goal 7: events made durable per second, 64 in flight over 16 users."""
    length = ['--nsrc', 8, '--secs', 0.5 if bench.smoke else 3, '--warm', 0.3]
    limit = durable_limit(bench, 'raw_over_b64')
    run = bench.run('dyad', '--subs', 1, '--rooms', 16, '--window', 64, *length)
    figures = {'durable16.events_per_s.x_fdatasync_groups': None}
    if run and limit:
        figures['durable16.events_per_s.x_fdatasync_groups'] = run['dps'] / limit['rows_s']
    return figures


def idle(bench, repeat):
    """Goals 5 and 6: memory per idle connection and CPU of a connection's start."""
    count = 500 if bench.smoke else 10000
    arguments = ['--subs', count, '--nsrc', 16, '--idle', 1 if bench.smoke else 3]
    runs = {}
    for server in ('dyad', 'epoll'):
        runs[server] = bench.driver.run(server, [str(a) for a in arguments], timeout=150)
    if any('error' in run for run in runs.values()):
        print('  failed:', runs, flush=True)
        return {'idle.bytes_per_connection': None}
    return {
        'idle.bytes_per_connection': runs['dyad']['per_conn_b'],
        'storm.cpu_per_connection.x_epoll': ratio(runs['dyad'], runs['epoll'], 'setup_cpu_s'),
    }


def replay(bench, repeat):
    """Goal 8: CPU per event of a replay of 10,000 missed events, against raw cork's delivery."""
    events = 500 if bench.smoke else 10000
    cork = bench.run('cork', '--subs', 100, '--window', 64, '--nsrc', 8, '--secs',
                     0.5 if bench.smoke else 2, '--warm', 0.3)
    process, port, _ = bench.serve()
    try:
        live_client.wait_ready(port)
        live_client.write_contexts(port, 'replay', events)
        time.sleep(0.5)
        rounds = 1 if bench.smoke else 20
        before = live_client.cpu_seconds(process.pid)
        got = sum(live_client.replay(port, 'replay', events) for _ in range(rounds))
        used = live_client.cpu_seconds(process.pid) - before
    finally:
        process.kill()
        process.wait()
    if cork is None or got != events * rounds or used <= 0:
        return {'replay.d_per_cpu.x_cork': None}
    return {'replay.d_per_cpu.x_cork': got / used / cork['d_per_cpu']}


def start(bench, repeat):
    """Goal 11: from exec to the first durable acknowledgement on a large store; memory of an
    empty one."""
    events = 2000 if bench.smoke else 1_000_000
    figures = {}
    process, port, _ = bench.serve()
    try:
        live_client.wait_ready(port)
        figures['start.rss_empty_mb'] = live_client.rss_mb(process.pid)
    finally:
        process.kill()
        process.wait()
    folder = os.path.join(bench.work, f'store-{events}')
    if not os.path.isdir(folder):
        process, port, _ = bench.serve(folder)
        try:
            live_client.wait_ready(port)
            live_client.write_contexts(port, 'start', events)
        finally:
            process.terminate()
            process.wait()
    begin = time.monotonic()
    process, port, _ = bench.serve(folder)
    try:
        live_client.wait_ready(port, pause=0.005)
        live_client.write_contexts(port, 'start', 1)
        figures['start.seconds_to_first_ack'] = time.monotonic() - begin
    finally:
        process.terminate()
        process.wait()
    return figures


def growth(bench, repeat):
    """Goal 10: what a stalled client costs the others, and what users and rooms cost."""
    length = ['--nsrc', 8, '--secs', 0.5 if bench.smoke else 2, '--warm', 0.3]
    figures = {}
    sizes = (10, 40) if bench.smoke else (10, 800)
    for server in ('dyad', 'epoll'):
        few = bench.run(server, '--subs', 10, '--rooms', sizes[0], '--window', 64, *length)
        many = bench.run(server, '--subs', 10, '--rooms', sizes[1], '--window', 64, *length)
        figures[f'growth.cost_{sizes[1]}_over_{sizes[0]}_users.{server}'] = ratio(
            few, many, 'd_per_cpu')
    return figures


ALL = {'fanout': fanout, 'latency': latency, 'durable': durable, 'idle': idle, 'replay': replay,
       'start': start, 'growth': growth}

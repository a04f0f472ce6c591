"""What the parts of the benchmark stand on: servers that are started, pinned and ended again, the
load driver, stores of a given size. Whatever was started is ended at exit, by process id."""
import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

FIRST_PORT = 21000  # and on; below the range of outgoing connections
NATS_CLIENT_PORT = 5000  # beyond the WebSocket port
SERVER_CPU, DRIVER_CPU = '0', '1'
NATS_CONFIG = """host: 127.0.0.1
port: {client_port}
websocket {{ host: 127.0.0.1, port: {port}, no_tls: true, compression: false }}
"""
NAMES = {
    'dyad': 'Dyad, durable',
    'dyad_memory': 'Dyad, store in memory',
    'epoll': 'raw epoll',
    'cork': 'raw cork',
    'sync': 'raw sync',
    'ws_basic': 'Node ws',
    'ws_best': 'Node ws, corked by hand',
    'nats': 'NATS over WebSocket',
}


class Failed(Exception):
    """A measurement that did not come to an end as it should."""


class Server:
    """A running server under measurement."""

    def __init__(self, name, mode, port, process, folder):
        self.name, self.mode, self.port = name, mode, port
        self.process, self.folder = process, folder
        self.pid = process.pid


# What the neutral driver knows; the rest is only in the product's own.
NEUTRAL_OPTIONS = {'subs', 'rooms', 'roombase', 'window', 'rate', 'secs', 'warm', 'idle'}


class Rig:
    def __init__(self, build, work, smoke, neutral=None):
        """`neutral`: the folder of a load driver and raw server that others wrote, built here; they
        are used for whatever they can measure. Without it the product's own are."""
        self.build, self.work, self.smoke = build, work, smoke
        self.neutral = neutral and self.build_neutral(neutral)
        self.binary = os.environ.get('DYAD_MEMORY') or os.path.join(build, 'dyad-memory')
        self.programs = os.path.join(build, 'bench')
        self.peers = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers')
        self.port = FIRST_PORT
        self.running = []
        self.others = []  # CPUs that others kept busy during a load
        for name in (self.binary, self.program('wsload')):
            if not os.path.isfile(name):
                raise Failed(f'{name} is missing; run ./x build first')
        shutil.rmtree(self.path('data'), ignore_errors=True)
        for name in ('data', 'stores', 'run'):
            os.makedirs(self.path(name), exist_ok=True)
        with contextlib.suppress(OSError), open('/proc/self/autogroup', 'w') as file:
            file.write('-20')  # builds in another terminal disturb less
        atexit.register(self.stop_all)

    def path(self, *names):
        return os.path.join(self.work, *names)

    def build_neutral(self, source):
        folder = self.path('neutral')
        shutil.copytree(source, folder, dirs_exist_ok=True)
        done = subprocess.run(['make', '-s', 'bin/wsload', 'bin/raw'], cwd=folder, text=True,
                              capture_output=True, check=False)
        if done.returncode:
            raise Failed(f'the load driver of {source} does not build:\n{done.stderr[-500:]}')
        return folder

    def program(self, name):
        return os.path.join(self.programs, name)

    def seconds(self, full):
        return 0.3 if self.smoke else full

    def has(self, name):
        """Whether this machine has that peer. The smoke run does without what must be installed."""
        if self.smoke:
            return name.startswith('dyad') or name in ('epoll', 'cork', 'sync')
        if name == 'nats':
            return shutil.which('nats-server') is not None
        if name.startswith('ws_'):
            return shutil.which('node') is not None and os.path.isdir(self.path('node_modules/ws'))
        return True

    # ---- servers ------------------------------------------------------------------------------

    def free_port(self):
        while True:
            self.port += 1
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    probe.bind(('127.0.0.1', self.port))
                    return self.port

    def command(self, name, port, folder, flags):
        if name in ('epoll', 'cork'):
            raw = os.path.join(self.neutral, 'bin/raw') if self.neutral else None
            return [raw or self.program('raw_server'), name, str(port)], 'plain'
        if name == 'sync':
            return [self.program('raw_server'), name, str(port), self.path('data', 'raw')], 'acked'
        if name.startswith('ws_'):
            return ['node', os.path.join(self.peers, f'{name}.js'), str(port)], 'plain'
        if name == 'nats':
            config = self.path('run', 'nats.conf')
            with open(config, 'w') as file:
                file.write(NATS_CONFIG.format(port=port, client_port=port + NATS_CLIENT_PORT))
            return ['nats-server', '-c', config], 'nats'
        return [self.binary, 'serve', '--port', str(port), '--data-dir', folder,
                '--event-ttl-days', '0', '--context-ttl-days', '0', *flags], 'dyad'

    def start(self, name, folder=None, flags=(), env=None):
        """Starts a server without waiting for it."""
        port = self.free_port()
        own = None
        if name.startswith('dyad') and folder is None:
            memory = name == 'dyad_memory'
            own = folder = tempfile.mkdtemp(dir='/dev/shm' if memory else self.path('data'),
                                            prefix='dyad-bench-')
        command, mode = self.command(name, port, folder, flags)
        env = dict(os.environ, NODE_ENV='production', NODE_PATH=self.path('node_modules'),
                   **(env or {}))
        with open(self.path('run', f'{name}.log'), 'w') as log:
            process = subprocess.Popen([self.program('pinned'), SERVER_CPU, *command], env=env,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        server = Server(name, mode, port, process, own)
        self.running.append(server)
        return server

    def wait_ready(self, server, pause=0.02):
        for _ in range(int(20 / pause)):
            if server.process.poll() is not None:
                break
            try:
                socket.create_connection(('127.0.0.1', server.port), 1).close()
                return
            except OSError:
                time.sleep(pause)
        raise Failed(f'{server.name} did not start; see {self.path("run", server.name + ".log")}')

    def stop(self, server, how=signal.SIGKILL):
        if server in self.running:
            self.running.remove(server)
        with contextlib.suppress(ProcessLookupError):
            server.process.send_signal(how)
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
            raise Failed(f'{server.name} did not stop') from None
        finally:
            if server.folder:
                shutil.rmtree(server.folder, ignore_errors=True)

    def stop_all(self):
        for server in list(self.running):
            with contextlib.suppress(Failed):
                self.stop(server)

    @contextlib.contextmanager
    def serving(self, name, folder=None, flags=(), stop_with=signal.SIGKILL, env=None):
        server = self.start(name, folder, flags, env)
        try:
            self.wait_ready(server)
            time.sleep(0.1 if self.smoke else 0.3)
            yield server
        finally:
            self.stop(server, stop_with)

    # ---- loads --------------------------------------------------------------------------------

    def driver_command(self, server, options):
        neutral = self.neutral and NEUTRAL_OPTIONS.issuperset(options)
        words = [self.program('pinned'), DRIVER_CPU,
                 os.path.join(self.neutral, 'bin/wsload') if neutral else self.program('wsload'),
                 '--port', server.port, '--mode', options.pop('mode', server.mode), '--pid',
                 server.pid, '--label', server.name, '--nsrc', 8]
        if not neutral:
            words += ['--settle', 0.1 if self.smoke else 0.5]
        for name, value in options.items():
            words += [f'--{name}', value]
        return [str(word) for word in words]

    def load(self, server, may_lag=False, **options):
        """One run of the load driver. `may_lag`: what was not delivered in time is no failure."""
        try:
            done = subprocess.run(self.driver_command(server, options), capture_output=True,
                                  text=True, timeout=150, check=False)
        except subprocess.TimeoutExpired:
            raise Failed(f'{server.name}: the load did not end') from None
        if done.returncode:
            raise Failed(f'{server.name}: {done.stderr.strip()[-300:]}')
        result = json.loads(done.stdout)
        if result.get('order_err') or (result.get('lost') and not may_lag):
            raise Failed(f'{server.name}: lost {result["lost"]}, out of order '
                         f'{result["order_err"]}')
        if 'other' in result:
            self.others.append(result['other'])
            self.say_load(server, options, result)
        return result

    @staticmethod
    def say_load(server, options, result):
        what = ' '.join(f'{key}={value}' for key, value in options.items() if key != 'warm')
        print(f'    {server.name:12s} {result["d_per_cpu"]:11,.0f} /CPU s  p50 '
              f'{result["p50"]:9,.0f}  p99 {result["p99"]:9,.0f} us  other CPU '
              f'{result["other"]:4.2f}  {what}', flush=True)

    def measure(self, name, flags=(), may_lag=False, **options):
        """A server, one load, and the end of the server; None where it failed, with the reason
        printed."""
        try:
            with self.serving(name, flags=flags) as server:
                return self.load(server, may_lag=may_lag, **options)
        except Failed as failure:
            print(f'    failed: {failure}', flush=True)
            return None

    def in_turn(self, repeat, names, **options):
        """Each of these servers once, beginning with another one in each repeat."""
        present = [name for name in names if self.has(name)]
        first = repeat % len(present)
        return {name: self.measure(name, **options)
                for name in present[first:] + present[:first]}

    @contextlib.contextmanager
    def connected(self, server, **options):
        """Clients that are there and silent."""
        process = subprocess.Popen(self.driver_command(server, dict(options, hold=1)),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            if process.stdout.readline().strip() != 'ready':
                raise Failed(f'clients did not connect: {process.stderr.read()[-300:]}')
            yield
        finally:
            process.terminate()
            process.communicate()

    def store_bench(self, only, seconds):
        """What commit_bench says about the store or the disk alone."""
        done = subprocess.run(
            [self.program('pinned'), SERVER_CPU, self.program('commit_bench'), '--only', only,
             '--turns', '1', '--seconds', str(0.05 if self.smoke else seconds), '--folder',
             self.path('data')], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise Failed(f'commit_bench {only}: {done.stderr.strip()[-300:]}')
        return [json.loads(line) for line in done.stdout.splitlines()]

    def disk(self):
        """The disk alone: {events per sync: what came of it}."""
        return {row['events']: row for row in self.store_bench('disk', 2)}

    # ---- stores -------------------------------------------------------------------------------

    def store(self, events, users=1):
        """The folder of a store with that many events, room-0 … being its users. Made once, by the
        store itself; it grows by the little that is measured on it."""
        maker = self.program('store_maker')
        folder = self.path('stores', f'{events}-events-{users}-users')
        made = os.path.join(folder, 'made')
        if os.path.isfile(made) and os.path.getmtime(made) > os.path.getmtime(maker):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        print(f'    making a store of {events:,} events of {users} users', flush=True)
        subprocess.run([maker, '--folder', folder, '--events', str(events), '--users', str(users)],
                       check=True, timeout=300)
        with open(made, 'w') as file:
            file.write('by store_maker\n')
        return folder

    @contextlib.contextmanager
    def copy_of(self, folder):
        """A copy to write to: for small stores, which would not stay small."""
        copy = tempfile.mkdtemp(dir=self.path('data'), prefix='copy-')
        try:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            os.sync()  # its pages are not to be written while syncs are measured
            yield copy
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def ratio(a, b, figure):
    """a's figure over b's; None where one is missing."""
    if a is None or b is None or not b.get(figure):
        return None
    return a[figure] / b[figure]

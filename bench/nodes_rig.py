"""Several nodes for the benchmark: Redis, the MongoDB-protocol server of the tests, nodes on them,
and what is counted there. Whatever was started is ended with its `with`."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import live_client
from rig import DRIVER_CPU, SERVER_CPU, Failed

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                'tests'))
from support.backends import MONGO_VENV, Mongo, Redis  # noqa: E402


def have_mongodb():
    return (MONGO_VENV / 'bin/secantusd-py').exists()


class PinnedMongo(Mongo):
    """On the CPU of the load: it stands for another machine."""

    def __init__(self, rig, folder=None, **options):
        super().__init__(**options)
        self.rig = rig
        if folder:  # it stays
            os.symlink(folder, self.home / 'data')

    def command(self):
        return [self.rig.program('pinned'), DRIVER_CPU, *super().command()]


class PinnedRedis(Redis):
    """On the CPU of the nodes, as it is for the bare hop."""

    def __init__(self, rig):
        super().__init__()
        self.rig = rig

    def command(self):
        return [self.rig.program('pinned'), SERVER_CPU, *super().command()]

    def commands(self):
        """How many were run from the beginning, but for the questions of this kind."""
        with self.connection() as connection:
            lines = connection.command('INFO', 'commandstats').splitlines()
        counts = (line.split(':') for line in lines if line.startswith('cmdstat_'))
        return sum(int(rest.split('calls=')[1].split(',')[0]) for name, rest in counts
                   if name != 'cmdstat_info')


class Nodes:
    """`count` nodes on one database, with Redis or without."""

    def __init__(self, rig, count, with_redis, mongo=None):
        self.rig, self.count, self.with_redis = rig, count, with_redis
        self.open = contextlib.ExitStack()
        self.mongo, self.redis, self.servers = mongo, None, []

    def __enter__(self):
        try:
            if self.mongo is None:
                self.mongo = self.open.enter_context(PinnedMongo(self.rig))
            if self.with_redis:
                self.redis = self.open.enter_context(PinnedRedis(self.rig))
            for _ in range(self.count):
                self.servers.append(self.open.enter_context(
                    self.rig.serving('dyad', env=env_of(self.mongo, self.redis))))
        except AssertionError as failure:  # a backend that did not start
            self.open.close()
            raise Failed(str(failure)[-300:]) from None
        except BaseException:
            self.open.close()
            raise
        return self

    def __exit__(self, *_):
        self.open.close()


def env_of(mongo, redis):
    return {'ENABLE_DISTRIBUTED_MEMORY': 'true', 'DISTRIBUTED_USER_ID': 'bench', **mongo.env(),
            **(redis.env() if redis else {'ENABLE_REDIS': 'false'})}


def tool(rig, name, cpu, timeout=150, **options):
    """One run of a program of ours that prints JSON."""
    words = [rig.program('pinned'), cpu, rig.program(name)]
    for option, value in options.items():
        words += ['--' + option.replace('_', '-'), value]
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f'{name} did not end') from None
    if done.returncode:
        raise Failed(done.stderr.strip()[-300:])
    return json.loads(done.stdout) if done.stdout else None


def mongo_store(rig, events, users=100):
    """The folder of a MongoDB server with that many events, room-0 … being its users. Made once, by
    the store itself; it grows by the little that is measured on it."""
    folder = rig.path('stores', f'mongodb-{events}-events-{users}-users')
    made, maker = os.path.join(folder, 'made'), rig.program('store_maker')
    data = os.path.join(folder, 'data')
    if os.path.isfile(made) and os.path.getmtime(made) > os.path.getmtime(maker):
        return data
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(data)
    print(f'    making {events:,} events of {users} users on MongoDB', flush=True)
    with PinnedMongo(rig, folder=data) as mongo:
        subprocess.run([maker, '--mongodb', mongo.url, '--events', str(events), '--users',
                        str(users)], check=True, timeout=1800, stderr=subprocess.DEVNULL)
        mongo.stop()
    with open(made, 'w') as file:
        file.write('by store_maker\n')
    return data


class Commands:
    """Commands of MongoDB that a node sends."""

    def __init__(self, rig, server):
        self.server = server
        before, seconds = self.count(), rig.seconds(3)
        time.sleep(seconds)
        self.idle = 1 + (self.count() - before) / seconds  # of a second in which nothing happens

    def count(self):
        return live_client.metric(self.server.port, 'dyad_mongodb_commands_total')

    def quiet(self):
        """Waits until what was written is projected, and nothing is under way."""
        last, still = self.count(), 0
        for _ in range(200):
            time.sleep(0.1)
            now = self.count()
            still = still + 1 if now - last <= self.idle / 5 else 0
            if still == 4:  # DatabaseOptions: what is derived follows 0.2 s after a commit
                return
            last = now
        raise Failed('the node does not come to rest')

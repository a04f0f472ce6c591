"""Goals 9 and 13: many nodes on MongoDB and Redis.

MongoDB is the tests' server, which speaks its protocol (docs/mongodb.md): one thread of Python that
takes a few hundred durable inserts a second. So everything is a ratio to what bare clients get of
the same server in the same repeat, or a count of commands. Nodes and Redis have one CPU, the load
and MongoDB the other."""
import os
import statistics
import time

import live_client
import redis_load
from nodes_rig import (Commands, Nodes, PinnedMongo, env_of, have_mongodb, mongo_store, tool)
from reading_client import Reader
from rig import DRIVER_CPU, SERVER_CPU, Failed, ratio

USERS, EACH = 16, 8  # users that write, and how much of each is in flight
USER = 'bench'
MESSAGES_PER_S = 10_000
START_SIZES = (10_000, 100_000)  # events of 100 users


def measure(rig, repeat):
    if not have_mongodb():
        raise Failed('there is no MongoDB server: ./x setup-tests installs it')
    figures = {}
    with Nodes(rig, 2, with_redis=True) as nodes:
        for part in (durable, commands, traffic, latency):  # the last one ends Redis
            measure_part(figures, part, rig, repeat, nodes)
    for part in (memory, start):
        measure_part(figures, part, rig)
    return figures


def measure_part(figures, part, rig, *more):
    began = time.monotonic()
    try:
        figures.update(part(rig, *more))
    except (Failed, OSError, AssertionError) as failure:
        print(f'    failed: {failure}', flush=True)
        figures[f'nodes.{part.__name__}.failed'] = None
    print(f'    {part.__name__}: {time.monotonic() - began:.0f} s', flush=True)


# ---- from node to node --------------------------------------------------------------------------

def latency(rig, _, nodes):
    """Bare hops and nodes in turn, message by message: what the machine does falls on all."""
    rounds = 50 if rig.smoke else 1000
    Commands(rig, nodes.servers[0]).quiet()
    with rig.serving('epoll') as raw:
        first, second = (server.port for server in nodes.servers)
        hops = tool(rig, 'hops', DRIVER_CPU, rounds=rounds, user=USER, redis=nodes.redis.port,
                    websocket=raw.port, **{'from': first}, to=second)
        nodes.redis.kill()
        time.sleep(1)
        away = tool(rig, 'hops', DRIVER_CPU, rounds=10 if rig.smoke else 40, pause_us=100_000,
                    user=USER, **{'from': first}, to=second)
    say(hops=hops, without_redis=away)
    bare, bare_p99 = (hops['redis'][at] + hops['websocket'][at] for at in ('p50', 'p99'))
    return {
        'nodes.hop.p50.x_bare': hops['nodes']['p50'] / bare,
        'nodes.hop.p99.x_bare': hops['nodes']['p99'] / bare,
        'nodes.hop.p99.x_bare_p99': hops['nodes']['p99'] / bare_p99,
        'nodes.hop.p50_us': hops['nodes']['p50'],
        'nodes.hop.bare_redis.p50_us': hops['redis']['p50'],
        'nodes.hop.bare_websocket.p50_us': hops['websocket']['p50'],
        'nodes.hop.without_redis.p50_ms': away['nodes']['p50'] / 1e3,
        'nodes.hop.without_redis.p99_ms': away['nodes']['p99'] / 1e3,
    }


# ---- what a write takes -------------------------------------------------------------------------

def durable(rig, repeat, nodes):
    """Through a whole node, against bare inserts of the documents that it wrote. `batches`: what a
    user has in flight in one command, `same`: as many in one as the node had (what comes while an
    insert runs waits for the next one: about half), `single`: one each."""
    server, bystander = nodes.servers
    seconds = 1 if rig.smoke else 6
    at_rest = Commands(rig, server)
    idle = cpu_share(bystander, seconds)
    found = {}

    def commits():
        return [live_client.metric(server.port, name)
                for name in ('dyad_events_committed_total', 'dyad_commits_total')]

    def through_node():
        committed = commits()
        before, begin = live_client.cpu_seconds(bystander.pid), time.monotonic()
        found['node'] = rig.load(server, mode='acked', rooms=USERS, window=USERS * EACH,
                                 secs=seconds, warm=0.5)
        found['share'] = ((live_client.cpu_seconds(bystander.pid) - before) /
                          (time.monotonic() - begin))
        events, inserts = (now - then for now, then in zip(commits(), committed))
        found['batch'] = events / inserts

    def bare(batch, threads):
        return tool(rig, 'mongo_inserts', SERVER_CPU, url=nodes.mongo.url, to='bare', secs=seconds,
                    threads=threads, batch=batch, **{'from': nodes.mongo.database})

    through_node()  # there must be documents to take, and everyone a log
    runs = [through_node, lambda: found.update(batches=bare(EACH, USERS)),
            lambda: found.update(same=bare(max(1, round(found['batch'])), USERS)),
            lambda: found.update(single=bare(1, USERS * EACH))]
    for run in runs if repeat % 2 == 0 else runs[::-1]:
        at_rest.quiet()
        run()
    node = found['node']['dps']
    batches, same, single = (found[name]['events_per_s'] for name in ('batches', 'same', 'single'))
    say(node=node, batches=batches, same=same, single=single, batch=found['batch'])
    return {
        'nodes.durable.events_per_s': node,
        'nodes.durable.x_libmongoc': node / max(batches, single),
        'nodes.durable.x_libmongoc_same_batches': node / same,
        'nodes.durable.x_libmongoc_single': node / single,
        'nodes.durable.events_per_insert': found['batch'],
        'nodes.bystander.cpu_while_others_write': found['share'] - idle,
    }


def commands(rig, _, nodes):
    """Commands of MongoDB for writes and reads of a user whose log is followed: until the answer,
    at rest; and of writes one after the other with everything that they bring about."""
    turns = 2 if rig.smoke else 15
    server = nodes.servers[0]
    with live_client.Socket(server.port) as sock:
        live_client.hello(sock, USER, 'bench-writer')
        live_client.write_on(sock, 1)
        counted = Commands(rig, server)

        def to_ack(count, in_a_stream=False):
            taken = []
            for _ in range(turns):
                counted.quiet()
                if in_a_stream:
                    live_client.write_on(sock, 1)
                    time.sleep(0.05)
                before = counted.count()
                live_client.write_on(sock, count)
                taken.append(counted.count() - before)
            return statistics.median(taken)

        figures = {
            'nodes.commands.write': to_ack(1),
            'nodes.commands.batch64': to_ack(64, in_a_stream=True),
            'nodes.commands.batch64.at_rest': to_ack(64),
        }
        writes = 30 if rig.smoke else 400
        counted.quiet()

        before = counted.count()
        live_client.write_on(sock, writes, window=1)
        counted.quiet()
        figures['nodes.commands.write_with_projection'] = (counted.count() - before) / writes
        reader = Reader(server.port, USER)
        for fresh in ('any', 'latest'):
            path, taken = f'contexts/chat:0?fresh={fresh}', []
            for _ in range(turns * 3):
                before = counted.count()
                status, body = reader.ask('GET', path)
                if status != 200:
                    raise Failed(f'{path}: {status} {body[:200]!r}')
                taken.append(counted.count() - before)
            figures[f'nodes.commands.read_{fresh}'] = statistics.median(taken)
    say(**figures)
    return figures


# ---- Redis --------------------------------------------------------------------------------------

def traffic(rig, _, nodes):
    """Commands of Redis for an event, and what others' events cost a node that serves none of
    their users: messages that nodes did send are sent again at 10,000 a second."""
    first, second = nodes.servers
    with rig.connected(second, mode='dyad', subs=1, rooms=1):  # it follows the user
        alone = redis_commands(rig, nodes)
        with redis_load.Listener(nodes.redis.port) as listener:
            beside = redis_commands(rig, nodes)
            redis_load.capture(rig, first, listener, USERS)
    seconds = 1 if rig.smoke else 4
    time.sleep(1)  # the last clients have gone
    idle = cpu_share(second, seconds)
    cost = {}
    for kind, messages in (('log', listener.logs), ('envelopes', listener.envelopes)):
        before, begin = live_client.cpu_seconds(second.pid), time.monotonic()
        rate = redis_load.publish(nodes.redis.port, messages, MESSAGES_PER_S, seconds)
        took = time.monotonic() - begin
        if rate < MESSAGES_PER_S * 0.8 and not rig.smoke:
            raise Failed(f'only {rate:,.0f} messages/s were published')
        cost[kind] = (live_client.cpu_seconds(second.pid) - before) / took - idle
    figures = {
        'nodes.redis.commands_per_event': alone,
        'nodes.redis.commands_per_event.with_existing': beside,
        'nodes.bystander.cpu_at_10000': cost['log'],
        'nodes.bystander.cpu_at_10000_envelopes': cost['envelopes'],
        'nodes.bystander.cpu_idle': idle,
    }
    say(**figures)
    return figures


def redis_commands(rig, nodes):
    count = 300 if rig.smoke else 5000
    before = nodes.redis.commands()
    done = rig.load(nodes.servers[0], mode='acked', rooms=1, window=64, count=count, secs=100)
    return (nodes.redis.commands() - before) / done['msgs']


def cpu_share(server, seconds):
    before = live_client.cpu_seconds(server.pid)
    time.sleep(seconds)
    return (live_client.cpu_seconds(server.pid) - before) / seconds


# ---- memory -------------------------------------------------------------------------------------

def memory(rig):
    """Users that have written and are connected; the same with the embedded store."""
    users = 40 if rig.smoke else 1000
    load = {'mode': 'acked', 'rooms': users, 'window': 64, 'count': users * 3, 'secs': 120}
    with rig.serving('dyad') as server:
        embedded = rig.load(server, **load)
    with Nodes(rig, 1, with_redis=True) as nodes:
        on_mongodb = rig.load(nodes.servers[0], **load)
    return {
        'nodes.rss.x_embedded': ratio(on_mongodb, embedded, 'rss_load_kb'),
        'nodes.rss_mb': on_mongodb['rss_load_kb'] / 1024,
    }


# ---- start --------------------------------------------------------------------------------------

def start(rig):
    """From the start of the process, which is before the driver's connection, to the first
    acknowledgement. The tests' server takes some minutes for 100,000 events, which is where this
    ends: `growth` is how much longer it takes than with a tenth of them."""
    sizes = (200, 400) if rig.smoke else START_SIZES
    seconds = {}
    for size in sizes:
        with PinnedMongo(rig, folder=mongo_store(rig, size)) as mongo:
            try:
                seconds[size] = statistics.median(first_answer(rig, mongo, turn)
                                                  for turn in range(1 if rig.smoke else 3))
            finally:
                mongo.stop()
    say(**{f'start_{size}': value for size, value in seconds.items()})
    return {
        'nodes.start_s': seconds[sizes[-1]],
        'nodes.start.growth': seconds[sizes[-1]] / seconds[sizes[0]],
    }


def first_answer(rig, mongo, turn):
    begin = time.monotonic()
    server = rig.start('dyad', env=env_of(mongo, None))
    try:
        rig.wait_ready(server, pause=0.001)
        while True:
            try:
                live_client.write_contexts(server.port, f'room-{turn}', 1)
                return time.monotonic() - begin
            except OSError:  # it listens, and has no database yet
                if time.monotonic() > begin + 20:
                    raise
                time.sleep(0.005)
    finally:
        rig.stop(server)


def say(**values):
    print('    ' + ', '.join(f'{name} {value if isinstance(value, dict) else f"{value:.4g}"}'
                             for name, value in values.items()), flush=True)

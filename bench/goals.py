"""The goals, and how a run stands against them."""
import os
import platform
import statistics

# figure, number of the goal, short name, what it is, bound, direction (+1: at least, -1: at most)
GOALS = [
    ('burst100.d_per_cpu.x_cork', 1, 'burst, 100 clients / raw cork',
     '100 subscribers, 64 in flight, durable: deliveries per CPU second / raw cork', 0.6, 1),
    ('burst100.d_per_cpu.x_ws_basic', 1, 'burst, 100 clients / Node ws',
     'the same / Node ws, the obvious broadcast', 45, 1),
    ('burst100.d_per_cpu.x_nats', 1, 'burst, 100 clients / NATS',
     'the same / NATS over WebSocket (not durable)', 2.5, 1),
    ('burst1000.d_per_cpu.x_cork', 1, 'burst, 1,000 clients / raw cork',
     '1,000 subscribers: deliveries per CPU second / raw cork', 0.85, 1),
    ('rate100.d_per_cpu.x_epoll', 2, 'calm, durable / raw epoll',
     '100 messages/s to 100 subscribers, durable: deliveries per CPU second / raw epoll', 0.8, 1),
    ('rate100.memory.d_per_cpu.x_epoll', 2, 'calm, no disk / raw epoll',
     'the same with the store in memory', 0.92, 1),
    ('calm.memory.p50.x_epoll', 3, 'p50 without the disk / raw',
     '100 messages/s to 100 subscribers, store in memory: p50 / raw epoll', 1.1, -1),
    ('calm.p50_over_raw.x_fdatasync', 3, 'p50 beyond raw, calm',
     '100 messages/s to 100 subscribers, durable: (p50 - raw epoll) / fdatasync', 1.3, -1),
    ('single.p50_over_raw.x_fdatasync', 3, 'p50 beyond raw, one message',
     'one message at a time to one subscriber, durable: (p50 - raw epoll) / fdatasync', 1.3, -1),
    ('rate1000.p99.dyad.x_epoll', 3, 'p99 at 100,000/s / raw epoll',
     '100,000 deliveries/s, durable: p99 / raw epoll', 0.4, -1),
    ('users400x2.d_per_cpu.x_epoll', 4, '400 users x 2 / raw epoll',
     '400 users with 2 clients, durable: deliveries per CPU second / raw epoll', 0.7, 1),
    ('users100x10.d_per_cpu.x_epoll', 4, '100 users x 10 / raw epoll',
     '100 users with 10 clients, durable: deliveries per CPU second / raw epoll', 0.85, 1),
    ('idle.bytes_per_connection', 5, 'bytes of an idle connection',
     'memory of an idle, registered connection, of 10,000: bytes', 300, -1),
    ('storm.cpu_per_connection.x_epoll', 6, 'connect / raw epoll',
     'CPU of connect, upgrade and registration, of 10,000 / raw epoll', 1.5, -1),
    ('durable16.events_per_s.x_sync', 7, '64 in flight, WebSocket',
     '64 in flight over 16 users, acknowledged through the WebSocket: events/s / a raw server that '
     'syncs what a turn brought and answers', 0.7, 1),
    ('durable16.store.events_per_s.x_fdatasync_groups', 7, '64 in flight, at the store',
     'the same at the store: events/s / raw fdatasync in groups of 64', 0.5, 1),
    ('durable1.p50.x_fdatasync', 7, 'one in flight, p50',
     'one in flight, acknowledged through the WebSocket: p50 / fdatasync p50', 1.5, -1),
    ('durable1.p99.x_fdatasync', 7, 'one in flight, p99',
     'the same: p99 / fdatasync p50', 3, -1),
    ('durable1.store.p50.x_fdatasync', 7, 'one in flight at the store, p50',
     'one in flight at the store: p50 / fdatasync p50', 1.5, -1),
    ('durable1.store.p99.x_fdatasync', 7, 'one in flight at the store, p99',
     'the same: p99 / fdatasync p50', 3, -1),
    ('replay.d_per_cpu.x_cork', 8, 'replay / raw cork',
     'replay of 10,000 events from the disk: events per CPU second / raw cork', 0.4, 1),
    ('replay.live_p99.x_without', 8, "others' p99 during a replay",
     "the others' live p99 during such replays, one after the other / without", 1.5, -1),
    ('growth.rooms.exponent_over_raw', 10, 'growth with rooms, beyond raw',
     'cost of a delivery against the number of users with 10 clients, 10 to 800: exponent beyond '
     "raw epoll's", 0.03, -1),
    ('growth.clients.exponent_over_raw', 10, 'growth with clients, beyond raw',
     'cost of a delivery against the number of connected clients, 101 to 9,101: exponent beyond '
     "raw epoll's", 0.03, -1),
    ('growth.log.one_user.commits.exponent', 10, 'commits with the log, one user',
     'commits/s against the size of the log, 1,000 to 1,000,000 events of one user: exponent',
     -0.05, 1),
    ('growth.log.many_users.commits.exponent', 10, 'commits with the log, 100 users',
     'the same, events of 100 users', -0.05, 1),
    ('growth.log.one_user.resume.exponent', 10, 'resume with the log, one user',
     'time to be live after 100 missed events against the size of the log, one user: exponent',
     0.05, -1),
    ('growth.log.many_users.resume.exponent', 10, 'resume with the log, 100 users',
     'the same, events of 100 users', 0.05, -1),
    ('growth.log.one_user.first_resume.exponent', 10, 'the first after a start, one user',
     'the first such resumption after a start, when the user is read: exponent, one user', 0.05,
     -1),
    ('growth.log.many_users.first_resume.exponent', 10, 'the first after a start, 100 users',
     'the same, events of 100 users', 0.05, -1),
    ('stalled.others_p99.x_without', 10, "others' p99, one stalled",
     "one stalled client of 100: the others' p99 / without it", 1.1, -1),
    ('stalled.held_mb', 10, 'held for a stalled client, MB',
     'memory held for a stalled client: MB', 1, -1),
    ('start.one_user.after_stop_s', 11, 'start, 1 M events of one user',
     'start on a store of 1,000,000 events of one user to the first durable answer: s', 0.1, -1),
    ('start.one_user.after_crash_s', 11, 'the same after a crash', 'the same after a crash', 0.3,
     -1),
    ('start.thousand_users.after_stop_s', 11, 'start, 1 M events of 1,000 users',
     'the same, 1,000,000 events of 1,000 users', 0.1, -1),
    ('start.rss_empty_mb', 11, 'memory, empty store, MB', 'memory with an empty store: MB', 15,
     -1),
]
READS = {'history': 'the history of a key', 'version': 'an old version',
         'transitions': 'transitions', 'responses': 'responses', 'search': 'a search',
         'repeat': 'an operation of long ago again', 'merge': 'a merge with an old base'}
GOALS += [(f'reads.{kind}.exponent', 12, f'{text}: growth with the log',
           f'CPU of {text} against the log, 1,000 to 1,000,000 events of one user: exponent', 0.05,
           -1)
          for kind, text in READS.items()]
for kind, text in READS.items():
    if kind != 'merge':
        GOALS += [(f'reads.beside.{kind}.x_point', 12, f'writes beside {text}',
                   f'16 writers, 8 in flight each, beside one client that asks for {text} as '
                   'fast as it can: events/s / beside point reads', 0.95, 1),
                  (f'reads.beside.{kind}.p99.x_point', 12, f'their p99 beside {text}',
                   "the same: p99 of the acknowledgement / beside point reads'", 1.3, -1)]
GOALS.append(('reads.first_write_ms.1000000', 12, 'first write, 1 M events',
              'what the first write after a start on 1,000,000 events of one user waits: ms', 5,
              -1))
GOALS += [
    ('nodes.hop.p50.x_bare', 13, 'node to node, p50 / bare hops',
     'acknowledgement of a node to delivery at another one, over Redis: p50 / (p50 of a bare Redis '
     'hop + of a bare WebSocket hop)', 1.25, -1),
    ('nodes.hop.p99.x_bare', 13, 'node to node, p99 / bare hops', 'the same: p99 / those', 3, -1),
    ('nodes.hop.without_redis.p99_ms', 13, 'node to node without Redis, ms',
     'the same with Redis away: p99 in ms', 300, -1),
    ('nodes.durable.x_libmongoc', 13, 'durable on MongoDB / bare libmongoc',
     "16 users with 8 in flight each, on the tests' MongoDB server: events/s / bare libmongoc that "
     'inserts the same documents (the better of 16 threads with 8 at once, 128 with one)', 0.8, 1),
    ('nodes.commands.write', 13, 'MongoDB commands of a write',
     'commands of MongoDB until a write is acknowledged, where there was none for a while', 2, -1),
    ('nodes.commands.batch64', 13, 'MongoDB commands of 64 writes',
     'the same of 64 writes of a user that come together, while he writes', 1, -1),
    ('nodes.commands.read_any', 13, 'MongoDB commands of a read',
     'the same of a read (`fresh=any`) of a user whose log is followed', 0.01, -1),
    ('nodes.redis.commands_per_event', 13, 'Redis commands of an event',
     'one user, 64 in flight: commands of Redis an event, everything counted', 0.05, -1),
    ('nodes.bystander.cpu_at_10000', 13, "a node's CPU for others' events",
     '10,000 messages a second of users without a client at the node: its CPU beyond idle (1 is '
     'one CPU)', 0.001, -1),
    ('nodes.rss.x_embedded', 13, 'memory with 1,000 users / embedded',
     'memory with 1,000 users that write, on MongoDB / on the embedded store', 1.2, -1),
    ('nodes.start_s', 13, 'start on MongoDB, s',
     'start of the process on 100,000 events of 100 users in MongoDB to the first acknowledgement: '
     's', 1, -1),
]
# Bounds of exponents and differences do not become a ratio: how far from it is as good as twice.
EXPONENT_SCALE = 0.1
# Worth a line of their own, though no goal is set.
FURTHER = [
    ('burst100.d_per_cpu.dyad', '100 subscribers, 64 in flight: deliveries per CPU second'),
    ('burst100.d_per_cpu.x_epoll', 'the same / raw epoll'),
    ('burst100.d_per_cpu.x_ws_best', 'the same / Node ws, corked by hand (not durable)'),
    ('single.memory.p50.x_epoll',
     'one message at a time, store in memory: p50 / raw epoll (two changes of thread, no other '
     'work to hide them)'),
    ('rate1000.p99.nats.x_epoll', '100,000 deliveries/s: p99 of NATS / raw epoll'),
    ('durable16.events_per_s', '64 in flight over 16 users: events/s through the WebSocket'),
    ('durable16.events_per_s.x_fdatasync_groups', 'the same / raw fdatasync in groups of 64'),
    ('durable16.store.events_per_commit', 'the same at the store: events of a commit'),
    ('durable16.store.cpu_us_per_event', 'the same at the store: CPU us of an event'),
    ('fdatasync.p50_us', 'fdatasync of 400 bytes: p50, us'),
    ('fdatasync.p99_over_p50', "fdatasync alone: p99 / p50"),
    ('idle.bytes_per_connection.epoll', 'raw epoll: bytes of an idle connection'),
    ('storm.cpu_us_per_connection', 'connect, upgrade and registration: CPU us'),
    ('replay.d_per_cpu', 'replay: events per CPU second'),
    ('growth.rooms.exponent.dyad', 'cost against users: exponent'),
    ('growth.rooms.exponent.epoll', 'the same of raw epoll'),
    ('growth.clients.exponent.dyad', 'cost against connected clients: exponent'),
    ('growth.clients.exponent.epoll', 'the same of raw epoll'),
    ('growth.log.one_user.resume_us.1000000',
     'live after 100 missed events, 1,000,000 events of one user: us'),
    ('growth.log.one_user.first_resume_us.1000000', 'the same, the first after a start: us'),
    ('growth.log.many_users.first_resume_us.1000000',
     'the first after a start, 1,000,000 events of 100 users: us'),
    ('nodes.hop.p50_us', 'acknowledgement of a node to delivery at another one: p50, us'),
    ('nodes.hop.bare_redis.p50_us', 'a bare Redis hop: p50, us'),
    ('nodes.hop.bare_websocket.p50_us', 'a bare WebSocket hop: p50, us'),
    ('nodes.hop.p99.x_bare_p99', 'node to node: p99 / p99 of the bare hops'),
    ('nodes.hop.without_redis.p50_ms', 'node to node without Redis: p50, ms'),
    ('nodes.durable.events_per_s',
     "128 in flight of 16 users on the tests' MongoDB server: events/s"),
    ('nodes.durable.events_per_insert', 'the same: events of an insert'),
    ('nodes.durable.x_libmongoc_same_batches', 'the same / bare inserts of as many at once'),
    ('nodes.durable.x_libmongoc_single', 'the same / bare inserts one by one, 128 at a time'),
    ('nodes.commands.batch64.at_rest',
     'commands of MongoDB of 64 writes where there was none for a while'),
    ('nodes.commands.write_with_projection',
     'one in flight: all commands of MongoDB a write, with what is derived'),
    ('nodes.commands.read_latest', 'commands of MongoDB of a read after everything that was '
     'acknowledged anywhere (`fresh=latest`)'),
    ('nodes.redis.commands_per_event.with_existing',
     'commands of Redis an event beside an existing instance, which gets an envelope of each'),
    ('nodes.bystander.cpu_at_10000_envelopes',
     "a node's CPU where 10,000 envelopes a second are sent for existing instances"),
    ('nodes.bystander.cpu_while_others_write',
     "a node's CPU beyond idle while another one writes as fast as MongoDB takes it"),
    ('nodes.rss_mb', 'memory of a node with 1,000 users on MongoDB, MB'),
    ('nodes.start.growth', 'start on MongoDB with 100,000 events / with 10,000'),
]


def medians_of(results):
    found = {}
    for key, values in results.items():
        known = [value for value in values if value is not None]
        if known:
            found[key] = statistics.median(known)
    return found


def describe_run(repeats, seconds, others, realtime):
    model = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo')
                  if line.startswith('model name')), platform.machine())
    return {'repeats': repeats, 'seconds': round(seconds), 'cpus': os.cpu_count(), 'model': model,
            'kernel': platform.release(), 'realtime': realtime,
            'other_cpu': round(statistics.median(others), 3) if others else None}


def describe_machine(run):
    return f'{run["repeats"]} repeats, {run["cpus"]} CPUs ({run["model"]}), Linux {run["kernel"]}'


def measured_again(run):
    """The parts that are newer than the run, with what they were measured on."""
    again = run.get('again', {})
    return [f'Measured again since, {machine}: '
            f'{", ".join(part for part in again if again[part] == machine)}.'
            for machine in dict.fromkeys(again.values())]


def verdict(value, bound, direction):
    return 'met' if (value - bound) * direction >= 0 else 'missed'


def score(value, bound, direction, figure):
    """How many times as good as the goal; 1 is just met."""
    if 'exponent' in figure:
        return 2 ** ((value - bound) * direction / EXPONENT_SCALE)
    if value <= 0:
        return 10 if direction < 0 else 0.1
    return value / bound if direction > 0 else bound / value


def report(medians, results, run, pictures):
    missed = [goal for goal in GOALS if goal[0] in medians
              and verdict(medians[goal[0]], goal[4], goal[5]) == 'missed']
    known = [goal for goal in GOALS if goal[0] in medians]
    lines = ['# Measured', '',
             f'`./x bench`: {describe_machine(run)}, {run["seconds"] / 60:.0f} minutes; others '
             f'kept {run["other_cpu"]} CPUs busy. Loads by {run["driver"]}.',
             'Ratios are taken inside a repeat, between servers that ran right after each other;',
             'the medians of the repeats stand here, those of every repeat in figures.json.',
             'The server runs on one CPU, the load on another' +
             (', both ahead of all other work.' if run['realtime'] else '.'),
             *measured_again(run), '',
             f'**{len(known) - len(missed)} of {len(known)} met.**', '',
             '| goal | figure | bound | median | lowest to highest | |',
             '| --- | --- | --- | --- | --- | --- |']
    for figure, number, _, text, bound, direction in GOALS:
        limit = f'{"≥" if direction > 0 else "≤"} {bound:g}'
        if figure not in medians:
            lines.append(f'| {number} | {text} | {limit} | | | not measured |')
            continue
        values = [value for value in results[figure] if value is not None]
        lines.append(f'| {number} | {text} | {limit} | {medians[figure]:.3g} | '
                     f'{min(values):.3g} to {max(values):.3g} | '
                     f'{verdict(medians[figure], bound, direction)} |')
    lines += ['', '| further figure | median |', '| --- | --- |']
    lines += [f'| {text} | {number_text(medians[figure])} |' for figure, text in FURTHER
              if figure in medians]
    lines += ['', 'There is no mode without durability. "Store in memory" is the same server with '
              'its folder in memory,', 'where a sync has nothing to wait for.', '']
    lines += [f'![{title}]({name})' for name, title in pictures]
    return '\n'.join(lines) + '\n'


def number_text(value):
    return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.3g}'

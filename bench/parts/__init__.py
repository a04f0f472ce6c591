"""The parts of the benchmark. Each is a function of the rig and the number of the repeat, and
returns {figure: value}; None is a measurement that failed. Ratios are taken between servers that
ran right after each other."""
from parts import (connections, durable, fanout, latency, logs, nodes, reads, replay, stalled,
                   start, users)

ALL = {
    'fanout': fanout.measure,
    'latency': latency.measure,
    'durable': durable.measure,
    'connections': connections.measure,
    'replay': replay.measure,
    'users': users.measure,
    'logs': logs.measure,
    'reads': reads.measure,
    'stalled': stalled.measure,
    'start': start.measure,
    'nodes': nodes.measure,
}
WHAT = {
    'fanout': 'goals 1 and 4: deliveries per CPU second, large and small rooms',
    'latency': 'goals 2 and 3: calm traffic, 100,000 deliveries a second, one message at a time',
    'durable': 'goal 7: durable acknowledgements, through the WebSocket and at the store',
    'connections': 'goals 5 and 6: memory and CPU of 10,000 connections',
    'replay': "goal 8: replay of 10,000 events, and the others' latency meanwhile",
    'users': 'goal 10: cost of a delivery against the number of rooms and of clients',
    'logs': 'goal 10: commits and resumption against the size of the log',
    'reads': 'each read against the length of the log, and the writers beside it',
    'stalled': 'goal 10: one client that does not read',
    'start': 'goal 11: start on a store of 1,000,000 events, memory of an empty one',
    'nodes': 'goals 9 and 13: many nodes on MongoDB and Redis',
}

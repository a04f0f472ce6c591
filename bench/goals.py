"""The goals, and how a run stands against them."""
import os

# figure, goal's number, what it is, bound, direction (+1: at least, -1: at most)
GOALS = [
    ('burst100.d_per_cpu.x_cork', 1,
     '100 subscribers, 64 in flight, durable: deliveries per CPU second / raw cork', 0.6, 1),
    ('burst100.d_per_cpu.x_ws_basic', 1,
     '… / Node ws, the obvious broadcast', 45, 1),
    ('burst100.d_per_cpu.x_nats', 1,
     '… / NATS over WebSocket (not durable)', 2.5, 1),
    ('burst100.d_per_cpu.x_ws_best', 1,
     '… / Node ws, corked by hand (not durable)', None, 1),
    ('burst100.d_per_cpu.x_epoll', 1,
     '… / raw epoll', None, 1),
    ('burst1000.d_per_cpu.x_cork', 1,
     '1,000 subscribers: deliveries per CPU second / raw cork', 0.85, 1),
    ('rate100.d_per_cpu.x_epoll', 2,
     '100 messages/s to 100 subscribers, durable / raw epoll', 0.8, 1),
    ('one_in_flight.p50_over_raw.x_fdatasync', 3,
     'p50 beyond the raw hop, in fdatasyncs', 1.3, -1),
    ('rate1000.p99.x_epoll', 3,
     '100,000 deliveries/s, durable: p99 / raw epoll', 0.4, -1),
    ('users400x2.d_per_cpu.x_epoll', 4,
     '400 users with 2 clients, durable / raw epoll', 0.7, 1),
    ('users100x10.d_per_cpu.x_epoll', 4,
     '100 users with 10 clients, durable / raw epoll', 0.85, 1),
    ('idle.bytes_per_connection', 5,
     'memory of an idle, registered connection, bytes', 600, -1),
    ('storm.cpu_per_connection.x_epoll', 6,
     "CPU of a connection's start / raw epoll", 1.5, -1),
    ('durable16.events_per_s.x_fdatasync_groups', 7,
     '64 in flight over 16 users: events/s / raw fdatasync in groups of 64', 0.5, 1),
    ('one_in_flight.p99.x_fdatasync_p50', 7,
     'one in flight: p99 / fdatasync p50', 3, -1),
    ('replay.d_per_cpu.x_cork', 8,
     'replay of 10,000 events: events per CPU second / raw cork', 0.4, 1),
    ('start.seconds_to_first_ack', 11,
     'start on a store of 1,000,000 events to the first durable answer, s', 0.3, -1),
    ('start.rss_empty_mb', 11,
     'memory with an empty store, MB', 30, -1),
]


def verdict(value, bound, direction):
    if bound is None:
        return ''
    if value != value:
        return 'not measured'
    return 'met' if (value - bound) * direction >= 0 else 'missed'


def report(medians, results):
    lines = ['# Measured', '',
             'Medians of the repeats of one run of `./x bench`; ratios are taken inside a repeat.',
             'The figures of every repeat stand in figures.json.', '',
             '| goal | figure | bound | median | lowest to highest | |',
             '| --- | --- | --- | --- | --- | --- |']
    for figure, number, text, bound, direction in GOALS:
        if figure not in medians:
            continue
        values = [v for v in results[figure] if v is not None]
        spread = f'{min(values):.3g} to {max(values):.3g}' if values else ''
        limit = '' if bound is None else f'{"≥" if direction > 0 else "≤"} {bound:g}'
        said = verdict(medians[figure], bound, direction)
        lines.append(f'| {number} | {text} | {limit} | {medians[figure]:.3g} | {spread} | {said} |')
    others = sorted(set(medians) - {goal[0] for goal in GOALS})
    if others:
        lines += ['', '| further figure | median |', '| --- | --- |']
        lines += [f'| {name} | {medians[name]:.3g} |' for name in others]
    return '\n'.join(lines) + '\n\n![How far each goal is met](goals.png)\n'


def plot(medians, results, folder):
    try:
        import matplotlib
    except ImportError:
        print('bench: no plot without matplotlib')
        return
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    rows = [goal for goal in GOALS if goal[3] is not None and goal[0] in medians]
    scores = [medians[f] / b if d > 0 else b / medians[f] for f, _, _, b, d in rows]
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(rows) + 1.2))
    colours = ['#17803d' if score >= 1 else '#b45309' for score in scores]
    axes.barh([f'{n}  {f}' for f, n, *_ in rows], scores, color=colours)
    axes.axvline(1, color='#333', linewidth=1)
    axes.set_xscale('log')
    axes.invert_yaxis()
    axes.set_xlabel('times as good as the goal (1 = just met)')
    figure.tight_layout()
    figure.savefig(os.path.join(folder, 'goals.png'), dpi=110)

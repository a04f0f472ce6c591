"""The pictures of a run."""
import os

import goals
from rig import NAMES

COLOURS = {'dyad': '#1d4ed8', 'dyad_memory': '#60a5fa', 'epoll': '#525252', 'cork': '#a3a3a3',
           'nats': '#0f766e', 'ws_basic': '#b45309', 'ws_best': '#d97706'}
MET, MISSED = '#15803d', '#b91c1c'


def plain_number(value, _position=None):
    """1, 10, 100 k, 2 M: for the ticks of logarithmic axes."""
    for size, unit in ((1e6, ' M'), (1e3, ' k')):
        if value >= size:
            return f'{value / size:g}{unit}'
    return f'{value:g}'


def plain_ticks(axis, ticker):
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if spans_little(axis) else (1,)))
    axis.set_major_formatter(ticker.FuncFormatter(plain_number))
    axis.set_minor_formatter(ticker.NullFormatter())


def spans_little(axis):
    low, high = axis.get_view_interval()
    return high / low < 300


def draw(medians, results, folder):
    """Draws what there are figures for; [(file, title)]."""
    try:
        import matplotlib
    except ImportError:
        print('bench: no pictures without matplotlib')
        return []
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    from matplotlib import ticker
    plt.rcParams.update({'font.size': 10, 'axes.spines.top': False, 'axes.spines.right': False,
                         'axes.titlesize': 11, 'axes.titleweight': 'bold', 'figure.dpi': 110})
    pictures = []
    for name, title, paint in (
            ('goals.png', 'How far each goal is met', paint_goals),
            ('throughput.png', 'Deliveries per CPU second, beside the others', paint_throughput),
            ('latency.png', 'Latency, beside the others', paint_latency),
            ('growth.png', 'Growth with users, clients and the log', paint_growth)):
        figure = paint(plt, ticker, medians, results)
        if figure is None:
            continue
        figure.tight_layout()
        figure.savefig(os.path.join(folder, name))
        plt.close(figure)
        pictures.append((name, title))
    return pictures


def paint_goals(plt, ticker, medians, results):
    rows = [goal for goal in goals.GOALS if goal[0] in medians]
    if not rows:
        return None
    figure, axes = plt.subplots(figsize=(9.5, 0.34 * len(rows) + 1.3))
    for at, (name, number, short, _, bound, direction) in enumerate(rows):
        scores = [min(max(goals.score(v, bound, direction, name), 0.1), 30)
                  for v in results[name] if v is not None]
        middle = min(max(goals.score(medians[name], bound, direction, name), 0.1), 30)
        colour = MET if middle >= 1 else MISSED
        axes.barh(at, middle - 1, left=1, color=colour, alpha=0.85, height=0.6)
        axes.plot([min(scores), max(scores)], [at, at], color='#111', linewidth=1)
        axes.plot(middle, at, marker='D', color=colour, markersize=5)
        axes.text(1.02, at, f'{medians[name]:.3g} of {"≥" if direction > 0 else "≤"} {bound:g}',
                  transform=axes.get_yaxis_transform(), va='center', fontsize=8.5, color=colour)
    axes.set_yticks(range(len(rows)), [f'{short}  ·  {number}' for _, number, short, *_ in rows],
                    fontsize=9)
    axes.axvline(1, color='#111', linewidth=1.2)
    axes.set_xscale('log')
    axes.set_xticks([0.25, 0.5, 1, 2, 5, 10], ['1/4', '1/2', 'goal', '2x', '5x', '10x'])
    axes.minorticks_off()
    axes.invert_yaxis()
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title('Times as good as the goal: median, and lowest to highest of the repeats')
    return figure


def paint_throughput(plt, ticker, medians, results):
    order = ['cork', 'ws_best', 'dyad', 'nats', 'epoll', 'ws_basic']
    values = [(name, medians.get(f'burst100.d_per_cpu.{name}')) for name in order]
    values = sorted(((n, v) for n, v in values if v), key=lambda pair: pair[1])
    if not values:
        return None
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(values) + 1.2))
    names, heights = zip(*values)
    bars = axes.barh([NAMES[n] for n in names], heights, color=[COLOURS[n] for n in names],
                     height=0.65)
    axes.bar_label(bars, [f' {v / 1e6:.2f} M' if v >= 1e6 else f' {v / 1e3:.0f} k'
                          for v in heights])
    axes.set_xlim(right=max(heights) * 1.15)
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(plain_number))
    axes.set_title('Deliveries per CPU second: 100 clients, 64 messages in flight\n'
                   '(only Dyad writes each message to the disk before it delivers it)')
    return figure


def paint_latency(plt, ticker, medians, results):
    quantiles = ['p50', 'p90', 'p99', 'p999']
    loads = [('single', 'One message at a time, one client'),
             ('calm', '100 messages/s to 100 clients'),
             ('busy', '1,000 messages/s to 100 clients')]
    figure, panels = plt.subplots(1, 3, figsize=(12, 4.2), sharey=True)
    drawn = False
    for axes, (load, title) in zip(panels, loads):
        for name, colour in COLOURS.items():
            line = [medians.get(f'latency.{load}.{name}.{q}_us') for q in quantiles]
            if None in line:
                continue
            drawn = True
            axes.plot(quantiles, line, marker='o', color=colour, label=NAMES[name],
                      linewidth=2.4 if name == 'dyad' else 1.4)
        axes.set_yscale('log')
        axes.set_title(title)
        axes.grid(axis='y', alpha=0.25, which='both')
        axes.set_xticks(range(4), ['p50', 'p90', 'p99', 'p99.9'])
        plain_ticks(axes.yaxis, ticker)
    panels[0].set_ylabel('µs from writing to delivery')
    panels[1].legend(fontsize=8.5, frameon=False)
    return figure if drawn else None


def paint_growth(plt, ticker, medians, results):
    figure, panels = plt.subplots(2, 2, figsize=(11, 8))
    servers = ['dyad', 'epoll', 'nats', 'ws_basic']
    kinds = [('one_user', 'all of one user', '#1d4ed8'),
             ('many_users', 'of 100 users', '#0f766e')]
    drawn = [
        costs(panels[0][0], medians, 'rooms', servers, 'users with 10 clients each, all writing'),
        costs(panels[0][1], medians, 'clients', servers, 'connected clients, 100 of them active'),
        log_sizes(panels[1][0], medians, 'commits_per_s', 1, kinds,
                  'Acknowledged writes a second, 64 in flight'),
        log_sizes(panels[1][1], medians, 'resume_us', 1e-3, kinds,
                  'Milliseconds until live after 100 missed events')]
    log_sizes(panels[1][1], medians, 'first_resume_us', 1e-3,
              [(kind, f'{text}, first after a start', colour) for kind, text, colour in kinds],
              None, style=':')
    for axes in panels.flat:
        axes.set_xscale('log')
        axes.set_yscale('log')
        axes.grid(alpha=0.25, which='both')
        axes.legend(fontsize=8.5, frameon=False)
    rates = panels[1][0]
    rates.set_ylim(bottom=max(rates.get_ylim()[0] / 10, 1))
    for axes in panels.flat:
        plain_ticks(axes.xaxis, ticker)
        plain_ticks(axes.yaxis, ticker)
    return figure if any(drawn) else None


def points_of(medians, prefix):
    found = [(int(key.rsplit('.', 1)[1]), value) for key, value in medians.items()
             if key.startswith(prefix + '.')]
    return sorted(found)


def costs(axes, medians, axis, servers, label):
    drawn = False
    for name in servers:
        points = points_of(medians, f'growth.{axis}.cost_ns.{name}')
        if not points:
            continue
        drawn = True
        slope = medians.get(f'growth.{axis}.exponent.{name}')
        text = NAMES[name] + (f' (exponent {slope:.2f})' if slope is not None else '')
        axes.plot(*zip(*points), marker='o', color=COLOURS[name], label=text,
                  linewidth=2.4 if name == 'dyad' else 1.4)
    axes.set_title('CPU nanoseconds of a delivery')
    axes.set_xlabel(label)
    return drawn


def log_sizes(axes, medians, figure, scale, kinds, title, style='-'):
    drawn = False
    for kind, text, colour in kinds:
        points = points_of(medians, f'growth.log.{kind}.{figure}')
        if points:
            drawn = True
            axes.plot([x for x, _ in points], [y * scale for _, y in points], style, marker='o',
                      color=colour, label=text)
    if title:
        axes.set_title(title)
        axes.set_xlabel('events in the log')
    return drawn

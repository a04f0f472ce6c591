"""Goal 10: what a delivery costs where there are more rooms, or more clients that only listen.

The exponent is that of `cost = a * size ^ exponent`, fitted to the sizes of one repeat."""
import math

from rig import Failed

ROOMS = (10, 100, 800)      # each a user with 10 clients
IDLE = (0, 900, 9000)       # silent clients beside the 100 that are measured
LISTENERS = 3               # of a silent room, which has a writer, too


def measure(rig, repeat):
    figures = {}
    rooms(rig, repeat, figures)
    idle(rig, repeat, figures)
    for axis in ('rooms', 'clients'):
        own, raw = (figures[f'growth.{axis}.exponent.{name}'] for name in ('dyad', 'epoll'))
        figures[f'growth.{axis}.exponent_over_raw'] = (
            None if own is None or raw is None else own - raw)
    return figures


def exponent(costs):
    """The slope of log(cost) over log(size); None where a cost is missing."""
    if any(cost is None for cost in costs.values()):
        return None
    points = [(math.log(size), math.log(cost)) for size, cost in costs.items()]
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    return (sum((x - x_mean) * (y - y_mean) for x, y in points) /
            sum((x - x_mean) ** 2 for x, _ in points))


def note(figures, axis, costs):
    """Costs in CPU nanoseconds per delivery, {server: {size: cost}}."""
    for name, by_size in costs.items():
        for size, cost in by_size.items():
            figures[f'growth.{axis}.cost_ns.{name}.{size}'] = cost
        figures[f'growth.{axis}.exponent.{name}'] = exponent(by_size)


def cost_ns(result):
    return result and result['d_per_cpu'] and 1e9 / result['d_per_cpu']


def rooms(rig, repeat, figures):
    sizes = (2, 8) if rig.smoke else ROOMS
    costs = {}
    for size in sizes:
        results = rig.in_turn(repeat, ['dyad', 'epoll', 'nats', 'ws_basic'], subs=10, rooms=size,
                              window=64, secs=rig.seconds(1.5), warm=0.3, may_lag=True)
        for name, result in results.items():
            costs.setdefault(name, {})[size] = cost_ns(result)
    note(figures, 'rooms', costs)


def idle(rig, repeat, figures):
    sizes = (0, 60) if rig.smoke else IDLE
    measured = 101
    names = ['dyad', 'epoll'] if repeat % 2 == 0 else ['epoll', 'dyad']
    costs = {name: {} for name in names}
    for size in sizes:
        for name in names:
            try:
                cost = beside_idle(rig, name, size)
            except Failed as failure:
                print(f'    failed: {failure}', flush=True)
                cost = None
            costs[name][size + measured] = cost
    note(figures, 'clients', costs)


def beside_idle(rig, name, size):
    load = {'subs': 100, 'window': 64, 'secs': rig.seconds(1.5), 'warm': 0.3}
    with rig.serving(name) as server:
        if size == 0:
            return cost_ns(rig.load(server, **load))
        silent = {'subs': LISTENERS, 'rooms': size // (LISTENERS + 1), 'roombase': 1000}
        with rig.connected(server, **silent):
            return cost_ns(rig.load(server, **load))

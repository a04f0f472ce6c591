"""Goals 5 and 6: what connections cost that are opened and then say nothing.

Memory is that of many connections beyond that of few, in two servers: one that has just started may
hold what it needed for the start and gives back at the first use."""
from rig import ratio


def measure(rig, repeat):
    few, count = (100, 500) if rig.smoke else (1000, 10000)
    seconds = 1 if rig.smoke else 3
    first = rig.in_turn(repeat, ['dyad', 'epoll'], subs=few, idle=seconds)
    runs = rig.in_turn(repeat, ['dyad', 'epoll'], subs=count, idle=seconds)
    dyad = runs['dyad']

    def bytes_each(name):
        if not first[name] or not runs[name]:
            return None
        return (runs[name]['rss_idle_kb'] - first[name]['rss_idle_kb']) * 1024 / (count - few)

    return {
        'idle.bytes_per_connection': bytes_each('dyad'),
        'idle.bytes_per_connection.epoll': bytes_each('epoll'),
        'storm.cpu_us_per_connection': dyad and dyad['setup_cpu_s'] / count * 1e6,
        'storm.cpu_per_connection.x_epoll': ratio(dyad, runs['epoll'], 'setup_cpu_s'),
    }

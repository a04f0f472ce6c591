"""Goals 5 and 6: what connections cost that are opened and then say nothing."""
from rig import ratio


def measure(rig, repeat):
    count = 500 if rig.smoke else 10000
    runs = rig.in_turn(repeat, ['dyad', 'epoll'], subs=count, idle=1 if rig.smoke else 3)
    dyad = runs['dyad']
    return {
        'idle.bytes_per_connection': dyad and dyad['per_conn_b'],
        'idle.bytes_per_connection.epoll': runs['epoll'] and runs['epoll']['per_conn_b'],
        'storm.cpu_us_per_connection': dyad and dyad['setup_cpu_s'] / count * 1e6,
        'storm.cpu_per_connection.x_epoll': ratio(dyad, runs['epoll'], 'setup_cpu_s'),
    }

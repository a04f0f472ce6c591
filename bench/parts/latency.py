"""Goals 2 and 3: latency and CPU where messages come now and then.

There is no mode without durability. What the path costs without the disk is measured with the store
in a folder in memory: every step of a commit is taken, only the disk has nothing to wait for."""
from rig import ratio

QUANTILES = ('p50', 'p90', 'p99', 'p999')


def measure(rig, repeat):
    length = {'secs': rig.seconds(3), 'warm': 0.3, 'may_lag': True}
    figures = {}
    sync_us = rig.disk()[1]['p50_us']
    figures['fdatasync.p50_us'] = sync_us
    calm = rig.in_turn(repeat, ['dyad', 'dyad_memory', 'epoll', 'nats', 'ws_basic'], subs=100,
                       rate=100, **length)
    busy = rig.in_turn(repeat, ['dyad', 'epoll', 'nats', 'ws_basic'], subs=100, rate=1000, **length)
    single = rig.in_turn(repeat, ['dyad', 'dyad_memory', 'epoll'], subs=1, window=1, **length)
    for load, results in (('calm', calm), ('busy', busy), ('single', single)):
        for name, result in results.items():
            for quantile in QUANTILES:
                figures[f'latency.{load}.{name}.{quantile}_us'] = result and result[quantile]
    for load, results in (('calm', calm), ('single', single)):
        figures[f'{load}.memory.p50.x_epoll'] = ratio(results['dyad_memory'], results['epoll'],
                                                      'p50')
        both = results['dyad'] and results['epoll']
        figures[f'{load}.p50_over_raw.x_fdatasync'] = both and (
            (results['dyad']['p50'] - results['epoll']['p50']) / sync_us)
    figures['rate100.d_per_cpu.x_epoll'] = ratio(calm['dyad'], calm['epoll'], 'd_per_cpu')
    figures['rate100.memory.d_per_cpu.x_epoll'] = ratio(calm['dyad_memory'], calm['epoll'],
                                                        'd_per_cpu')
    for name in busy:
        if name != 'epoll':
            figures[f'rate1000.p99.{name}.x_epoll'] = ratio(busy[name], busy['epoll'], 'p99')
    return figures

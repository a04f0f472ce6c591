"""Goals 1 and 4: deliveries per second of server CPU."""
from rig import ratio

PEERS = ['dyad', 'epoll', 'cork', 'ws_basic', 'ws_best', 'nats']


def measure(rig, repeat):
    length = {'secs': rig.seconds(2), 'warm': rig.seconds(0.4)}
    figures = {}
    burst = rig.in_turn(repeat, PEERS, subs=100, window=64, may_lag=True, **length)
    for peer, result in burst.items():
        figures[f'burst100.d_per_cpu.{peer}'] = result and result['d_per_cpu']
        if peer != 'dyad':
            figures[f'burst100.d_per_cpu.x_{peer}'] = ratio(burst['dyad'], result, 'd_per_cpu')
    wide = rig.in_turn(repeat, ['dyad', 'cork'], subs=1000, window=64, **length)
    figures['burst1000.d_per_cpu.x_cork'] = ratio(wide['dyad'], wide['cork'], 'd_per_cpu')
    for rooms, subs in ((400, 2), (100, 10)):
        pair = rig.in_turn(repeat, ['dyad', 'epoll'], subs=subs, rooms=rooms, window=64, **length)
        figures[f'users{rooms}x{subs}.d_per_cpu.x_epoll'] = ratio(pair['dyad'], pair['epoll'],
                                                                  'd_per_cpu')
    return figures

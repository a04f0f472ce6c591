"""Goal 10: one client of 100 that does not read any more, while the others live on."""
import live_client
from rig import Failed, ratio

LISTENING = 97   # beside a listener and the two writers of the load driver's two runs
MANY_STALLED = 20


def measure(rig, repeat):
    counts = (0, 1, MANY_STALLED)
    runs = {}
    for count in counts if repeat % 2 == 0 else counts[::-1]:
        try:
            runs[count] = run(rig, count)
        except (Failed, OSError) as failure:
            print(f'    failed: {failure}', flush=True)
            runs[count] = (None, None)
    none, many = runs[0][1], runs[MANY_STALLED][1]
    held = None if none is None or many is None else (many - none) / MANY_STALLED / 1024
    print(f'    held for a stalled client: {held} MB', flush=True)
    return {
        'stalled.others_p99.x_without': ratio(runs[1][0], runs[0][0], 'p99'),
        'stalled.others_p50.x_without': ratio(runs[1][0], runs[0][0], 'p50'),
        'stalled.held_mb': held,
    }


def run(rig, stalled):
    """The others' latency, and the server's memory in KiB once the sockets are full."""
    with rig.serving('dyad') as server, rig.connected(server, subs=1, stalled=stalled):
        # More than the kernel takes for them.
        rig.load(server, subs=1, window=64, secs=rig.seconds(1.5), warm=0.2)
        full = live_client.send_queues(server.port)
        if full < stalled:
            raise Failed(f'{full} of {stalled} sockets are full')
        resident = live_client.rss_mb(server.pid) * 1024
        others = rig.load(server, subs=LISTENING, rate=300, secs=rig.seconds(4), warm=0.3)
        closed = live_client.metric(server.port, 'dyad_slow_clients_closed_total')
        if closed:
            raise Failed(f'{closed} stalled clients were closed before the end')
    return others, resident

"""Goal 7: durable acknowledgements, as clients get them and at the store alone."""
from rig import ratio


def measure(rig, repeat):
    length = {'mode': 'acked', 'secs': rig.seconds(2), 'warm': 0.3}
    disk = rig.disk()
    both = rig.in_turn(repeat, ['dyad', 'sync'], rooms=16, window=64, **length)
    many = both['dyad']
    one = rig.measure('dyad', rooms=1, window=1, **length)
    groups, = rig.store_bench('groups16', 2)
    single, = rig.store_bench('single', 1)
    return {
        'durable16.events_per_s': many and many['dps'],
        'durable16.events_per_s.x_sync': ratio(many, both['sync'], 'dps'),
        'durable16.events_per_s.x_fdatasync_groups': many and many['dps'] / disk[64]['events_s'],
        'durable16.store.events_per_s.x_fdatasync_groups': groups['x_fdatasync_groups'],
        'durable16.store.events_per_commit': groups['events_per_commit'],
        'durable16.store.cpu_us_per_event': groups['cpu_us_per_event'],
        'durable1.p50.x_fdatasync': one and one['p50'] / disk[1]['p50_us'],
        'durable1.p99.x_fdatasync': one and one['p99'] / disk[1]['p50_us'],
        'durable1.store.p50.x_fdatasync': single['p50_x_fdatasync'],
        'durable1.store.p99.x_fdatasync': single['p99_x_fdatasync'],
        'fdatasync.p99_over_p50': ratio({'v': disk[1]['p99_us']}, {'v': disk[1]['p50_us']}, 'v'),
    }

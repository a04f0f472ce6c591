"""Goal 10: commits per second, and the time a client needs to be live again after 100 events,
against the size of the log: all of one user, and over 100 users."""
import contextlib
import signal
import statistics

import live_client
from parts.users import exponent
from rig import Failed

SIZES = (1000, 10_000, 100_000, 1_000_000)
COPIED_BELOW = 50_000  # smaller ones would not keep their size
MANY = 100             # users of the second kind
COMMITS = 2000
WARMING = 200           # before them: every user has written once
MISSED = 100
USER = 'room-0'


def measure(rig, repeat):
    sizes = (1000, 5000) if rig.smoke else SIZES
    order = sizes if repeat % 2 == 0 else sizes[::-1]
    figures = {}
    for users, kind in ((1, 'one_user'), (MANY, 'many_users')):
        rates, resumes, colds = {}, {}, {}
        for size in order:
            try:
                rate, resumes[size], colds[size] = at_size(rig, size, users)
            except (Failed, OSError) as failure:
                print(f'    failed: {failure}', flush=True)
                rate, resumes[size], colds[size] = None, None, None
            # The size in the middle of the measurement counts.
            rates[size + WARMING + COMMITS // 2] = rate
            figures[f'growth.log.{kind}.commits_per_s.{size}'] = rate
            figures[f'growth.log.{kind}.resume_us.{size}'] = resumes[size]
            figures[f'growth.log.{kind}.first_resume_us.{size}'] = colds[size]
            if rate:
                print(f'    {kind}, {size:9,} events: {rate:8,.0f} commits/s, resume '
                      f'{resumes[size]:7,.0f} us, the first one {colds[size]:9,.0f} us', flush=True)
        figures[f'growth.log.{kind}.commits.exponent'] = exponent(rates)
        figures[f'growth.log.{kind}.resume.exponent'] = exponent(resumes)
        figures[f'growth.log.{kind}.first_resume.exponent'] = exponent(colds)
    return figures


@contextlib.contextmanager
def folder_of(rig, size, users):
    folder = rig.store(size, users)
    if size < COPIED_BELOW:
        with rig.copy_of(folder) as copy:
            yield copy
    else:
        yield folder


def at_size(rig, size, users):
    """Commits per second, microseconds of a resumption, and of the first one after a start."""
    with folder_of(rig, size, users) as folder:
        with rig.serving('dyad', folder, stop_with=signal.SIGTERM) as server:
            rooms = min(users, 16)
            # What was written is read before a user's first write; goal 11 measures that.
            rig.load(server, mode='acked', rooms=rooms, window=64, count=WARMING)
            done = rig.load(server, mode='acked', rooms=rooms, window=64,
                            count=200 if rig.smoke else COMMITS)
            missed_from = live_client.position(server.port, USER)
            live_client.write_contexts(server.port, USER, MISSED)
        with rig.serving('dyad', folder, stop_with=signal.SIGTERM) as server:
            cold = live_client.resume_seconds(server.port, USER, missed_from, MISSED)
            warm = [live_client.resume_seconds(server.port, USER, missed_from, MISSED)
                    for _ in range(3 if rig.smoke else 21)]
    return done['dps'], statistics.median(warm) * 1e6, cold * 1e6

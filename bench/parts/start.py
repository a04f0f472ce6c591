"""Goal 11: from the start of the process to the first durable acknowledgement."""
import os
import signal
import time

import live_client
from rig import Failed


def measure(rig, repeat):
    events = 2000 if rig.smoke else 1_000_000
    figures = {}
    with rig.serving('dyad') as server:
        time.sleep(5)  # at rest: what only the start needed has been given back
        figures['start.rss_empty_mb'] = live_client.rss_mb(server.pid)
    for users, name in ((1, 'one_user'), (1000, 'thousand_users')):
        folder = rig.store(events, users)
        for how, after in ((signal.SIGTERM, 'stop'), (signal.SIGKILL, 'crash')):
            try:
                figures[f'start.{name}.after_{after}_s'] = first_answer(rig, folder, how)
            except (Failed, OSError) as failure:
                print(f'    failed: {failure}', flush=True)
                figures[f'start.{name}.after_{after}_s'] = None
    print(f'    {figures}', flush=True)
    return figures


def first_answer(rig, folder, how):
    """Seconds to the first answer, where the server had ended in this way before."""
    for how_it_ends in (how, signal.SIGTERM):
        begin = time.monotonic()
        server = rig.start('dyad', folder)
        try:
            rig.wait_ready(server, pause=0.001)
            live_client.write_contexts(server.port, 'room-0', 1)
            seconds = time.monotonic() - begin
            if how_it_ends is how:  # something to recover, where it is to crash
                live_client.write_contexts(server.port, 'room-0', 100)
        finally:
            rig.stop(server, how_it_ends)
    os.sync()
    return seconds

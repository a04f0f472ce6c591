"""The reads whose cost the benchmark knows; and a client that asks for them as fast as it can.

    reading_client.py PORT USER KIND              until it is ended; then: how many answers it got
    reading_client.py PORT USER KIND,… SECONDS    each of them for a while, again and again; then:
                                                  how many events the server committed meanwhile
"""
import http.client
import itertools
import json
import os
import random
import re
import signal
import sys
import time

KEY = 'chat:17'
# kind -> (what it asks for, the path)
GETS = {
    'point': f'contexts/{KEY}',
    'history': f'contexts/{KEY}/history?limit=20',
    'version': f'contexts/{KEY}/history/3',
    'transitions': 'transitions?limit=20',
    'responses': 'responses?limit=20',
    'search': 'search?q=pad&limit=20',
}
WRITES = ('repeat', 'merge')  # an operation of long ago again; a merge with the base of long ago
KINDS = (*GETS, *WRITES)
MADE_BY = 'maker'             # the instance of bench/store_maker.cpp


class Reader:
    def __init__(self, port, user):
        self.http = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
        self.user = user
        self.run = os.urandom(6).hex()
        self.numbers = itertools.count()

    def ask(self, method, path, body=None, instance='bench-reader', operation=None):
        headers = {'Dyad-User': self.user, 'Dyad-Instance': instance}
        if body is not None:
            headers['Content-Type'] = 'application/json'
        if operation:
            headers['Idempotency-Key'] = operation
        path = path if path.startswith('/') else f'/api/v1/{path}'
        self.http.request(method, path, body and json.dumps(body), headers)
        answer = self.http.getresponse()
        return answer.status, answer.read()

    def read(self, kind):
        """Asks once. Raises where the answer is not the one that is to be measured."""
        if kind in GETS:
            status, body = self.ask('GET', GETS[kind])
            wanted = (200,)
        elif kind == 'repeat':  # the id is known for another write, or not any more
            status, body = self.ask('PUT', f'contexts/{KEY}', {'data': {}, 'force': True}, MADE_BY,
                                    'made-17')
            wanted = (409,)
        else:
            status, body = self.ask(
                'PUT', f'contexts/{KEY}', {'data': {'reader': next(self.numbers)},
                                           'mergeStrategy': 'merge', 'expectedVersion': 3},
                operation=f'{self.run}-{next(self.numbers)}')
            wanted = (200,)
        if status not in wanted:
            raise OSError(f'{kind}: {status} {body[:300]!r}')

    def committed(self):
        """The events that the server committed since its start."""
        _, body = self.ask('GET', '/metrics')
        return int(re.search(rb'^dyad_events_committed_total (\d+)', body, re.M)[1])


SLOT_S = 0.25


def in_turn(reader, kinds, seconds):
    """{kind: {'events': committed beside it, 'answers': that it got, 'seconds'}}. What disturbs the
    machine for longer than a slot disturbs all kinds alike."""
    found = {kind: dict(events=0, answers=0, seconds=0.0) for kind in kinds}
    first = reader.committed()
    while reader.committed() == first:  # whoever writes has not begun
        time.sleep(0.1)
    end, waiting = time.monotonic() + seconds, []
    while time.monotonic() < end:
        waiting = waiting or random.sample(kinds, len(kinds))
        kind = waiting.pop()
        reader.read(kind)
        before, begin, answers = reader.committed(), time.perf_counter(), 0
        while time.perf_counter() - begin < min(SLOT_S, seconds / len(kinds) / 2):
            reader.read(kind)
            answers += 1
        took = time.perf_counter() - begin
        for name, value in (('events', reader.committed() - before), ('answers', answers),
                            ('seconds', took)):
            found[kind][name] += value
    return found


def until_ended(reader, kind):
    answers = 0

    def end(*_):
        print(answers, flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        reader.read(kind)
        answers += 1


def main():
    if len(sys.argv) not in (4, 5) or not set(sys.argv[3].split(',')) <= set(KINDS):
        sys.exit(__doc__)
    reader, kinds = Reader(int(sys.argv[1]), sys.argv[2]), sys.argv[3].split(',')
    if len(sys.argv) == 4:
        until_ended(reader, kinds[0])
    print(json.dumps(in_turn(reader, kinds, float(sys.argv[4]))))


if __name__ == '__main__':
    main()

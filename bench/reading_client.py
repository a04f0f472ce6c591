"""The reads whose cost the benchmark knows; and a client that asks for one as fast as it can.

    reading_client.py PORT USER KIND      until it is ended; then: how many answers it got
"""
import http.client
import itertools
import json
import os
import signal
import sys

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
        self.http.request(method, f'/api/v1/{path}', body and json.dumps(body), headers)
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


def main():
    reader, kind, answers = Reader(int(sys.argv[1]), sys.argv[2]), sys.argv[3], 0

    def end(*_):
        print(answers, flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        reader.read(kind)
        answers += 1


if __name__ == '__main__':
    if len(sys.argv) != 4 or sys.argv[3] not in KINDS:
        sys.exit(__doc__)
    main()

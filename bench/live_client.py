"""A small client of the negotiated protocol for the benchmark: standard library only.

    live_client.py replay PORT USER EVENTS      resumes from the beginning, again and again
"""
import base64
import json
import os
import re
import socket
import struct
import sys
import time
import urllib.request

BEGINNING = '0000000000000000.0.0000000000000000'


class Socket:
    """A blocking WebSocket that reads and writes whole text messages."""

    def __init__(self, port, protocol='dyad.v2'):
        self.sock = socket.create_connection(('127.0.0.1', port), 30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(('GET /sync HTTP/1.1\r\n'
                           f'Host: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n'
                           f'Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n'
                           'Sec-WebSocket-Version: 13\r\n'
                           f'Sec-WebSocket-Protocol: {protocol}\r\n\r\n'
                           ).encode())
        self.buffer = bytearray()
        while b'\r\n\r\n' not in self.buffer:
            self.fill()
        head, _, rest = bytes(self.buffer).partition(b'\r\n\r\n')
        if b' 101 ' not in head:
            raise OSError(head.decode())
        self.buffer = bytearray(rest)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def fill(self):
        more = self.sock.recv(1 << 20)
        if not more:
            raise OSError('the server closed the connection')
        self.buffer += more

    @staticmethod
    def frame(message):
        data = json.dumps(message).encode()
        if len(data) < 126:
            head = struct.pack('!BB', 0x81, 0x80 | len(data))
        elif len(data) < 65536:
            head = struct.pack('!BBH', 0x81, 0x80 | 126, len(data))
        else:
            head = struct.pack('!BBQ', 0x81, 0x80 | 127, len(data))
        return head + b'\0\0\0\0' + data  # the mask of zeros leaves the bytes as they are

    def receive(self):
        """The next text message, as bytes; pings are passed over."""
        while True:
            self.need(2)
            opcode, length, at = self.buffer[0] & 15, self.buffer[1] & 127, 2
            if length == 126:
                self.need(4)
                length, at = struct.unpack_from('!H', self.buffer, 2)[0], 4
            elif length == 127:
                self.need(10)
                length, at = struct.unpack_from('!Q', self.buffer, 2)[0], 10
            self.need(at + length)
            payload = bytes(self.buffer[at:at + length])
            del self.buffer[:at + length]
            if opcode == 1:
                return payload

    def need(self, count):
        while len(self.buffer) < count:
            self.fill()


def hello(sock, user, instance, resume=None):
    payload = {'protocol': 2, 'userId': user, 'instanceId': instance}
    if resume:
        payload['resume'] = resume
    sock.sock.sendall(sock.frame({'type': 'hello', 'payload': payload}))
    while True:
        message = json.loads(sock.receive())
        if message['type'] == 'welcome':
            return message


def position(port, user):
    """The place of the user's log where it ends now."""
    with Socket(port) as sock:
        return hello(sock, user, 'bench-reader')['payload']['position']


def write_contexts(port, user, count, window=256):
    """Writes `count` events, acknowledged; `window` in flight."""
    with Socket(port) as sock:
        hello(sock, user, 'bench-writer')
        write_on(sock, count, window)


def write_on(sock, count, window=256):
    """The same on a connection that has said hello."""
    run = os.urandom(6).hex()
    sent = acknowledged = 0
    while acknowledged < count:
        frames = []
        while sent < count and sent - acknowledged < window:
            frames.append(sock.frame({'type': 'command', 'id': f'{run}-{sent}', 'payload': {
                'op': 'context.put', 'contextKey': f'chat:{sent % 100}', 'force': True,
                'data': {'n': sent, 'pad': 'abcdefghijklmnopqrstuvwxyzabcdef'}}}))
            sent += 1
        if frames:
            sock.sock.sendall(b''.join(frames))
        message = sock.receive()
        if b'"type":"ack"' in message[:64]:
            acknowledged += 1
        elif b'"type":"error"' in message[:64]:
            raise OSError(message.decode())


def resume_seconds(port, user, token, missed):
    """From `hello` until the client has what it missed and is live. The connection is open."""
    with Socket(port) as sock:
        begin = time.perf_counter()
        hello(sock, user, 'bench-reader', token)
        got = 0
        while True:
            message = sock.receive()
            if b'"type":"events"' in message[:32]:
                got += message.count(b'{"offset":')
            elif b'"type":"reset"' in message[:32]:
                raise OSError('the position was lost')
            elif b'"live":true' in message:
                seconds = time.perf_counter() - begin
                if got < missed:
                    raise OSError(f'live after {got} of {missed} events')
                return seconds


def replay(port, user, count):
    """Resumes from the beginning of the log and reads `count` events; how many came."""
    with Socket(port) as sock:
        hello(sock, user, 'bench-reader', BEGINNING)
        got = 0
        while got < count:
            message = sock.receive()
            if b'"type":"events"' in message[:32]:
                got += message.count(b'{"offset":')
    return min(got, count)


def cpu_seconds(pid):
    """CPU time of all threads, in seconds."""
    total = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/schedstat') as file:
            total += int(file.read().split()[0])
    return total / 1e9


def rss_mb(pid):
    with open(f'/proc/{pid}/status') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('VmRSS')) / 1024


def send_queues(port):
    """How many connections of the server have output that the other side does not take."""
    with open('/proc/net/tcp') as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(row[1].endswith(f':{port:04X}') and not row[4].startswith('00000000')
               for row in rows)


def metric(port, name):
    """A counter of the server's own."""
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=10) as answer:
        found = re.search(rf'^{name} (\d+)$', answer.read().decode(), re.MULTILINE)
    if not found:
        raise OSError(f'/metrics has no {name}')
    return int(found.group(1))


if __name__ == '__main__':
    if len(sys.argv) != 5 or sys.argv[1] != 'replay':
        sys.exit(__doc__)
    while True:
        replay(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))

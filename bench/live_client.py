"""A small client of the negotiated protocol for the benchmark: standard library only."""
import base64
import json
import os
import socket
import struct
import time


class Socket:
    """A blocking WebSocket that reads and writes whole text messages."""

    def __init__(self, port, protocol='dyad.v2'):
        self.sock = socket.create_connection(('127.0.0.1', port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(('GET /sync HTTP/1.1\r\n'
                           f'Host: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n'
                           f'Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n'
                           'Sec-WebSocket-Version: 13\r\n'
                           f'Sec-WebSocket-Protocol: {protocol}\r\n\r\n'
                           ).encode())
        self.buffer = b''
        while b'\r\n\r\n' not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b'\r\n\r\n', 1)
        if b' 101 ' not in head:
            raise OSError(head.decode())

    def fill(self):
        more = self.sock.recv(1 << 20)
        if not more:
            raise OSError('the server closed the connection')
        self.buffer += more

    def send(self, message):
        data = json.dumps(message).encode()
        head = b'\x81'
        if len(data) < 126:
            head += struct.pack('!B', 0x80 | len(data))
        elif len(data) < 65536:
            head += struct.pack('!BH', 0x80 | 126, len(data))
        else:
            head += struct.pack('!BQ', 0x80 | 127, len(data))
        return head + b'\0\0\0\0' + data  # the mask of zeros leaves the bytes as they are

    def receive(self):
        """The next text message, as bytes; pings are passed over."""
        while True:
            while len(self.buffer) < 2:
                self.fill()
            opcode, length, at = self.buffer[0] & 15, self.buffer[1] & 127, 2
            if length == 126:
                while len(self.buffer) < 4:
                    self.fill()
                length, at = struct.unpack_from('!H', self.buffer, 2)[0], 4
            elif length == 127:
                while len(self.buffer) < 10:
                    self.fill()
                length, at = struct.unpack_from('!Q', self.buffer, 2)[0], 10
            while len(self.buffer) < at + length:
                self.fill()
            payload, self.buffer = self.buffer[at:at + length], self.buffer[at + length:]
            if opcode == 1:
                return payload


def hello(sock, user, instance, resume=None):
    payload = {'protocol': 2, 'userId': user, 'instanceId': instance}
    if resume:
        payload['resume'] = resume
    sock.sock.sendall(sock.send({'type': 'hello', 'payload': payload}))
    while True:
        message = json.loads(sock.receive())
        if message['type'] == 'welcome':
            return message


def write_contexts(port, user, count, window=256):
    """Writes `count` events, acknowledged; `window` in flight."""
    sock = Socket(port)
    hello(sock, user, 'bench-writer')
    sent = acknowledged = 0
    run = os.urandom(6).hex()
    while acknowledged < count:
        frames = []
        while sent < count and sent - acknowledged < window:
            frames.append(sock.send({'type': 'command', 'id': f'{run}-{sent}', 'payload': {
                'op': 'context.put', 'contextKey': f'chat:{sent % 100}', 'force': True,
                'data': {'n': sent, 'pad': 'abcdefghijklmnopqrstuvwxyzabcdef'}}}))
            sent += 1
        sock.sock.sendall(b''.join(frames))
        message = sock.receive()
        if b'"type":"ack"' in message[:64]:
            acknowledged += 1
        elif b'"type":"error"' in message[:64]:
            raise OSError(message.decode())
    sock.sock.close()


def replay(port, user, count):
    """Resumes from the beginning of the log and reads `count` events; how many came."""
    sock = Socket(port)
    hello(sock, user, 'bench-reader', '0000000000000000.0.0000000000000000')
    got = 0
    while got < count:
        message = sock.receive()
        if b'"type":"events"' in message[:32]:
            got += message.count(b'{"offset":')
    sock.sock.close()
    return got


def wait_ready(port, pause=0.05):
    for _ in range(int(30 / pause)):
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        except OSError:
            time.sleep(pause)
    raise OSError('the server did not start')


def cpu_seconds(pid):
    """CPU time of all threads, in seconds."""
    total = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/schedstat') as file:
            total += int(file.read().split()[0])
    return total / 1e9


def rss_mb(pid):
    with open(f'/proc/{pid}/status') as file:
        for line in file:
            if line.startswith('VmRSS'):
                return int(line.split()[1]) / 1024
    return None

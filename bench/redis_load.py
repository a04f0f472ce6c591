"""Messages on Redis as nodes send them: heard once, and sent again at any rate."""
import os
import socket
import time

from rig import DRIVER_CPU


class Listener:
    """An existing instance, as far as nodes can tell: it listens to all their channels."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), 10)
        self.reader = self.socket.makefile('rb')
        self.logs, self.envelopes = [], []  # (channel, message)

    def __enter__(self):
        self.socket.sendall(b'*2\r\n$10\r\nPSUBSCRIBE\r\n$6\r\ndyad:*\r\n')
        self.read()
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.socket.close()

    def read(self):
        line = self.reader.readline()
        if line[:1] == b'*':
            return [self.read() for _ in range(int(line[1:]))]
        if line[:1] == b'$':
            return self.reader.read(int(line[1:]) + 2)[:-2]
        return line[1:-2]

    def take(self, wanted):
        """Reads until there are so many of both kinds, or nothing comes any more."""
        self.logs, self.envelopes = [], []
        self.socket.settimeout(3)
        while len(self.logs) < wanted or len(self.envelopes) < wanted:
            _, _, channel, message = self.read()
            if channel.startswith(b'dyad:log:'):
                self.logs.append((channel, message))
            elif channel.startswith(b'dyad:event:'):
                self.envelopes.append((channel, message))


def capture(rig, server, listener, users):
    """What a node says of users that write one event at a time; nobody follows them later."""
    listener.socket.settimeout(0.5)
    try:
        while True:
            listener.read()  # of before
    except TimeoutError:
        listener.reader.close()
        listener.reader = listener.socket.makefile('rb')
    rig.load(server, mode='acked', rooms=users, roombase=5000, window=users, count=users * 8,
             secs=60)
    listener.take(users * 4)


def publish(port, messages, per_s, seconds):
    """Publishes them in turn, from the CPU of the load; how many a second it was."""
    commands = [b'*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n' %
                (len(channel), channel, len(message), message) for channel, message in messages]
    step_s = 0.01
    each = round(per_s * step_s)
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(DRIVER_CPU)})
    try:
        with socket.create_connection(('127.0.0.1', port), 10) as redis:
            reader = redis.makefile('rb')
            begin, sent, at = time.monotonic(), 0, 0
            while time.monotonic() < begin + seconds:
                redis.sendall(b''.join(commands[(at + i) % len(commands)] for i in range(each)))
                at = (at + each) % len(commands)
                for _ in range(each):
                    if not reader.readline().startswith(b':'):
                        raise OSError('Redis does not publish')
                sent += each
                time.sleep(max(0, begin + sent / per_s - time.monotonic()))
            return sent / (time.monotonic() - begin)
    finally:
        os.sched_setaffinity(0, allowed)

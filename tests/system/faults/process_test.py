"""The process and its surroundings: drain, systemd, a busy port."""

import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from support import rest
from support.frames import CLOSE, TEXT, Raw
from support.plain import Closed, Plain
from support.server import PATIENCE
from support.v2 import V2, Refused


class Writer(threading.Thread):
    """Writes with 32 operations open until the server ends the connection."""

    def __init__(self, port, user):
        super().__init__(daemon=True)
        self.client = V2(port, user)
        self.user = user
        self.acknowledged = {}
        self.goaway = None
        self.close_code = "none yet"
        self.refused = 0

    def run(self):
        sent, number = {}, 0
        try:
            while True:
                while len(sent) < 32 and self.goaway is None:
                    operation = self.client.begin({
                        "op": "context.put", "contextKey": f"k{number % 5}",
                        "data": {"n": number}, "force": True})
                    sent[operation] = number
                    number += 1
                message = self.client.receive(("ack", "error", "goaway"))
                if message["type"] == "goaway":
                    self.goaway = message["payload"]
                elif message["type"] == "ack":
                    self.acknowledged[message["id"]] = sent.pop(message["id"])
                else:
                    sent.pop(message["id"], None)
                    self.refused += 1
        except Closed as closed:
            self.close_code = closed.code
        except (BrokenPipeError, ConnectionResetError, TimeoutError) as error:
            self.close_code = repr(error)


def test_sigterm_under_load_finishes_what_was_accepted(make_server):
    server = make_server().start()
    writers = [Writer(server.port, f"user-{n % 3}") for n in range(6)]
    for writer in writers:
        writer.start()
    time.sleep(1)
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_exit(15) == 0, server.log()
    assert time.monotonic() - started <= 10 * PATIENCE
    for writer in writers:
        writer.join(10)
        assert writer.goaway is not None, "nobody said that the server goes"
        assert writer.close_code == 1012, writer.close_code
        assert len(writer.acknowledged) > 10
    server.start()
    for user in {writer.user for writer in writers}:
        events = rest.read_log(server, user)
        operations = [(event["sourceInstanceId"], event["operationId"]) for event in events]
        assert len(set(operations)) == len(operations)
        for writer in writers:
            if writer.user == user:
                missing = {(writer.client.instance, operation)
                           for operation in writer.acknowledged} - set(operations)
                assert not missing, f"{len(missing)} acknowledged writes are lost"


def test_idle_server_ends_at_once(make_server):
    server = make_server().start()
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 2 * PATIENCE


def test_sigint_drains_too(make_server):
    server = make_server().start()
    server.process.send_signal(signal.SIGINT)
    assert server.wait_exit(10) == 0


def test_plain_client_is_closed_with_1012(make_server):
    server = make_server().start()
    client = Plain(server.port, "u")
    server.process.send_signal(signal.SIGTERM)
    with pytest.raises(Closed) as closed:
        while True:
            client.read(10)
    assert closed.value.code == 1012
    assert server.wait_exit(10) == 0


def test_not_ready_while_draining(make_server):
    server = make_server().start()
    with V2(server.port, "u") as client:
        client.put("k", {})
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10 * PATIENCE
        while server.process.poll() is None and time.monotonic() < deadline:
            try:
                assert server.get("/readyz", timeout=1)[0] in (200, 503)
            except OSError:
                pass  # it listens no more: as good
            time.sleep(0.01)
    assert server.wait_exit(10) == 0


def test_systemd_is_told_of_ready_and_stopping(make_server, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(10 * PATIENCE)
        server = make_server(env={"NOTIFY_SOCKET": str(path)}).spawn()
        assert "READY=1" in notify.recv(4096).decode().splitlines()
        assert server.get("/readyz")[0] == 200, "READY was said before it was true"
        server.process.send_signal(signal.SIGTERM)
        said = ""
        while "STOPPING=1" not in said:
            said = notify.recv(4096).decode()
        assert server.wait_exit(10) == 0


def test_systemd_abstract_socket(make_server):
    name = f"dyad-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind("\0" + name)
        notify.settimeout(10 * PATIENCE)
        server = make_server(env={"NOTIFY_SOCKET": "@" + name}).spawn()
        assert "READY=1" in notify.recv(4096).decode()
        server.wait_ready()


def test_busy_port_names_the_process_that_has_it(make_server):
    first = make_server().start()
    second = make_server(port=first.port)
    assert second.spawn().wait_exit(10) > 0
    log = second.log()
    assert str(first.port) in log and str(first.process.pid) in log, log
    assert pathlib.Path(first.command()[0]).name in log, log


def test_busy_port_held_by_another_program(make_server):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        server = make_server(port=holder.getsockname()[1]).spawn()
        assert server.wait_exit(10) > 0
        assert str(os.getpid()) in server.log(), server.log()


def test_unknown_command_and_flag_are_refused_with_a_hint(make_server):
    server = make_server()
    for arguments in (["nonsense"], ["serve", "--no-such-flag"], ["serve", "--port", "70000"],
                      ["serve", "--port", "x"]):
        done = server.cli(*arguments)
        assert done.returncode > 0 and done.stderr.strip(), arguments


def test_only_loopback_is_bound(make_server):
    server = make_server().start()
    wanted = f"{server.port:04X}"
    bound = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            address, port = line.split()[1].rsplit(":", 1)
            if port == wanted and line.split()[3] == "0A":
                bound.append(address)
    assert bound and set(bound) <= {"0100007F", "00000000000000000000000001000000"}, bound


def test_slow_client_does_not_disturb_the_others(server):
    """One client reads nothing; the others receive everything as if it were not there."""
    slow = Plain(server.port, "shared")
    slow.raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with V2(server.port, "shared") as writer, V2(server.port, "shared") as reader:
        before = server.memory_bytes()
        worst = 0.0
        for n in range(300):
            started = time.monotonic()
            writer.put("k", {"n": n, "pad": "x" * 50000})
            reader.events(1)
            worst = max(worst, time.monotonic() - started)
        assert worst < 1.0 * PATIENCE, f"an event took {worst:.2f} s"
        assert server.memory_bytes() - before < (64 << 20) * PATIENCE  # sanitizers keep more
    slow.close()


def test_client_that_dies_in_the_middle_of_everything(server):
    for cut in range(1, 60):
        with V2(server.port, "dying") as client:
            client.begin({"op": "context.put", "contextKey": "k", "data": {"n": cut},
                          "force": True})
            client.raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       b"\1\0\0\0\0\0\0\0")  # a reset instead of an end
    with V2(server.port, "dying") as client:
        client.put("k", {"alive": True})


def test_raw_answer_of_a_refused_operation_is_an_error_message_not_a_close(server):
    with V2(server.port, "u") as client:
        with pytest.raises(Refused) as refusal:
            client.do("context.put", data={"no": "key"})
        assert refusal.value.code == "missing_field", refusal.value.payload
        assert "contextKey" in refusal.value.payload["detail"]
        client.put("k", {"alive": True})


def test_frames_of_the_drain_are_well_formed(make_server):
    server = make_server().start()
    with Raw(server.port) as raw:
        from support.frames import upgrade_request
        raw.send(upgrade_request(server.port))
        assert raw.read_http().status == 101
        server.process.send_signal(signal.SIGTERM)
        while True:
            got = raw.read_frame(10)
            assert got.rsv == 0 and not got.masked and got.opcode in (TEXT, CLOSE, 9)
            if got.opcode == CLOSE:
                assert got.code == 1012
                break
        assert raw.ended()
    assert server.wait_exit(10) == 0

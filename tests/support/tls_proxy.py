"""A TLS server in front of ours, as nginx would be one: it takes only what stands below a prefix,
takes the prefix off, and passes everything on, WebSockets and endless answers included. Its
certificate comes from an authority that `openssl` makes here."""

import re
import socket
import ssl
import subprocess
import threading


def make_certificate(folder, names=("localhost",), addresses=("127.0.0.1",)):
    """(file of the authority, file of the server's certificate and key)."""
    def run(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    alternatives = ",".join([f"DNS:{name}" for name in names] + [f"IP:{one}" for one in addresses])
    (folder / "extensions").write_text(f"subjectAltName={alternatives}\n")
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        "ca.key", "-out", "ca.pem", "-subj", "/CN=A test's authority", "-days", "2")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        "server.key", "-out", "server.csr", "-subj", "/CN=server")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-out", "server.crt", "-days", "2", "-extfile", "extensions")
    both = folder / "server.pem"
    both.write_text((folder / "server.crt").read_text() + (folder / "server.key").read_text())
    return folder / "ca.pem", both


class Proxy:
    """Forwards connections to `target`; with `certificate` it speaks TLS, with `prefix` it wants
    it in front of every path, with `forward` it is a proxy of the environment: any target."""

    def __init__(self, target=None, certificate=None, prefix="", forward=False):
        self.target, self.prefix, self.forward = target, prefix, forward
        self.requests = []
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            with client:
                self._forward(client)
        except OSError:
            pass

    def _forward(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(65536)
            if not more:
                return
            head += more
        line = head.split(b"\r\n")[0].decode()
        self.requests.append(line)
        method, target, _ = line.split(" ")
        port = self.target
        if self.forward and method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            head, port = head.split(b"\r\n\r\n", 1)[1], int(target.split(":")[1])
        elif self.forward:
            found = re.match(r"http://[^/:]*(?::(\d+))?(.*)", target)
            head = head.replace(target.encode(), (found.group(2) or "/").encode(), 1)
            port = port or int(found.group(1) or 80)
        elif not target.startswith(self.prefix + "/"):
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        else:
            head = head.replace(target.encode(), target[len(self.prefix):].encode(), 1)
            head = re.sub(rb"\r\nHost: [^\r]*", b"\r\nHost: 127.0.0.1:%d" % port, head, count=1)
        with socket.create_connection(("127.0.0.1", port), 10) as server:
            server.settimeout(None)
            server.sendall(head)
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()

    @staticmethod
    def _pump(source, sink):
        try:
            while more := source.recv(65536):
                sink.sendall(more)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

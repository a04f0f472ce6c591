"""Sixty origins and whether a page of each may open a connection."""

# PORT is the server's own port. The last three are named in the server's settings.
ALLOWED = ["http://127.0.0.1:PORT", "http://localhost:PORT", "http://[::1]:PORT",
           "https://dyad.example", "http://app.example:3000", "https://dyad.example:8443"]
SETTING = "https://dyad.example,http://app.example:3000,https://dyad.example:8443"

FOREIGN = [
    "null", "http://evil.example", "https://evil.example", "http://evil.example:PORT",
    # like an allowed one, but longer, shorter or otherwise written
    "http://localhost", "http://127.0.0.1", "http://[::1]", "http://localhost:1",
    "http://localhost:PORT0", "http://localhost:0PORT", "http://localhost:", "http://localhost:80",
    "http://localhost:PORT.evil.example", "http://localhost.evil.example:PORT",
    "http://127.0.0.1.evil.example:PORT", "http://evil.example/localhost:PORT",
    "http://localhost:PORT@evil.example", "http://evil.example#localhost:PORT",
    "http://evil.example?http://localhost:PORT", "http://xlocalhost:PORT",
    "http://localhostx:PORT", "http://localhost.:PORT", "http://sub.localhost:PORT",
    "http://127.0.0.2:PORT", "http://127.1:PORT", "http://2130706433:PORT",
    "http://0x7f000001:PORT", "http://0177.0.0.1:PORT", "http://0.0.0.0:PORT", "http://[::]:PORT",
    "http://[::ffff:127.0.0.1]:PORT", "http://192.168.1.1:PORT", "http://10.0.0.1:PORT",
    "https://localhost:PORT", "ws://localhost:PORT", "wss://localhost:PORT", "ftp://localhost:PORT",
    "file://", "file:///tmp/page.html", "data:text/html,x", "about:blank",
    "chrome-extension://abcdefghijklmnop", "moz-extension://0-1-2-3", "vscode-webview://abc",
    "localhost:PORT", "//localhost:PORT", "http:localhost:PORT", "http:///localhost:PORT",
    "http://user@localhost:PORT", "http://localhost:PORT/", "http://localhost:PORT/x", "*",
    # like those of the settings
    "http://dyad.example", "https://dyad.example.evil.example", "https://evil-dyad.example",
    "https://sub.dyad.example", "https://dyad.example:443x", "http://app.example",
    "http://app.example:30000", "https://app.example:3000", "https://dyad.example:8444",
    "http://localhost:PORT http://evil.example", "http://evil.example, http://localhost:PORT",
    "http://localhost:PORT\t.evil.example",
]
assert len(ALLOWED) + len(FOREIGN) >= 60

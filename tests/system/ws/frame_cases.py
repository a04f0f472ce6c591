"""Framing: what a server must take, and what it must close with, by RFC 6455.

A case is (name, steps, outcome). Steps are bytes to send; an outcome is a function of the
connection. Echo is tested by the protocol's own ping: its pong repeats the payload.
"""

import json
import time
import uuid

from support import frames
from support.frames import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame)

CASES = []


def case(name, *steps, then):
    assert name not in {known[0] for known in CASES}, name
    CASES.append((name, steps, then))


# ---- outcomes -------------------------------------------------------------------------------

def read_data_frame(raw, opcode, timeout=None):
    """The next frame of this opcode; text frames of other kinds are passed over."""
    while True:
        got = raw.read_frame(timeout)
        assert got.rsv == 0 and not got.masked, f"a server frame must be plain: {got}"
        if got.opcode == opcode:
            return got
        assert got.opcode in (TEXT, PING), f"expected opcode {opcode}, got {got}"


def closes_with(code, also=()):
    """The server sends a close frame with this code and ends the connection."""
    def check(raw):
        got = read_data_frame(raw, CLOSE)
        assert got.fin and len(got.payload) <= 125
        assert got.code in (code, *also), f"closed with {got.code}, not {code}: {got.payload}"
        got.payload[2:].decode("utf-8")
        assert raw.ended(), "the server must end the TCP connection"
    return check


def pongs(*payloads):
    """Exactly these pongs, in this order, and the connection lives on."""
    def check(raw):
        for payload in payloads:
            assert read_data_frame(raw, PONG).payload == payload
        is_alive(raw)
    return check


def is_alive(raw):
    marker = uuid.uuid4().bytes
    raw.send(frame(PING, marker))
    assert read_data_frame(raw, PONG).payload == marker


def echoes(*message_ids, **payload_of):
    """JSON pongs with these ids come, in this order."""
    def check(raw):
        for wanted in message_ids:
            while True:
                message = json.loads(read_data_frame(raw, TEXT).payload)
                if message["type"] == "pong":
                    break
            assert message["id"] == wanted, f"{message['id']} instead of {wanted}"
            if wanted in payload_of:
                assert message["payload"] == payload_of[wanted]
        is_alive(raw)
    return check


def ping_text(message_id="m", **payload):
    return json.dumps({"id": message_id, "type": "ping", "userId": "conformance",
                       "instanceId": "raw", "timestamp": 1, "payload": payload},
                      ensure_ascii=False).encode()


def padded(size, message_id="m"):
    """A ping envelope of exactly `size` bytes."""
    bare = len(ping_text(message_id, pad=""))
    return ping_text(message_id, pad="x" * (size - bare))


# ---- messages and their lengths -------------------------------------------------------------

for size in (125, 126, 127, 128, 1000, 4095, 4096, 4097, 16384, 65535, 65536, 65537, 131072,
             262144, 524288, 1048575, 1048576):
    # The smallest envelope is longer than 125 bytes: white space is legal around JSON.
    text = padded(size) if size >= 140 else ping_text("m").ljust(size)
    if len(text) == size:
        case(f"text of {size} bytes is taken", frame(TEXT, text), then=echoes("m"))

case("message one byte over the limit", frame(TEXT, padded(1048577)), then=closes_with(1009))
case("length of 2^31 announced", frame(TEXT, b"", length=1 << 31, form=64), then=closes_with(1009))
case("length of 2^63-1 announced", frame(TEXT, b"", length=(1 << 63) - 1, form=64),
     then=closes_with(1009))
case("length with its highest bit set", frame(TEXT, b"", length=1 << 63, form=64),
     then=closes_with(1002, also=(1009,)))
case("fragments that together pass the limit", frame(TEXT, b'"' + b"x" * 700000, fin=False),
     frame(CONTINUATION, b"x" * 400000), then=closes_with(1009))
for size in (0, 1, 125):
    case(f"{size} bytes in the 16-bit length form", frame(PING, b"p" * size, form=16),
         then=closes_with(1002))
    case(f"{size} bytes in the 64-bit length form", frame(PING, b"p" * size, form=64),
         then=closes_with(1002))
case("126 bytes in the 64-bit length form", frame(TEXT, ping_text().ljust(126), form=64),
     then=closes_with(1002))
case("65535 bytes in the 64-bit length form", frame(TEXT, padded(65535), form=64),
     then=closes_with(1002))

# ---- masking --------------------------------------------------------------------------------

for opcode, what in ((TEXT, "text"), (BINARY, "binary"), (PING, "ping"), (PONG, "pong"),
                     (CLOSE, "close"), (CONTINUATION, "continuation")):
    payload = close_payload(1000) if opcode == CLOSE else b"{}"
    case(f"unmasked {what} frame", frame(opcode, payload, masked=False), then=closes_with(1002))
for key in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x80\0\0\0", b"\x12\x34\x56\x78"):
    case(f"mask {key.hex()}", frame(TEXT, ping_text(), key=key), then=echoes("m"))
for size in range(1, 18):
    case(f"masked ping of {size} bytes", frame(PING, bytes(range(size)), key=b"\x9a\x01\x7f\xe3"),
         then=pongs(bytes(range(size))))
case("another mask in each fragment", frame(TEXT, ping_text()[:9], fin=False, key=b"abcd"),
     frame(CONTINUATION, ping_text()[9:20], fin=False, key=b"\0\0\0\0"),
     frame(CONTINUATION, ping_text()[20:], key=b"\xff\x01\x02\x03"), then=echoes("m"))

# ---- reserved bits and opcodes --------------------------------------------------------------

for rsv in range(1, 8):
    case(f"reserved bits {rsv} in a text frame", frame(TEXT, ping_text(), rsv=rsv),
         then=closes_with(1002))
    case(f"reserved bits {rsv} in a ping", frame(PING, b"x", rsv=rsv), then=closes_with(1002))
case("reserved bits in a continuation", frame(TEXT, b"{", fin=False),
     frame(CONTINUATION, b"}", rsv=4), then=closes_with(1002))
case("reserved bits in a close", frame(CLOSE, close_payload(1000), rsv=4), then=closes_with(1002))
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    case(f"reserved opcode {opcode}", frame(opcode, b""), then=closes_with(1002))
    case(f"reserved opcode {opcode} with payload after a good message", frame(TEXT, ping_text()),
         frame(opcode, b"x"), then=closes_with(1002))
case("binary message", frame(BINARY, b"\0\1\2"), then=closes_with(1003))
case("empty binary message", frame(BINARY, b""), then=closes_with(1003))
case("binary message in fragments", frame(BINARY, b"\0", fin=False), frame(CONTINUATION, b"\1"),
     then=closes_with(1003))

# ---- ping and pong --------------------------------------------------------------------------

for size in (0, 1, 2, 7, 64, 124, 125):
    case(f"ping of {size} bytes comes back", frame(PING, b"\xa5" * size),
         then=pongs(b"\xa5" * size))
for size in (126, 127, 128, 65535, 65536):
    case(f"ping of {size} bytes", frame(PING, b"x" * size), then=closes_with(1002))
    case(f"pong of {size} bytes", frame(PONG, b"x" * size), then=closes_with(1002))
case("ping that is not UTF-8", frame(PING, b"\xff\xfe\0"), then=pongs(b"\xff\xfe\0"))
case("ping without FIN", frame(PING, b"x", fin=False), then=closes_with(1002))
case("pong without FIN", frame(PONG, b"x", fin=False), then=closes_with(1002))
case("close without FIN", frame(CLOSE, close_payload(1000), fin=False), then=closes_with(1002))
case("unasked pong is ignored", frame(PONG, b"nobody asked"), then=is_alive)
case("empty unasked pong is ignored", frame(PONG), then=is_alive)
case("unasked pong, then ping", frame(PONG, b"a"), frame(PING, b"b"), then=pongs(b"b"))
case("ten pings in one segment", b"".join(frame(PING, str(n)) for n in range(10)),
     then=pongs(*(str(n).encode() for n in range(10))))
case("ten pings in ten segments", *(frame(PING, str(n)) for n in range(10)),
     then=pongs(*(str(n).encode() for n in range(10))))
case("a hundred pings of 125 bytes", b"".join(frame(PING, b"%03d" % n + b"x" * 122)
                                              for n in range(100)),
     then=pongs(*(b"%03d" % n + b"x" * 122 for n in range(100))))

# ---- fragmentation --------------------------------------------------------------------------

WHOLE = ping_text("m", text="grün 𝄞 日本")
for parts in (2, 3, 5, 8, 16, 64, 127, 128):
    cuts = [len(WHOLE) * n // parts for n in range(parts + 1)]
    pieces = [WHOLE[a:b] for a, b in zip(cuts, cuts[1:])]
    case(f"message in {parts} fragments",
         b"".join(frame(CONTINUATION if n else TEXT, piece, fin=n == parts - 1)
                  for n, piece in enumerate(pieces)), then=echoes("m"))
case("message in 129 fragments",
     b"".join(frame(CONTINUATION if n else TEXT, b" ", fin=n == 128) for n in range(129)),
     then=closes_with(1009, also=(1008,)))
case("ten thousand one-byte fragments",
     b"".join(frame(CONTINUATION if n else TEXT, b" ", fin=False) for n in range(10000)),
     then=closes_with(1009, also=(1008,)))
case("empty first fragment", frame(TEXT, b"", fin=False), frame(CONTINUATION, WHOLE),
     then=echoes("m"))
case("empty last fragment", frame(TEXT, WHOLE, fin=False), frame(CONTINUATION, b""),
     then=echoes("m"))
case("empty fragments in between", frame(TEXT, WHOLE[:5], fin=False),
     frame(CONTINUATION, b"", fin=False), frame(CONTINUATION, b"", fin=False),
     frame(CONTINUATION, WHOLE[5:]), then=echoes("m"))
case("continuation of nothing", frame(CONTINUATION, b"x"), then=closes_with(1002))
case("continuation of nothing, without FIN", frame(CONTINUATION, b"x", fin=False),
     then=closes_with(1002))
case("continuation after a whole message", frame(TEXT, ping_text()), frame(CONTINUATION, b"x"),
     then=closes_with(1002))
case("text inside a fragmented message", frame(TEXT, b"{", fin=False), frame(TEXT, b"}"),
     then=closes_with(1002))
case("binary inside a fragmented message", frame(TEXT, b"{", fin=False), frame(BINARY, b"}"),
     then=closes_with(1002))
case("ping between two fragments", frame(TEXT, WHOLE[:7], fin=False), frame(PING, b"between"),
     frame(CONTINUATION, WHOLE[7:]),
     then=lambda raw: (pongs_only(raw, b"between"), echoes("m")(raw)))
case("two pings and a pong between fragments", frame(TEXT, WHOLE[:7], fin=False),
     frame(PING, b"1"), frame(CONTINUATION, WHOLE[7:9], fin=False), frame(PONG, b"no"),
     frame(PING, b"2"), frame(CONTINUATION, WHOLE[9:]),
     then=lambda raw: (pongs_only(raw, b"1", b"2"), echoes("m")(raw)))
case("close between two fragments", frame(TEXT, b"{", fin=False), frame(CLOSE, close_payload(1000)),
     then=closes_with(1000))
case("fragmented message, then a whole one", frame(TEXT, ping_text("a")[:4], fin=False),
     frame(CONTINUATION, ping_text("a")[4:]), frame(TEXT, ping_text("b")), then=echoes("a", "b"))


def pongs_only(raw, *payloads):
    for payload in payloads:
        assert read_data_frame(raw, PONG).payload == payload


# ---- segments of TCP ------------------------------------------------------------------------

case("frame in single bytes", *(bytes([byte]) for byte in frame(TEXT, ping_text())),
     then=echoes("m"))
case("header of a 16-bit length in single bytes",
     *(bytes([byte]) for byte in frame(TEXT, padded(300))[:10]), frame(TEXT, padded(300))[10:],
     then=echoes("m"))
case("header of a 64-bit length in single bytes",
     *(bytes([byte]) for byte in frame(TEXT, padded(70000))[:16]), frame(TEXT, padded(70000))[16:],
     then=echoes("m"))
case("fifty messages in one segment", b"".join(frame(TEXT, ping_text(f"m{n}")) for n in range(50)),
     then=echoes(*(f"m{n}" for n in range(50))))
case("message and a half, then the rest",
     frame(TEXT, ping_text("a")) + frame(TEXT, ping_text("b"))[:9],
     frame(TEXT, ping_text("b"))[9:], then=echoes("a", "b"))
case("message, ping and close in one segment",
     frame(TEXT, ping_text("a")) + frame(PING, b"p") + frame(CLOSE, close_payload(1000)),
     then=lambda raw: close_after_answers(raw))


def close_after_answers(raw):
    kinds = []
    while True:
        got = raw.read_frame()
        kinds.append(got.opcode)
        if got.opcode == CLOSE:
            break
    assert PONG in kinds and got.code == 1000 and raw.ended()


# ---- closing --------------------------------------------------------------------------------

for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
             4000, 4400, 4999):
    case(f"close with {code} is repeated", frame(CLOSE, close_payload(code)),
         then=closes_with(code))
for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
    case(f"close with {code}, which must not be sent", frame(CLOSE, close_payload(code)),
         then=closes_with(1002))
case("close of one byte", frame(CLOSE, b"\x03"), then=closes_with(1002))
case("close with a reason", frame(CLOSE, close_payload(1000, "good bye")), then=closes_with(1000))
case("close with a reason of 123 bytes", frame(CLOSE, close_payload(1000, "r" * 123)),
     then=closes_with(1000))
case("close with a reason of 124 bytes", frame(CLOSE, close_payload(1000, "r" * 124)),
     then=closes_with(1002))
case("close with a reason that is not UTF-8", frame(CLOSE, close_payload(1000, b"\xc3\x28")),
     then=closes_with(1007, also=(1002,)))
case("close with a reason cut inside a character", frame(CLOSE, close_payload(1000, b"\xe2\x82")),
     then=closes_with(1007, also=(1002,)))


def closes_empty(raw):
    got = read_data_frame(raw, CLOSE)
    assert got.code in (None, 1000) and raw.ended()


def only_one_close(raw):
    closes_with(1000)(raw)


case("close without a payload", frame(CLOSE), then=closes_empty)
case("data after close is ignored", frame(CLOSE, close_payload(1000)) + frame(TEXT, ping_text()),
     then=only_one_close)
case("ping after close is ignored", frame(CLOSE, close_payload(1000)) + frame(PING, b"x"),
     then=only_one_close)
case("second close is ignored",
     frame(CLOSE, close_payload(1000)) + frame(CLOSE, close_payload(1001)), then=only_one_close)
case("broken frame after close is ignored", frame(CLOSE, close_payload(1000)) + b"\xff\xff\xff",
     then=only_one_close)

# ---- UTF-8 ----------------------------------------------------------------------------------

VALID = {
    "two bytes": "ä", "three bytes": "€", "four bytes": "𝄞", "first of two": "\u0080",
    "last of two": "\u07ff", "first of three": "\u0800", "before the surrogates": "\ud7ff",
    "after the surrogates": "\ue000", "noncharacter FFFE": "\ufffe", "noncharacter FFFF": "\uffff",
    "replacement character": "\ufffd", "first of four": "\U00010000", "last of all": "\U0010ffff",
    "byte order mark": "\ufeff", "greek": "κόσμε", "combining": "e\u0301", "right to left": "שלום",
}
for what, text in VALID.items():
    case(f"UTF-8 {what}", frame(TEXT, ping_text("m", text=text)),
         then=echoes("m", m={"text": text}))
for cut in range(1, 10):
    text = ping_text("m", text="ä€𝄞")
    at = text.index("ä".encode()) + cut
    case(f"UTF-8 split after byte {cut} of three characters", frame(TEXT, text[:at], fin=False),
         frame(CONTINUATION, text[at:]), then=echoes("m", m={"text": "ä€𝄞"}))

INVALID = {
    "lone continuation byte": b"\x80", "lone last continuation byte": b"\xbf",
    "two continuation bytes": b"\x80\xbf", "lead of two alone": b"\xc3",
    "lead of three alone": b"\xe2", "lead of four alone": b"\xf0", "three bytes cut": b"\xe2\x82",
    "four bytes cut": b"\xf0\x9d\x84", "overlong slash C0": b"\xc0\xaf",
    "overlong slash E0": b"\xe0\x80\xaf", "overlong slash F0": b"\xf0\x80\x80\xaf",
    "overlong NUL": b"\xc0\x80", "C1": b"\xc1\xbf", "largest overlong of three": b"\xe0\x9f\xbf",
    "largest overlong of four": b"\xf0\x8f\xbf\xbf", "surrogate D800": b"\xed\xa0\x80",
    "surrogate DFFF": b"\xed\xbf\xbf", "surrogate pair": b"\xed\xa0\x80\xed\xb0\x80",
    "above 10FFFF": b"\xf4\x90\x80\x80", "lead F5": b"\xf5\x80\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80", "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "FE": b"\xfe", "FF": b"\xff", "bad second byte": b"\xe2\x28\xa1",
    "bad third byte": b"\xe2\x82\x28", "bad fourth byte": b"\xf0\x9d\x84\x28",
}
for what, bad in INVALID.items():
    text = ping_text("m", text="@").replace(b"@", bad)
    case(f"not UTF-8: {what}", frame(TEXT, text), then=closes_with(1007))
for cut in range(1, 4):
    text = ping_text("m", text="@").replace(b"@", b"\xf4\x90\x80\x80")
    at = text.index(b"\xf4") + cut
    case(f"not UTF-8, split after byte {cut}", frame(TEXT, text[:at], fin=False),
         frame(CONTINUATION, text[at:]), then=closes_with(1007))
case("not UTF-8: message ends inside a character", frame(TEXT, b"\xf0\x9d", fin=False),
     frame(CONTINUATION, b""), then=closes_with(1007))


def run(case_steps, raw):
    """Sends the steps as separate segments where there are few of them."""
    for step in case_steps:
        try:
            raw.send(step)
        except (BrokenPipeError, ConnectionResetError):
            break  # the server has closed already; what it said is read by the outcome
        if len(case_steps) > 1:
            time.sleep(0.001)

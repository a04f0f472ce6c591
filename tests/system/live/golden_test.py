"""The golden messages of protocol/frames against the running server."""

import json

import pytest

from support import frames
from support.frames import frame, open_websocket
from support.server import ROOT


def cases(name):
    return [pytest.param(case, id=case["name"]) for case in
            json.loads((ROOT / f"protocol/frames/{name}.json").read_text())["cases"]]


def read_until(raw, wanted):
    """The first text message of these types, or the close code."""
    while True:
        got = raw.read_frame()
        if got.opcode == frames.CLOSE:
            return got.code
        if got.opcode == frames.TEXT:
            message = json.loads(got.payload)
            if message["type"] in wanted:
                return message


def bytes_of(case):
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    return case["frame"].encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("case", cases("client-bad"))
def test_bad_message_is_answered_with_its_error(server, case):
    with open_websocket(server.port) as raw:
        raw.send(frame(frames.TEXT, bytes_of(case)))
        answer = read_until(raw, ("error",))
        if isinstance(answer, int):
            assert answer in (1007, 1009, 4400), answer
        else:
            assert answer["payload"]["code"] == case["error"], answer
            assert answer["payload"]["message"] and "retry" in answer["payload"]


@pytest.mark.parametrize("case", cases("client-good"))
def test_good_message_is_taken(server, case):
    """Taken: no complaint about its form. What the heart says of it is another test."""
    with open_websocket(server.port) as raw:
        raw.send(frame(frames.TEXT, bytes_of(case)))
        raw.send(frame(frames.TEXT, json.dumps({"id": "last", "type": "ping", "payload": {}})))
        answer = read_until(raw, ("error", "pong", "welcome"))
        if case["type"] == "disconnect":
            assert answer == 1000
        elif not isinstance(answer, int) and answer["type"] == "error":
            assert answer["payload"]["code"] not in ("invalid_json", "invalid_utf8",
                                                     "unknown_type"), answer
        else:
            assert not isinstance(answer, int), f"closed with {answer}"

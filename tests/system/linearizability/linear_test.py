"""Histories of three nodes under kills are linearizable, and histories that are not are refused.
Full size: tests/system/linearizability/linear.py --histories 200.
"""

import copy
import pathlib
import re
import subprocess
import sys

import pytest

from support.server import PATIENCE

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import linear  # noqa: E402

HISTORIES = 5


def line(client, op, call, end, **more):
    return {"client": client, "op": op, "key": "a", "call": call, "return": end, **more}


GOOD = [line(0, "get", 0, 1, version=0),
        line(0, "put", 2, 9, value=1, version=1),
        line(1, "get", 3, 4, value=1, version=1),  # it had taken effect when it was read
        line(2, "cas", 5, 12, value=2, expected=1, ok=True, version=2),
        line(1, "cas", 13, 14, value=3, expected=1, ok=False),
        line(1, "put", 15, None, value=4),  # no answer: it may have taken effect, or not
        line(0, "get", 16, 17, value=2, version=2),
        line(2, "get", 18, 19, value=4, version=3)]


def verdict(tmp_path, lines):
    path = tmp_path / "history.jsonl"
    linear.write(path, lines)
    return linear.judge(path)


def changed(at, **fields):
    lines = copy.deepcopy(GOOD)
    lines[at].update(fields)
    return lines


def test_a_history_that_is_right_is_accepted(tmp_path):
    assert verdict(tmp_path, GOOD) == ["ok"]
    never = [one for one in GOOD[:-1]]  # what had no answer never took effect
    assert verdict(tmp_path, never) == ["ok"]


@pytest.mark.parametrize("lines", [
    changed(2, call=10, **{"return": 11}, version=0),  # read after the answer, and not seen
    changed(7, value=2, version=4),                # a version that nothing wrote
    changed(6, value=1, version=1),                # the old value, after a newer one was written
    changed(4, ok=True, version=3),                # a second one of the same base was accepted
    changed(3, ok=False),                          # refused, though its base was the stored one
    changed(5, call=20),                           # read before it was written
    GOOD + [line(0, "get", 20, 21, value=2, version=2)],  # and back again
])
def test_a_history_that_is_wrong_is_refused(tmp_path, lines):
    assert verdict(tmp_path, lines) == ["illegal"]


def test_a_history_that_is_none_is_no_proof(tmp_path):
    assert verdict(tmp_path, []) == ["unreadable"]
    assert verdict(tmp_path, changed(0, op="swap")) == ["unreadable"]


def test_three_nodes_are_linearizable():
    done = subprocess.run(
        [sys.executable, str(pathlib.Path(linear.__file__)), "--histories", str(HISTORIES)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"linearizability: {HISTORIES} passed, 0 failed" in done.stdout
    operations, silent = map(int, re.search(r"(\d+) operations, (\d+) without",
                                            done.stdout).groups())
    assert operations > 100 * HISTORIES and silent < operations / 10, done.stdout

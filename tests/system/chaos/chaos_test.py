"""Chaos at smoke size. Full size: ./x chaos --schedules 100; ./x chaos --rolling 50."""

import pathlib
import re
import subprocess
import sys

from support.server import PATIENCE

PROGRAM = pathlib.Path(__file__).with_name("chaos.py")
SEEN = re.compile(r"(\d+) events, (\d+) acknowledged, (\d+) deliveries, (\d+) connections, "
                  r"(\d+) reads")


def run(*args):
    done = subprocess.run([sys.executable, str(PROGRAM), *args], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=400 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [[int(number) for number in match] for match in SEEN.findall(done.stdout)]
    assert found, done.stdout
    return done.stdout, found


def test_three_schedules_of_faults_break_nothing():
    text, found = run("--schedules", "3", "--seconds", "15", "--clients", "90", "--show")
    assert "chaos: 3 passed, 0 failed" in text
    for _, acknowledged, deliveries, connections, reads in found:
        # Something has to have gone on, for the checker to say anything.
        assert acknowledged > 50 and deliveries > 100 and connections > 90 and reads > 5, text


def test_nobody_notices_a_rolling_restart():
    text, _ = run("--rolling", "2", "--clients", "90")
    assert "rolling: 2 passed, 0 failed" in text

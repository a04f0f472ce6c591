"""kill -9 at smoke size, and the negative control of its checker. Full size: ./x kill."""

import pathlib
import re
import subprocess
import sys

from support.server import PATIENCE

PROGRAM = pathlib.Path(__file__).with_name("kill9.py")
VERDICT = re.compile(r"kill: (\d+) kills, (\d+) acknowledged, (\d+) lost, (\d+) doubled, "
                     r"(\d+) out of order")


def run(*args):
    done = subprocess.run([sys.executable, str(PROGRAM), *args], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300 * PATIENCE)
    found = VERDICT.search(done.stdout)
    assert found, done.stdout + done.stderr
    return done, [int(number) for number in found.groups()]


def test_no_acknowledged_write_is_lost_doubled_or_out_of_order():
    done, (kills, acknowledged, lost, doubled, disordered) = run("--count", "25",
                                                                 "--writes", "10000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert kills == 25 and acknowledged >= 10000
    assert (lost, doubled, disordered) == (0, 0, 0)


def test_the_checker_sees_writes_that_were_taken_back():
    done, (_, _, lost, _, _) = run("--count", "4", "--writes", "2000", "--tamper")
    assert done.returncode == 1, done.stdout
    assert lost > 0, done.stdout


def test_nothing_is_lost_where_the_server_and_its_mongodb_are_killed():
    done, (kills, acknowledged, lost, doubled, disordered) = run(
        "--store", "mongodb", "--count", "10", "--kill-database", "5", "--writes", "1500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kills of the database" in done.stdout, done.stdout
    assert kills == 10 and acknowledged >= 1500
    assert (lost, doubled, disordered) == (0, 0, 0)


def test_the_checker_sees_writes_that_mongodb_lost():
    done, (_, _, lost, _, _) = run("--store", "mongodb", "--count", "2", "--kill-database", "0",
                                   "--writes", "1500", "--tamper")
    assert done.returncode == 1, done.stdout
    assert lost > 0, done.stdout

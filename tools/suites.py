#!/usr/bin/env python3
"""Runs the test suites one after the other and adds up what they count.

The last line is `N passed, N failed, N skipped` over all of them; before it stands what failed,
each with the end of what it said. The exit status is not 0 where anything failed, a suite ran
nothing, or a test was skipped that tests/allowed_skips.txt does not list. Logs and reports:
build/test-logs.
"""

import argparse
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOGS = ROOT / "build/test-logs"
CLOSING = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")
# The simulator counts worlds: what it found are failures.
CUTS = re.compile(r"powercut: (\d+) cuts, (\d+) lost, (\d+) doubled, (\d+) out of order, "
                  r"(\d+) corrupt")
WORLDS = re.compile(r"sim: (\d+) (?:seeds|variants), (\d+) (?:violations|escaped)")
COMPLAINT_MAX = 1000  # characters of each
# Test programs that wait for a server of one thread most of the time: how many of each at once.
SHARDS = {"conformance_store_mongo": 2}


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: list = field(default_factory=list)  # names of the tests
    complaints: list = field(default_factory=list)  # of what failed: its name and the end of it


def from_junit(report):
    """The count of a JUnit report, as pytest and GoogleTest write it."""
    count = Count()
    for test in xml.parse(report).getroot().iter("testcase"):
        problems = [one for kind in ("failure", "error") for one in test.findall(kind)]
        if problems:
            count.failed += 1
            text = problems[0].get("message") or problems[0].text or ""
            count.complaints.append(f"{test.get('classname')}.{test.get('name')}: "
                                    f"{text.strip()[-COMPLAINT_MAX:]}")
        elif test.find("skipped") is not None or test.get("status") == "notrun":
            count.skipped.append(f"{test.get('classname')}.{test.get('name')}")
        else:
            count.passed += 1
    return count


def from_closing_line(log):
    """The count of a program that ends with `N passed, N failed[, N skipped]`."""
    text = log.read_text("utf-8", "replace")
    if cuts := CUTS.findall(text):
        every, *bad = map(int, cuts[-1])
        return Count(max(0, every - sum(bad)), sum(bad))
    if worlds := WORLDS.findall(text):
        every, bad = map(int, worlds[-1])
        return Count(max(0, every - bad), bad)
    found = CLOSING.findall(text)
    if not found:
        return None
    passed, failed, skipped = found[-1]
    return Count(int(passed), int(failed), ["without a name"] * int(skipped or 0))


class Runner:
    def __init__(self, preset):
        self.preset = preset
        self.build = ROOT / "build" / preset
        self.env = dict(os.environ, CI="true",
                        DYAD_MEMORY=str(self.build / "dyad-memory"),
                        DYAD_TEST_PATIENCE="1" if preset == "release" else "8")
        self.rows = []
        self.complaints = []
        self.allowed = [line.split("#")[0].strip() for line in
                        (ROOT / "tests/allowed_skips.txt").read_text().splitlines()]

    def run(self, name, command, report=None, cwd=ROOT, seconds_max=1800, by_status=False,
            env=None):
        """Runs one suite; its output goes to the log, the end of it to the screen on failure."""
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{name}.log"
        if report:
            report.unlink(missing_ok=True)
        print(f"== {name}\n", end="", flush=True)  # in one piece: two may run at once
        started = time.monotonic()
        with open(log, "wb") as out:
            try:
                status = subprocess.run(command, cwd=cwd, env={**self.env, **(env or {})},
                                        stdin=subprocess.DEVNULL, stdout=out,
                                        stderr=subprocess.STDOUT, timeout=seconds_max).returncode
            except (subprocess.TimeoutExpired, OSError) as error:
                out.write(f"\n{error}\n".encode())
                status = -1
        self.finish(name, self.count(status, log, report, by_status), log,
                    time.monotonic() - started)
        return status == 0

    @staticmethod
    def count(status, log, report, by_status):
        if by_status:
            return Count(int(status == 0), int(status != 0))
        count = None
        if report and report.exists():
            count = from_junit(report)
        elif not report:
            count = from_closing_line(log)
        if count is None:
            return Count(failed=1)  # it did not get as far as counting
        if status != 0 and not count.failed:
            count.failed += 1  # it ended badly after its last test
        if not count.passed and not count.failed and not count.skipped:
            count.failed += 1  # a suite that runs nothing proves nothing
        return count

    def finish(self, name, count, log, seconds):
        for skipped in count.skipped:
            if not any(fnmatch.fnmatchcase(f"{name} {skipped}", pattern)
                       for pattern in self.allowed if pattern):
                count.complaints.append(f"{skipped}: skipped without leave")
                print(f"   skipped without leave: {name} {skipped}")
                count.failed += 1
        if count.failed and not count.complaints:
            count.complaints.append(log.read_text("utf-8", "replace").strip()[-COMPLAINT_MAX:])
        self.complaints += [f"{name} {text}" for text in count.complaints]
        if count.failed:
            lines = log.read_text("utf-8", "replace").splitlines()
            print("\n".join("   " + line for line in lines[-60:]))
        print(f"   {name}: {count.passed} passed, {count.failed} failed, "
              f"{len(count.skipped)} skipped ({seconds:.0f} s)", flush=True)
        self.rows.append(count)

    def total(self):
        passed = sum(count.passed for count in self.rows)
        failed = sum(count.failed for count in self.rows)
        skipped = sum(len(count.skipped) for count in self.rows)
        for complaint in self.complaints:
            print("FAILED " + complaint.replace("\n", "\n   "))
        print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
        return 1 if failed or not passed else 0

    # ---- the suites ---------------------------------------------------------------------------

    def build_suite(self):
        command = [str(ROOT / "x"), "build", self.preset]
        return self.run("build", command, by_status=True, seconds_max=2400)

    def tidy(self):
        self.run("tidy", [sys.executable, str(ROOT / "tools/tidy.py")])

    def fmt(self):
        self.run("fmt", [str(ROOT / "x"), "fmt", "--check"], by_status=True)

    def unit(self):
        tests = self.build / "tests"
        programs = sorted(path for pattern in ("unit_*", "conformance/*/conformance_*")
                          for path in tests.glob(pattern)
                          if path.is_file() and os.access(path, os.X_OK))
        if not programs:
            self.rows.append(Count(failed=1))
            print("== unit\n   no unit tests were built")
        for program in programs:
            shards = SHARDS.get(program.name, 1)
            with ThreadPoolExecutor(shards) as pool:
                list(pool.map(lambda shard, of=program, count=shards:
                              self.shard(of, shard, count), range(shards)))

    def shard(self, program, number, count):
        name = program.name if count == 1 else f"{program.name}_{number + 1}"
        report = LOGS / f"{name}.xml"
        command = [str(program), "--gtest_brief=1", f"--gtest_output=xml:{report}"]
        self.run(name, command, report, env={"GTEST_TOTAL_SHARDS": str(count),
                                             "GTEST_SHARD_INDEX": str(number)})

    def pytest(self, name, *arguments):
        report = LOGS / f"{name}.xml"
        self.run(name, [str(ROOT / ".venv/bin/python"), "-m", "pytest", f"--junitxml={report}",
                        *arguments], report, cwd=ROOT / "tests")

    def tools(self):
        self.pytest("tools", "tools")

    def sim(self):
        program = self.build / "tests/sim/dyad_sim"
        seeds = "300" if self.preset == "release" else "40"
        self.run("sim", [str(program), "--seeds", seeds, "--regressions",
                         str(ROOT / "tests/sim/regressions.txt")])

    def sim_mutations(self):
        """The simulator must catch every deliberately broken variant of the heart."""
        program = self.build / "tests/sim/dyad_sim"
        self.run("sim_mutations", [str(program), "--mutation", "all", "--seeds", "1000"])

    def powercut(self):
        program = self.build / "tests/powercut/powercut"
        self.run("powercut", [str(program), "--cuts", "3000"])
        # The test of the test: a store that syncs less must be found out.
        self.run("powercut_normal", [str(program), "--cuts", "100000", "--synchronous", "NORMAL",
                                     "--expect-loss"], by_status=True)

    def fuzz(self):
        self.run("fuzz", [str(ROOT / "x"), "fuzz", "--seconds", "5"])

    def bench(self):
        """Every measurement at a small size: it runs, and each gives a figure."""
        python = str(ROOT / ".venv/bin/python")
        self.run("bench", [python, str(ROOT / "bench/run.py"), "--smoke"], seconds_max=420)

    def system(self):
        for folder in sorted((ROOT / "tests/system").iterdir()):
            if list(folder.glob("*_test.py")):
                self.pytest(folder.name, f"system/{folder.name}")


RELEASE = ["fmt", "tidy", "tools", "unit", "sim", "sim_mutations", "powercut", "fuzz",
           "bench", "system"]
SANITIZER = ["unit", "sim", "ws", "live", "rest", "faults", "limits", "guide", "cli", "bridge",
             "clients", "nodes", "hooks", "imports"]
NAMES = {*RELEASE}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", help="names; all without")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    every = RELEASE if options.preset == "release" else SANITIZER
    if options.list:
        folders = [path.parent.name for path in (ROOT / "tests/system").glob("*/*_test.py")]
        print("\n".join(dict.fromkeys(every + sorted(folders))))
        return 0
    runner = Runner(options.preset)
    if runner.build_suite():
        for name in options.suites or every:
            if name in NAMES:
                getattr(runner, name)()
            elif (ROOT / "tests/system" / name).is_dir():
                runner.pytest(name, f"system/{name}")
            else:
                sys.exit(f"there is no suite '{name}': ./x test --list")
    return runner.total()


if __name__ == "__main__":
    sys.exit(main())

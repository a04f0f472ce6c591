"""Counting: what failed, was skipped without leave or never ran must not look green."""

import importlib.util
import pathlib
import sys

import pytest

PATH = pathlib.Path(__file__).resolve().parents[2] / "tools/suites.py"
SPEC = importlib.util.spec_from_file_location("suites", PATH)
suites = importlib.util.module_from_spec(SPEC)
sys.modules["suites"] = suites
SPEC.loader.exec_module(suites)

REPORT = """<testsuites><testsuite>
<testcase classname="A" name="good"/>{more}
</testsuite></testsuites>"""


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "LOGS", tmp_path)
    made = suites.Runner("release")
    made.allowed = ["s *may_skip*"]
    return made


def run(runner, tmp_path, more="", status=0, report=True):
    path = tmp_path / "report.xml"
    text = REPORT.format(more=more) if report else ""
    command = ["sh", "-c", f"printf '%s' '{text}' > {path}; exit {status}"] if report else \
        ["sh", "-c", f"exit {status}"]
    runner.run("s", command, path)
    return runner.rows[-1]


def test_good_run(runner, tmp_path):
    count = run(runner, tmp_path)
    assert (count.passed, count.failed, count.skipped) == (1, 0, [])
    assert runner.total() == 0


@pytest.mark.parametrize("more", ['<testcase name="b"><failure/></testcase>',
                                  '<testcase name="b"><error/></testcase>'])
def test_failure_counts(runner, tmp_path, more):
    assert run(runner, tmp_path, more, 1).failed == 1
    assert runner.total() == 1


def test_bad_end_after_good_tests_counts(runner, tmp_path):
    assert run(runner, tmp_path, status=3).failed == 1


def test_crash_before_the_report_counts(runner, tmp_path):
    assert run(runner, tmp_path, status=139, report=False).failed == 1


def test_no_report_at_all_counts(runner, tmp_path):
    assert run(runner, tmp_path, status=0, report=False).failed == 1


def test_skip_without_leave_counts_as_failure(runner, tmp_path):
    count = run(runner, tmp_path, '<testcase name="other"><skipped/></testcase>')
    assert count.failed == 1 and runner.total() == 1


def test_allowed_skip_does_not(runner, tmp_path):
    count = run(runner, tmp_path, '<testcase name="this_may_skip"><skipped/></testcase>')
    assert count.failed == 0 and len(count.skipped) == 1 and runner.total() == 0


def test_nothing_run_counts_as_failure(runner, tmp_path):
    (tmp_path / "empty.xml").write_text("<testsuites/>")
    assert runner.count(0, tmp_path / "s.log", tmp_path / "empty.xml", False).failed == 1


@pytest.mark.parametrize("text,passed,failed,skipped", [
    ("noise\n7 passed, 0 failed\n", 7, 0, 0), ("7 passed, 2 failed, 1 skipped\n", 7, 2, 1),
    ("1 passed, 1 failed\nmore\n3 passed, 0 failed\n", 3, 0, 0),
    ("sim: 300 seeds, 2 violations (9 seeds/s)\n", 298, 2, 0),
    ("sim: 27 variants, 0 escaped\n", 27, 0, 0)])
def test_closing_line(tmp_path, text, passed, failed, skipped):
    log = tmp_path / "log"
    log.write_text(text)
    count = suites.from_closing_line(log)
    assert (count.passed, count.failed, len(count.skipped)) == (passed, failed, skipped)


def test_no_closing_line(tmp_path):
    log = tmp_path / "log"
    log.write_text("Segmentation fault\n")
    assert suites.from_closing_line(log) is None


def test_suite_that_hangs_is_ended_and_counts(runner):
    runner.run("s", ["sleep", "30"], seconds_max=0.2)
    assert runner.rows[-1].failed == 1


def test_total_is_the_last_line(runner, tmp_path, capsys):
    run(runner, tmp_path)
    runner.total()
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 0 failed, 0 skipped"


def test_what_failed_stands_before_the_total(runner, tmp_path, capsys):
    run(runner, tmp_path, '<testcase classname="A" name="bad"><failure message="why"/></testcase>',
        1)
    runner.run("dies", ["sh", "-c", "echo its last word; exit 3"])
    runner.total()
    assert capsys.readouterr().out.endswith(
        "FAILED s A.bad: why\nFAILED dies its last word\n1 passed, 2 failed, 0 skipped\n")

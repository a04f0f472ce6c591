"""@modelcontextprotocol/conformance: every server scenario of both sets of requirements, those
that are not scored too, against the registry of fixtures that it calls by name."""

import json
import re
import subprocess

import pytest

from support.mcp import NODE, NODE_FOLDER
from support.server import PATIENCE

CLI = NODE_FOLDER / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
# How many scenarios each set has for a server, with those that are pending: a run of fewer proves
# less.
SCENARIOS = {"2026-07-28": 40, "2025-11-25": 33}
# The extension of tasks is optional, never scored, and not offered.
NOT_OFFERED = re.compile(r"tasks-")


@pytest.mark.parametrize("revision", SCENARIOS)
def test_every_server_scenario(fixture, tmp_path, revision):
    done = subprocess.run(
        [str(NODE), str(CLI), "server", "--url", f"http://127.0.0.1:{fixture.port}/mcp",
         "--requirements", revision, "-o", str(tmp_path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300 * PATIENCE)
    assert done.returncode == 0, done.stdout[-20000:]
    checks = {}
    for path in tmp_path.rglob("checks.json"):
        scenario = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.*", path.parent.name)[1]
        if not NOT_OFFERED.match(scenario):
            checks[scenario] = json.loads(path.read_text())
    bad = [(scenario, check["id"], check.get("errorMessage")) for scenario, all in checks.items()
           for check in all if check["status"] not in ("SUCCESS", "INFO")]
    assert not bad, bad
    assert len(checks) == SCENARIOS[revision], sorted(checks)

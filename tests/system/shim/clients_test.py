"""The official TypeScript clients, of both generations, through `dyad-memory mcp`."""

import json
import os
import subprocess

import pytest

from support.mcp import NODE, NODE_FOLDER
from support.server import BINARY, PATIENCE


@pytest.mark.parametrize("how,version", [("legacy1", None), ("legacy2", "2025-11-25"),
                                         ("auto", "2026-07-28"), ("modern", "2026-07-28")])
def test_the_official_client_through_the_shim(server, tmp_path, how, version):
    done = subprocess.run(
        [str(NODE), str(NODE_FOLDER / "stdio.mjs"), BINARY, f"http://127.0.0.1:{server.port}", how],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    out = json.loads(done.stdout.splitlines()[-1])
    assert out["server"] == "dyad-memory" and "memory_get" in out["tools"]
    assert out["many"] == 20 and out["answered"]
    assert version is None or out["version"] == version

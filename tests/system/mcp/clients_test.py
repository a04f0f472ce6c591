"""Clients that others wrote: the official ones in TypeScript (both versions), Python and Go, and
the Inspector, each as it is used."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from support.mcp import LEGACY, MODERN, NODE, NODE_FOLDER, PYTHON, READ, TEXT, run, seen

HERE = pathlib.Path(__file__).parent
INSPECTOR = (NODE_FOLDER / "node_modules/@modelcontextprotocol/inspector"
             / "clients/launcher/build/index.js")


def test_typescript_1(fixture):
    out = seen(fixture, NODE, NODE_FOLDER / "client_v1.mjs")
    assert out["version"] == LEGACY[0] and out["server"] == "dyad-memory"
    assert out["progress"] == [0, 50, 100] and "red" in out["asked"]
    assert out["heard"] == "typescript-v1"


def test_typescript_2(fixture):
    out = seen(fixture, NODE, NODE_FOLDER / "client_v2.mjs")
    assert out["version"] == MODERN and out["server"] == "dyad-memory"
    assert out["progress"] == [0, 50, 100] and "red" in out["asked"]


@pytest.mark.parametrize("mode, version", [("auto", MODERN), ("legacy", LEGACY[0])])
def test_python(fixture, mode, version):
    out = seen(fixture, PYTHON, HERE / "client.py", mode)
    assert out["version"] == version and out["prompts"] == 5
    assert out["progress"] == [0, 50, 100] and "red" in out["asked"]
    assert out.get("heard") == ("python" if mode == "auto" else None)


def go_version():
    if not shutil.which("go"):
        return (0, 0)
    told = subprocess.run(["go", "version"], capture_output=True, text=True).stdout
    found = re.search(r"go(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def test_go(fixture):
    if go_version() < (1, 21):  # which fetches the one that the SDK asks for
        pytest.skip("Go 1.21 or newer is not installed")
    seen(fixture, "go", "run", ".", cwd=HERE / "go")


@pytest.mark.parametrize("target", ["fixture", "server"])
def test_inspector_finds_nothing_to_complain_of(request, target):
    url = f"http://127.0.0.1:{request.getfixturevalue(target).port}/mcp"
    inspect = [NODE, INSPECTOR, "--cli", url, "--transport", "http"]
    tools = json.loads(run(*inspect, "--method", "tools/list", "--strict"))["tools"]
    assert tools
    if target == "fixture":
        called = json.loads(run(*inspect, "--method", "tools/call", "--tool-name",
                                "test_simple_text"))
        assert called["content"][0]["text"] == TEXT
        read = json.loads(run(*inspect, "--method", "resources/read", "--uri",
                              "test://static-text"))
        assert read["contents"][0]["text"] == READ

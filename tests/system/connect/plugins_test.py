"""plugins/dyad-memory by the rules that its formats publish.

Agent Plugins: schemas/1.0.0/{plugin,mcp}.schema.json of agentplugins/agent-plugins-spec, restated.
Claude Code, Cursor, Codex: the manifest, hooks and monitors references of their documentation.
"""

import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "plugins/dyad-memory"
NAME = re.compile(r"^(?!.*(?:--|\.\.))[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$")
KEBAB = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
EVENTS = {
    "claude-code": {"SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PreCompact",
                    "PostCompact", "Stop", "SessionEnd", "SubagentStart", "SubagentStop",
                    "FileChanged"},
    "codex": {"SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PermissionRequest",
              "PreCompact", "PostCompact", "Stop", "SubagentStart", "SubagentStop", "SessionEnd",
              "Interrupt"},
    "cursor": {"sessionStart", "beforeSubmitPrompt", "preToolUse", "postToolUse", "afterFileEdit",
               "beforeMCPExecution", "preCompact", "stop", "sessionEnd"},
}


def read(name):
    def no_doubles(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"{name}: a member stands twice"
        return dict(pairs)

    return json.loads((PLUGIN / name).read_text("utf-8"), object_pairs_hook=no_doubles)


def is_text(value):
    return isinstance(value, str) and value != ""


def check_agent_plugin(plugin):
    texts = {"version", "description", "homepage", "repository", "license"}
    assert set(plugin) <= texts | {"$schema", "name", "author", "keywords", "extensions"}
    assert plugin["$schema"] == "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json"
    assert NAME.match(plugin["name"]) and len(plugin["name"]) <= 64
    assert all(is_text(plugin[name]) for name in texts & set(plugin))
    assert all(is_text(word) for word in plugin.get("keywords", []))
    assert set(plugin.get("author", {})) <= {"name", "email", "url"}
    assert all(isinstance(value, dict) for value in plugin.get("extensions", {}).values())


def check_agent_mcp(mcp):
    assert set(mcp) == {"$schema", "mcpServers"}
    assert mcp["$schema"] == "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json"
    for server in mcp["mcpServers"].values():
        if server["type"] == "stdio":
            assert set(server) <= {"type", "command", "args", "env", "cwd"}
            assert is_text(server["command"])
            assert all(isinstance(word, str) for word in server.get("args", []))
            assert not {"PLUGIN_ROOT", "PLUGIN_DATA"} & set(server.get("env", {}))
        else:
            assert server["type"] in ("streamable-http", "sse")
            assert set(server) <= {"type", "url", "headers"} and is_text(server["url"])


def command_at(event, client):
    """Before a tool the event is named: what cannot be read is refused then."""
    return f"dyad-memory hook {client}" + (f" {event}" if event.endswith("reToolUse") else "")


def check_nested_hooks(document, client):
    assert set(document) == {"hooks"}
    for event, groups in document["hooks"].items():
        assert event in EVENTS[client], event
        for group in groups:
            assert set(group) <= {"matcher", "hooks"} and group["hooks"]
            assert event in ("PreToolUse", "PostToolUse") or "matcher" not in group
            for hook in group["hooks"]:
                assert set(hook) == {"type", "command", "timeout"} and hook["type"] == "command"
                assert hook["command"] == command_at(event, client)
                assert isinstance(hook["timeout"], int) and hook["timeout"] > 0
                assert event != "SessionEnd" or hook["timeout"] <= 1, "1.5 s are shared there"


def test_agent_plugins_1_0():
    check_agent_plugin(read("plugin.json"))
    check_agent_mcp(read("mcp.json"))
    assert {path.name for path in (PLUGIN / "skills").iterdir()} == {"shared-memory"}


@pytest.mark.parametrize("change", [
    {"commands": []}, {"name": "Dyad"}, {"name": "a--b"}, {"name": "-a"}, {"name": "a" * 65},
    {"$schema": "https://open-plugins.com/schemas/1.0.0/plugin.schema.json"}, {"version": 1},
    {"author": {"nick": "x"}}, {"keywords": [1]}, {"extensions": {"com.x": "y"}}])
def test_the_check_of_the_manifest_finds_what_is_wrong(change):
    with pytest.raises(AssertionError):
        check_agent_plugin(read("plugin.json") | change)


@pytest.mark.parametrize("server", [
    {"type": "http", "url": "http://x"}, {"type": "stdio", "command": ""},
    {"type": "stdio", "command": "x", "url": "y"}, {"type": "streamable-http", "url": ""},
    {"type": "stdio", "command": "x", "env": {"PLUGIN_ROOT": "/"}}])
def test_the_check_of_the_servers_finds_what_is_wrong(server):
    with pytest.raises(AssertionError):
        check_agent_mcp(read("mcp.json") | {"mcpServers": {"x": server}})


@pytest.mark.parametrize("vendor", ["claude", "cursor", "codex"])
def test_manifests_of_vendors(vendor):
    manifest = read(f".{vendor}-plugin/plugin.json")
    assert KEBAB.match(manifest["name"])
    same = ("name", "version", "description", "license", "keywords")
    assert {key: manifest[key] for key in same} == {key: read("plugin.json")[key] for key in same}
    for key in set(manifest) - set(same):
        assert key in ("skills", "hooks", "mcpServers")
        assert manifest[key].startswith("./") and ".." not in manifest[key]
        assert (PLUGIN / manifest[key]).exists(), manifest[key]


def test_servers_are_the_same_for_all():
    assert read(".mcp.json") == {"mcpServers": read("mcp.json")["mcpServers"]}


def test_hooks():
    check_nested_hooks(read("hooks/hooks.json"), "claude-code")
    check_nested_hooks(read("hooks/codex.json"), "codex")
    cursor = read("hooks/cursor.json")
    assert set(cursor) == {"version", "hooks"} and cursor["version"] == 1
    for event, hooks in cursor["hooks"].items():
        assert event in EVENTS["cursor"]
        for hook in hooks:
            assert set(hook) <= {"command", "matcher", "timeout"}
            assert hook["command"] == command_at(event, "cursor")


def test_monitors():
    monitor, = read("monitors/monitors.json")
    assert set(monitor) == {"name", "command", "description"}
    assert monitor["command"] == "dyad-memory watch --for-agent"


def test_the_skill_has_its_front_matter():
    text = (PLUGIN / "skills/shared-memory/SKILL.md").read_text("utf-8")
    _, front, body = text.split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.strip().splitlines())
    assert set(fields) == {"name", "description"}
    assert fields["name"] == "shared-memory" and KEBAB.match(fields["name"])
    assert 0 < len(fields["description"]) <= 1024 and len(body) < 8000


def test_the_version_is_the_products():
    version = re.search(r"VERSION (\d+\.\d+\.\d+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    assert read("plugin.json")["version"] == version

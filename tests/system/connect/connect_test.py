"""`dyad-memory connect` and `disconnect` on the files of every client, as people have them."""

import base64
import json
import os
import pathlib
import shutil
import stat
import subprocess
import urllib.parse

import pytest

from support.cli import Terminal
from support.server import BINARY, wait_until

RECORDED = pathlib.Path(__file__).parent / "recorded"
# (client, the file in a home, in a project)
SERVER_FILES = {
    "claude-code": (".claude.json", ".mcp.json"),
    "codex": (".codex/config.toml", ".codex/config.toml"),
    "cursor": (".cursor/mcp.json", ".cursor/mcp.json"),
    "vscode": (".config/Code/User/mcp.json", ".vscode/mcp.json"),
}
HOOK_FILES = {
    "claude-code": (".claude/settings.json", ".claude/settings.json"),
    "codex": (".codex/hooks.json", ".codex/hooks.json"),
    "cursor": (".cursor/hooks.json", ".cursor/hooks.json"),
    "vscode": (".copilot/hooks/dyad-memory.json", ".github/hooks/dyad-memory.json"),
}
CLIENTS = sorted(SERVER_FILES)


class Home:
    def __init__(self, path):
        self.path = path
        (path / "bin").mkdir()
        (path / "bin/dyad-memory").symlink_to(BINARY)

    def run(self, *args, env=None, stdin=""):
        full = {"HOME": str(self.path), "PATH": f"{self.path}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        full.update(env or {})
        return subprocess.run([BINARY, *args], env=full, cwd=self.path, text=True, input=stdin,
                              capture_output=True, timeout=60)

    def ok(self, *args, **kwargs):
        done = self.run(*args, **kwargs)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def put(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def files(self):
        return {str(path.relative_to(self.path)): path.read_bytes()
                for path in sorted(self.path.rglob("*"))
                if path.is_file() and not path.is_relative_to(self.path / "bin")}


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def without_comments(text):
    lines = [line for line in text.splitlines() if not line.strip().startswith("//")]
    return json.loads("\n".join(line.split(" // ")[0] for line in lines))


@pytest.mark.parametrize("recorded", sorted(path.name for path in RECORDED.iterdir()))
def test_recorded_files_become_what_was_recorded(home, recorded):
    """recorded/CASE: `client` names it, `before` and `after` are homes."""
    case = RECORDED / recorded
    client, *options = (case / "client").read_text().split()
    if (case / "before").is_dir():
        shutil.copytree(case / "before", home.path, dirs_exist_ok=True)
    before = home.files()
    home.ok("connect", client, "--yes", *options)
    files = home.files()
    made = {name: text for name, text in files.items() if not name.endswith(".dyad-backup")}
    wanted = {str(path.relative_to(case / "after")): path.read_bytes()
              for path in (case / "after").rglob("*") if path.is_file()}
    if os.environ.get("DYAD_RECORD"):
        for name, text in made.items():
            target = case / "after" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
        wanted = made
    assert {name: text.decode() for name, text in made.items()} == \
        {name: text.decode() for name, text in wanted.items()}
    for name, text in before.items():  # every foreign line is still there
        left = iter(made[name].decode().splitlines())
        for line in text.decode().splitlines():
            bare = line.rstrip(", {}[]")
            assert any(bare in other for other in left), (name, line)
    home.ok("connect", client, "--yes", *options)
    assert home.files() == files, "twice is once"
    home.ok("disconnect", client, "--yes")
    assert home.files() == before


@pytest.mark.parametrize("client", CLIENTS)
def test_a_new_file_is_made_and_goes_again(home, client):
    home.ok("connect", client, "--yes")
    assert sorted(home.files()) == sorted([SERVER_FILES[client][0], HOOK_FILES[client][0]])
    text = (home.path / SERVER_FILES[client][0]).read_text()
    assert "http://127.0.0.1:8765/mcp" in text
    hooks = json.loads((home.path / HOOK_FILES[client][0]).read_text())
    assert f"dyad-memory hook {client}" in json.dumps(hooks)
    home.ok("disconnect", client, "--yes")
    assert home.files() == {}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_project_has_files_of_its_own(home, client):
    project = home.path / "my project"
    project.mkdir()
    home.ok("connect", client, "--yes", "--project", str(project))
    names = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    assert names == {SERVER_FILES[client][1], HOOK_FILES[client][1]}
    home.ok("disconnect", client, "--yes", "--project", str(project))
    assert not [path for path in project.rglob("*") if path.is_file()]


@pytest.mark.parametrize("client", CLIENTS)
def test_without_backup_only_ours_is_taken_out(home, client):
    """The user has changed the file since: the copy is no way back."""
    name = SERVER_FILES[client][0]
    toml = name.endswith("toml")
    key = "servers" if client == "vscode" else "mcpServers"
    before = 'model = "o5"\n' if toml else json.dumps({key: {"other": {"command": "x"}}}, indent=2)
    path = home.put(name, before)
    home.ok("connect", client, "--yes", "--no-hooks")
    changed = path.read_text().replace("o5", "o6").replace('"x"', '"y"')
    path.write_text(changed)
    home.ok("disconnect", client, "--yes")
    assert path.read_text() == before.replace("o5", "o6").replace('"x"', '"y"')


def test_a_diff_is_shown_first(home):
    before = '{\n  "mcpServers": {}\n}\n'
    path = home.put(".cursor/mcp.json", before)
    shown = home.ok("connect", "cursor", "--dry-run", "--no-hooks")
    assert path.read_text() == before and len(home.files()) == 1
    assert f"--- {path}\n+++ {path}\n@@ -1,3 +1,7 @@\n" in shown
    assert '-  "mcpServers": {}\n' in shown and '+    "dyad": {\n' in shown
    done = home.run("connect", "cursor")
    assert done.returncode == 2 and "--yes" in done.stderr
    assert path.read_text() == before


def test_who_is_asked_may_say_no(home):
    class Surroundings:
        cwd = home.path

        @staticmethod
        def environment():
            return {"HOME": str(home.path), "PATH": f"{home.path}/bin:/usr/bin:/bin"}

    for answer, status in ((b"n\n", 1), (b"y\n", 0)):
        with Terminal(Surroundings, "connect", "cursor", "--no-hooks") as terminal:
            terminal.read_until(b"Write this? [y/N]")
            assert not (home.path / ".cursor").exists()
            terminal.type(answer)
            assert terminal.wait() == status
    assert (home.path / ".cursor/mcp.json").exists()


def test_json_says_what_was_written(home):
    out = json.loads(home.ok("connect", "cursor", "--yes", "--json", "--no-hooks"))
    file, = out["files"]
    assert file["written"] is True and file["file"].endswith("mcp.json") and "+++" in file["diff"]
    file, = json.loads(home.ok("connect", "cursor", "--yes", "--json", "--no-hooks"))["files"]
    assert file == {"file": file["file"], "diff": "", "written": False}


def test_ways_to_the_server(home):
    def server(*options, **kwargs):
        home.ok("connect", "claude-code", "--yes", "--no-hooks", *options, **kwargs)
        return json.loads((home.path / ".claude.json").read_text())["mcpServers"]["dyad"]

    assert server() == {"type": "http", "url": "http://127.0.0.1:8765/mcp"}
    assert server("--stdio") == {"type": "stdio", "command": "dyad-memory", "args": ["mcp"]}
    assert server("--url", "https://m.example.com/team/", "--user", "José") == {
        "type": "http", "url": "https://m.example.com/team/mcp",
        "headers": {"Dyad-User": "UTF-8''Jos%C3%A9"}}
    assert server("--stdio", "--url", "http://h:1", "--user", "ada") == {
        "type": "stdio", "command": "dyad-memory",
        "args": ["mcp", "--url", "http://h:1", "--user", "ada"]}
    assert server(env={"PATH": "/usr/bin:/bin"}) == server()
    assert server("--stdio", env={"PATH": "/usr/bin:/bin"})["command"] == os.path.realpath(BINARY)
    assert server(env={"WS_SYNC_PORT": "9000"})["url"] == "http://127.0.0.1:9000/mcp"


def test_the_first_copy_is_the_way_back_after_many_changes(home):
    before = '{ "mcpServers": { } }'
    path = home.put(".cursor/mcp.json", before)
    for options in ([], ["--stdio"], ["--url", "http://h:1"], []):
        home.ok("connect", "cursor", "--yes", *options)
    home.ok("disconnect", "cursor", "--yes")
    assert path.read_text() == before and list(home.files()) == [".cursor/mcp.json"]


def test_a_link_stays_one_and_its_file_keeps_its_mode(home):
    target = home.put("dotfiles/settings", '{"a": 1}\n')
    target.chmod(0o640)
    link = home.path / ".cursor/mcp.json"
    link.parent.mkdir()
    link.symlink_to(target)
    home.ok("connect", "cursor", "--yes", "--no-hooks")
    assert link.is_symlink() and "dyad" in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    backup = home.path / "dotfiles/settings.dyad-backup"
    assert backup.read_text() == '{"a": 1}\n' and stat.S_IMODE(backup.stat().st_mode) == 0o640
    home.ok("disconnect", "cursor", "--yes")
    assert target.read_text() == '{"a": 1}\n' and link.is_symlink()
    target.unlink()
    assert "link to what does not exist" in home.run("connect", "cursor", "--yes").stderr


def test_a_read_only_file_is_not_written(home):
    path = home.put(".cursor/mcp.json", "{}")
    path.chmod(0o444)
    done = home.run("connect", "cursor", "--yes", "--no-hooks")
    assert done.returncode == 1 and "is read-only" in done.stderr
    assert path.read_text() == "{}"


@pytest.mark.parametrize("client,text,where", [
    ("cursor", '{\n  "mcpServers": {\n    "a": 1\n    "b": 2\n  }\n}\n', "line 4, column 5"),
    ("cursor", "[]", "line 1, column 1"),
    ("claude-code", '{"mcpServers": []}', "line 1, column 16"),
    ("codex", 'a = 1\nb = "x\n', "line 2, column 5"),
    ("codex", "[mcp_servers]\ndyad = { url = 'x' }\n", "line 2, column 1"),
    ("vscode", '{ "servers": { /* open }', "line 1, column 16"),
])
def test_a_broken_file_is_named_and_stays(home, client, text, where):
    path = home.put(SERVER_FILES[client][0], text)
    for command in ("connect", "disconnect"):
        done = home.run(command, client, "--yes")
        if command == "connect" or "dyad" in text:
            assert done.returncode == 2, (command, done.stdout, done.stderr)
            assert str(path) in done.stderr and where in done.stderr
        assert path.read_text() == text
    assert list(home.files()) == [SERVER_FILES[client][0]], "nothing else was written either"


def test_hooks_of_others_stay_and_old_ones_of_ours_go(home):
    other = {"matcher": "Bash", "hooks": [{"type": "command", "command": "audit.sh"}]}
    old = {"hooks": [{"type": "command", "command": "/old/dyad-memory hook claude-code"}]}
    path = home.put(".claude/settings.json", json.dumps(
        {"hooks": {"PreToolUse": [other, old], "Stop": [old]}, "model": "opus"}))
    home.ok("connect", "claude-code", "--yes")
    hooks = json.loads(path.read_text())["hooks"]
    assert hooks["PreToolUse"][0] == other and len(hooks["PreToolUse"]) == 2
    assert len(hooks["Stop"]) == 1 and "/old/" not in path.read_text()
    home.ok("disconnect", "claude-code", "--yes")
    assert json.loads(path.read_text()) == {"hooks": {"PreToolUse": [other]}, "model": "opus"}


def test_folders_that_a_client_was_told_are_used(home):
    env = {"CODEX_HOME": str(home.path / "cx"), "CLAUDE_CONFIG_DIR": str(home.path / "cl"),
           "XDG_CONFIG_HOME": str(home.path / "conf")}
    (home.path / "conf/VSCodium").mkdir(parents=True)
    for client in ("codex", "claude-code", "vscode"):
        home.ok("connect", client, "--yes", env=env)
    assert set(home.files()) == {"cx/config.toml", "cx/hooks.json", "cl/.claude.json",
                                 "cl/settings.json", "conf/VSCodium/User/mcp.json",
                                 ".copilot/hooks/dyad-memory.json"}


def test_dyad_gets_a_link(home):
    def link(*options):
        value = json.loads(home.ok("connect", "dyad", "--json", *options))["link"]
        url = urllib.parse.urlsplit(value)
        query = dict(urllib.parse.parse_qsl(url.query))
        assert (url.scheme, url.netloc, query["name"]) == ("dyad", "add-mcp-server", "dyad")
        return json.loads(base64.b64decode(query["config"], validate=True))

    assert link() == {"type": "http", "url": "http://127.0.0.1:8765/mcp"}
    assert link("--stdio") == {"type": "stdio", "command": "dyad-memory mcp"}
    assert "dyad://add-mcp-server?" in home.ok("connect", "dyad")
    opened = home.path / "opened"
    (home.path / "bin/xdg-open").write_text(f"#!/bin/sh\necho \"$1\" > '{opened}'\n")
    (home.path / "bin/xdg-open").chmod(0o755)
    home.ok("connect", "dyad")
    assert not opened.exists()
    home.ok("connect", "dyad", "--open")
    wait_until(lambda: opened.exists() and opened.read_text().startswith("dyad://"),
               what="the opened link")
    assert "settings" in home.ok("disconnect", "dyad")


def test_the_plugin_is_put_into_a_folder(home):
    home.ok("connect", "agent-plugin", "--yes")
    folder = home.path / ".config/dyad-memory/agent-plugin"
    plugin = pathlib.Path(__file__).parents[3] / "plugins/dyad-memory"
    for path in plugin.rglob("*"):
        if path.is_file():
            assert (folder / path.relative_to(plugin)).read_bytes() == path.read_bytes()
    (folder / "skills/shared-memory/SKILL.md").write_text("mine")
    home.ok("disconnect", "agent-plugin", "--yes")
    assert [path.name for path in folder.rglob("*")] == ["skills", "shared-memory", "SKILL.md"]
    (folder / "skills/shared-memory/SKILL.md").unlink()
    home.ok("connect", "agent-plugin", "--yes")
    home.ok("disconnect", "agent-plugin", "--yes")
    assert not folder.exists()


def test_a_client_that_is_not_known_gets_the_list(home):
    for words in (["connect", "emacs"], ["disconnect", "emacs"], ["connect"]):
        done = home.run(*words)
        assert done.returncode == 2
    names = "claude-code,codex,cursor,vscode,dyad,agent-plugin"
    assert names in home.run("connect", "emacs").stderr.replace(" ", "")
    assert "no folder" in home.run("connect", "cursor", "--project", "nowhere").stderr


def test_help_and_completion_know_the_commands(home):
    assert "--stdio" in home.ok("connect", "--help") and "CLIENT" in home.ok("connect", "--help")
    out = home.ok("complete", "zsh", "dyad-memory connect c")
    assert {line.split("\t")[0] for line in out.splitlines()} == {"claude-code", "codex", "cursor"}
    out = home.ok("complete", "zsh", "dyad-memory ")
    assert {"mcp", "connect", "disconnect"} <= {line.split("\t")[0] for line in out.splitlines()}


@pytest.mark.parametrize("client,name", [("claude-code", "hooks.json"), ("codex", "codex.json"),
                                         ("cursor", "cursor.json")])
def test_the_plugin_has_the_same_hooks(home, client, name):
    home.ok("connect", client, "--yes")
    plugin = pathlib.Path(__file__).parents[3] / "plugins/dyad-memory/hooks" / name
    written = json.loads((home.path / HOOK_FILES[client][0]).read_text())
    assert written == json.loads(plugin.read_text())

#!/usr/bin/env python3
"""Two assistants share one memory, step by step, on the real binary: docs/assistants-walk.md is
what came of it. `--write` records it anew; walk_test.py holds the document against the server."""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from support.cli import url_of  # noqa: E402
from support.mcp import ask  # noqa: E402
from support.server import Server  # noqa: E402

PAGE = ROOT / "docs/assistants-walk.md"
HEAD = """# Two assistants, one memory

What Claude Code and Codex say to the server, and what it answers: recorded, and held against the
server by a test. Times, ids and places in the log are replaced by `…`.
"""


class Walk:
    def __init__(self, server):
        self.server = server
        self.parts = [HEAD]

    def say(self, text):
        self.parts.append(text)

    def call(self, who, tool, **arguments):
        answer = ask(self.server, "tools/call", {"name": tool, "arguments": arguments},
                     headers={"Dyad-User": "ada", "Dyad-Instance": who}).result
        content = answer.get("structuredContent")
        told = json.dumps(content, indent=2, ensure_ascii=False) if content else "\n".join(
            item["text"] for item in answer["content"])
        self.parts.append(f"**{who}** calls `{tool}`:\n\n```json\n"
                          f"{json.dumps(arguments, ensure_ascii=False)}\n```\n\n"
                          f"```{'json' if content else ''}\n{masked(told)}\n```")
        return content

    def hook(self, who, event):
        done = self.server.cli("hook", who, "--url", url_of(self.server), "--user", "ada",
                               stdin=json.dumps(event))
        told = done.stdout.strip()
        if told.startswith("{"):
            told = json.dumps(json.loads(told), indent=2, ensure_ascii=False)
        self.parts.append(f"**{who}** runs `dyad-memory hook {who}`:\n\n```json\n"
                          f"{json.dumps(event, ensure_ascii=False)}\n```\n\n"
                          f"```\n{masked(told or done.stderr.strip())}\n```")

    def page(self):
        return "\n\n".join(part.strip("\n") for part in self.parts) + "\n"


def masked(text):
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?( UTC)?", "…", text)
    text = re.sub(r"[0-9a-f]{16}\.\d+\.[0-9a-f]{16}", "…", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "…", text)
    return re.sub(r'("tokens": )\d+', r"\1…", text)


def walk(server):
    steps = Walk(server)
    steps.say("## A decision is made\n\nClaude Code writes down what was decided, for everybody.")
    steps.call("claude-code", "memory_set", key="decision/storage",
               value={"decision": "SQLite for the desktop", "because": "no server to install"},
               tags=["pinned"], provenance={"kind": "model", "model": "claude-opus-4-6"})
    steps.say("## The next session knows it\n\nCodex begins a session on another machine. Its hook "
              "tells it what the memory has.")
    steps.hook("codex", {"hook_event_name": "SessionStart", "session_id": "codex-1",
                         "source": "startup", "cwd": "/home/ada/desk"})
    steps.say("It asks for what helps with its task. What the session was told already is not told "
              "again.")
    steps.call("codex", "context_pack", task="storage of the desktop", session="codex-1")
    steps.say("## One works, the other waits\n\nCodex claims the file that it is about to change.")
    claim = steps.call("codex", "claim_acquire", resource="file:/home/ada/desk/store.py",
                       note="moves the schema", ttl_ms=600_000)
    steps.say("Claude Code is about to write to it. Its hook says no.")
    steps.hook("claude-code", {"hook_event_name": "PreToolUse", "session_id": "claude-1",
                               "cwd": "/home/ada/desk", "tool_name": "Edit",
                               "tool_input": {"file_path": "/home/ada/desk/store.py"}})
    steps.call("codex", "claim_release", resource="file:/home/ada/desk/store.py",
               token=claim["token"])
    steps.say("## Both change the same thing\n\nBoth have read version 1. Codex writes first; "
              "Claude Code is shown both values.")
    steps.call("codex", "memory_set", key="decision/storage", expected_version=1,
               value={"decision": "SQLite for the desktop", "because": "one file to back up"})
    steps.call("claude-code", "memory_set", key="decision/storage", expected_version=1,
               value={"decision": "SQLite", "because": "no server to install"})
    steps.say("Nothing is lost: every version is there, with who wrote it.")
    steps.call("claude-code", "memory_history", key="decision/storage")
    return steps.page()


def main():
    with Server().start() as server:
        page = walk(server)
    if "--write" in sys.argv:
        PAGE.write_text(page)
    else:
        print(page)


if __name__ == "__main__":
    main()

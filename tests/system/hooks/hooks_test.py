"""`dyad-memory hook` and POST /hooks against what every assistant sends, as it was recorded."""

import json
import pathlib
import subprocess
import time

import pytest

from support.cli import url_of
from support.server import BINARY, PATIENCE, Server, free_port, wait_until

RECORDED = pathlib.Path(__file__).parent / "recorded"
ASSISTANTS = ["claude-code", "codex", "cursor", "vscode"]
FOLDER = "/home/ada/harbour"
FACT = "The harbour opens in May."
SAID = "The plan is built; the tests are left."


def transcript_of(assistant, path):
    """A session's record with SAID as its last words, in the assistant's own form."""
    lines = {
        "claude-code": [{"type": "user", "message": {"role": "user", "content": "go"}},
                        {"type": "assistant", "message": {
                            "role": "assistant", "model": "claude-opus-4-6",
                            "content": [{"type": "text", "text": SAID}]}}],
        "codex": [{"type": "response_item", "payload": {
            "type": "message", "role": "assistant",
            "content": [{"type": "output_text", "text": SAID}]}}],
        "cursor": [{"role": "assistant", "message": {"content": [{"type": "text",
                                                                  "text": SAID}]}}],
        "vscode": [{"type": "assistant.message", "data": {"content": SAID}}],
    }[assistant]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


class Hooks:
    def __init__(self, server, assistant, folder):
        self.server, self.assistant = server, assistant
        self.transcript = transcript_of(assistant, folder / "transcript.jsonl")
        self.events = json.loads((RECORDED / f"{assistant}.json").read_text())

    def event(self, name, prompt="When does the harbour open?"):
        text = json.dumps(self.events[name])
        for word, value in (("FOLDER", FOLDER), ("TRANSCRIPT", self.transcript),
                            ("PROMPT", prompt), ("SAID", SAID)):
            text = text.replace(word, value)
        return text

    def run(self, name, *arguments, **replaced):
        return self.server.cli("hook", self.assistant, *arguments, "--url", url_of(self.server),
                               stdin=self.event(name, **replaced))

    def answer(self, name, *arguments, **replaced):
        done = self.run(name, *arguments, **replaced)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def told(self, name, **replaced):
        """What the answer brings into the conversation."""
        answer = self.answer(name, **replaced)
        if self.assistant == "cursor":
            return answer.get("additional_context", "")
        inner = answer.get("hookSpecificOutput", {})
        if inner:
            assert inner["hookEventName"] == self.event_name(name)
        return inner.get("additionalContext", "")

    def event_name(self, name):
        event = self.events[name]
        return event.get("hook_event_name") or event["hookEventName"]

    def session(self):
        event = self.events["start"]
        return event.get("session_id") or event.get("sessionId") or event["conversation_id"]


@pytest.fixture(scope="module")
def server():
    with Server() as one:
        yield one


@pytest.fixture(params=ASSISTANTS)
def hooks(request, tmp_path):
    with Server() as one:
        yield Hooks(one, request.param, tmp_path)


def put(server, key, text):
    status, _, body = server.request(
        "PUT", f"/api/v1/context?contextKey={key}",
        json.dumps({"data": {"text": text}, "force": True}),
        {"Content-Type": "application/json", "Dyad-Instance": "desk"})
    assert status < 300, body


def kept(server, session):
    status, _, body = server.get(f"/api/v1/context?contextKey=session:{session}")
    return json.loads(body) if status == 200 else None


def test_a_session_is_told_once_what_there_is_and_again_after_a_compaction(hooks):
    put(hooks.server, "harbour/plan", FACT)
    first = hooks.told("start")
    assert FACT in first and "by desk" in first and len(first) <= 10_000
    assert hooks.told("prompt") == ""  # it has been told
    put(hooks.server, "harbour/plan", "The harbour opens in June.")
    if hooks.assistant != "vscode":  # which takes nothing with a prompt
        news = hooks.told("prompt", prompt="Go on then.")
        assert "June" in news and "changed" in news
        assert hooks.told("prompt", prompt="And on.") == ""
    hooks.answer("compaction")
    if "again" in hooks.events:
        after = hooks.told("again")
        assert "June" in after and SAID in after


def test_a_stop_keeps_the_last_words_with_their_model_and_an_end(hooks):
    assert hooks.answer("stop") == {}
    context = kept(hooks.server, hooks.session())
    assert context["data"]["said"] == SAID and context["data"]["folder"] == FOLDER
    assert context["provenance"]["kind"] == "model"
    if hooks.assistant == "claude-code":
        assert context["provenance"]["model"] == "claude-opus-4-6"
    days = (context["expiresAt"] - context["updatedAt"]) / 86_400_000
    assert 13.9 < days < 14.1
    hooks.answer("stop")
    assert kept(hooks.server, hooks.session())["version"] == 1


def test_a_claimed_file_is_not_written_and_who_holds_it_is_told(hooks):
    assert hooks.answer("write") == {}
    status, _, body = hooks.server.request(
        "POST", "/api/v1/claims",
        json.dumps({"resource": f"file:{FOLDER}/src/plan.cpp", "ttlMs": 60_000}),
        {"Content-Type": "application/json", "Dyad-Instance": "somebody-else"})
    assert status < 300, body
    answer = hooks.answer("write")
    if hooks.assistant == "cursor":
        assert answer["permission"] == "deny"
        why = answer["agent_message"]
    else:
        assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"
        why = answer["hookSpecificOutput"]["permissionDecisionReason"]
    assert "somebody-else" in why and "until 20" in why
    assert hooks.answer("read") == {}
    assert hooks.answer("write", "--instance", "somebody-else") == {}


def test_where_no_server_answers_only_the_writing_of_files_is_refused(hooks):
    hooks.server.kill()
    for name in hooks.events:
        began = time.monotonic()
        done = hooks.run(name)
        assert time.monotonic() - began < 6 * PATIENCE
        if name == "write":
            assert done.returncode == 2 and "claimed" in done.stderr and done.stdout == ""
        else:
            assert done.returncode == 0 and done.stdout == "", (name, done.stderr)


def test_a_server_that_hangs_is_not_waited_for(tmp_path):
    import socket
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Server() as server:
            hooks = Hooks(server, "claude-code", tmp_path)
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            for name, status in (("prompt", 0), ("write", 2)):
                began = time.monotonic()
                done = server.cli("hook", "claude-code", "--url", url, stdin=hooks.event(name))
                assert done.returncode == status, done.stderr
                assert time.monotonic() - began < 7 * PATIENCE


def test_the_server_is_the_hook_where_the_assistant_speaks_http(server, tmp_path):
    hooks = Hooks(server, "claude-code", tmp_path)
    put(server, "harbour/plan", FACT)
    status, headers, body = server.request("POST", "/hooks/claude-code", hooks.event("start"),
                                           {"Content-Type": "application/json"})
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert FACT in json.loads(body)["hookSpecificOutput"]["additionalContext"]
    status, _, body = server.request("POST", "/hooks/emacs", hooks.event("start"),
                                     {"Content-Type": "application/json"})
    assert status == 404 and "claude-code" in json.loads(body)["detail"]
    assert server.get("/hooks/claude-code")[0] == 405


def test_both_spellings_are_one_event(server):
    put(server, "spelling", "Both spellings mean one thing.")
    snake = {"session_id": "sp-1", "cwd": "/x", "hook_event_name": "SessionStart"}
    camel = {"sessionId": "sp-1", "cwd": "/x", "hookEventName": "SessionStart"}
    first = server.cli("hook", "claude-code", "--url", url_of(server), stdin=json.dumps(snake))
    again = server.cli("hook", "vscode", "--url", url_of(server), stdin=json.dumps(camel))
    assert "Both spellings" in first.stdout
    assert json.loads(again.stdout) == {}


def test_what_is_no_event_is_in_nobodys_way(server):
    for text in ("", "[]", "{\"session_id\":\"x\"}", "\xff"):
        done = server.cli("hook", "codex", "--url", url_of(server), stdin=text)
        assert done.returncode == 0 and done.stderr, text
    # ... but a tool of which nothing can be told may write.
    done = server.cli("hook", "codex", "PreToolUse", "--url", url_of(server), stdin="{")
    assert done.returncode == 2
    done = server.cli("hook", "emacs", "--url", url_of(server), stdin="{}")
    assert done.returncode == 1 and "claude-code" in done.stderr


def test_watch_says_one_short_line_for_each_change_and_bounds_their_rate():
    with Server() as server:
        watch = subprocess.Popen(
            [BINARY, "watch", "--for-agent", "--instance", "me", "--url", url_of(server)],
            env=server.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            # What is written before it listens it does not hear of.
            lines = []
            import threading
            threading.Thread(target=lambda: lines.extend(iter(watch.stdout.readline, "")),
                             daemon=True).start()
            heard = []

            def hears():
                put(server, "probe", str(len(heard)))
                heard.append(1)
                return lines
            wait_until(hears, pause=0.2)
            said = len(lines)
            server.request("PUT", "/api/v1/mode?instanceId=desk",
                           json.dumps({"mode": "didactic"}),
                           {"Content-Type": "application/json", "Dyad-Instance": "desk"})
            server.request("POST", "/api/v1/claims",
                           json.dumps({"resource": "file:/a", "note": "the parser"}),
                           {"Content-Type": "application/json", "Dyad-Instance": "desk"})
            server.cli("context", "set", "mine", "{}", "--instance", "me", "--url", url_of(server))
            wait_until(lambda: any("file:/a" in line for line in lines))
            news = "".join(lines[said:])
            assert "desk is in didactic mode" in news
            assert "file:/a is claimed by desk: the parser" in news
            assert "mine" not in news
            for i in range(40):
                put(server, f"many/{i}", str(i))
            time.sleep(1)
            assert len(lines) <= 12
            assert all(len(line) < 200 and line.count("\n") == 1 for line in lines)
        finally:
            watch.kill()
            watch.wait()

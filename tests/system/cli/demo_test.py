"""The demonstration shows commands that can be pasted."""

import os
import re
import shlex
import signal
import subprocess

from support.server import PATIENCE, ROOT, free_port, wait_until


def shown_by_demo(tmp_path):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8",
           "WS_SYNC_PORT": str(free_port()), "DYAD_DEMO_DIR": str(tmp_path / "demo")}
    with open(tmp_path / "shown", "wb") as out:
        process = subprocess.Popen([ROOT / "tools/demo.sh"], env=env, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=out)
    return process, lambda: (tmp_path / "shown").read_text("utf-8", "replace")


def test_the_commands_it_shows_can_be_pasted(tmp_path):
    process, shown = shown_by_demo(tmp_path)
    try:
        wait_until(lambda: "Stop it with" in shown() or process.poll() is not None, 20,
                   what="the demonstration to come to its end")
        lines = re.findall(r"\x1b\[1m\$ (.*?)\x1b\[0m", shown())
        assert len(lines) == 4, shown()
        for line in lines:
            # A shell of its own: nothing of the demonstration's surroundings helps.
            done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True,
                                  env={"PATH": os.environ["PATH"], "HOME": str(tmp_path),
                                       "LANG": "C.UTF-8"}, timeout=30 * PATIENCE)
            assert done.returncode == 0, (line, done.stderr)
        written = shlex.split(lines[0])
        assert '{"goal":"one memory for every assistant","step":1}' in written
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20 * PATIENCE)

#!/usr/bin/env python3
"""Runs the demonstration and keeps a picture of what it shows: docs/images/demo.png."""

import html
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/images/demo.png"
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #10141c; }}
pre {{ margin: 0; padding: 24px 28px; color: #d5dae4;
      white-space: pre-wrap; overflow-wrap: anywhere;
      font: 15px/1.5 "DejaVu Sans Mono", "Liberation Mono", monospace; }}
b {{ color: #7fd1b9; }}
</style><pre>{text}</pre>"""
WIDTH, LINE, MARGIN = 1000, 22.5, 48
COLUMNS = 104


def main():
    done = subprocess.run([str(ROOT / "x"), "demo", "--stop"], cwd=ROOT, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    # What the build says before the first command is not of interest.
    shown = done.stdout[done.stdout.index("\x1b[1m$ "):].replace(str(ROOT), "~/dyad-memory").strip()
    lines = sum(1 + len(re.sub(r"\x1b\[\d*m", "", line)) // COLUMNS for line in shown.splitlines())
    text = html.escape(shown).replace("\x1b[1m", "<b>").replace("\x1b[0m", "</b>")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder) / "page.html"
        page.write_text(PAGE.format(text=text), "utf-8")
        subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu",
                        "--hide-scrollbars", f"--user-data-dir={folder}/profile",
                        f"--window-size={WIDTH},{int(lines * LINE + MARGIN)}",
                        f"--screenshot={PICTURE}", page.as_uri()],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()

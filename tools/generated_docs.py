#!/usr/bin/env python3
"""The documents that the binary writes about itself. --write replaces them; without it, what
differs is named and the exit status is 1."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = ROOT / "build/release/dyad-memory"
DOCUMENTS = {
    "docs/settings.md": ["config", "list", "--markdown"],
    "docs/limits.md": ["config", "limits", "--markdown"],
    "docs/errors.md": ["config", "errors", "--markdown"],
    "docs/mcp-tools.md": ["config", "tools", "--markdown"],
}


def generate(arguments):
    done = subprocess.run([str(BINARY), *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60,
                          env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed: {done.stderr}")
    return done.stdout


def outdated():
    """The documents that are not what the binary says."""
    return [path for path, arguments in DOCUMENTS.items()
            if not (ROOT / path).exists() or (ROOT / path).read_text() != generate(arguments)]


if __name__ == "__main__":
    if "--write" in sys.argv:
        for path, arguments in DOCUMENTS.items():
            (ROOT / path).write_text(generate(arguments))
            print(path)
    elif stale := outdated():
        print("run ./x docs; outdated:", *stale)
        sys.exit(1)

"""./x tidy finds what it is there to find: each rule is broken once in a small repository."""

import os
import pathlib
import subprocess
import sys

import pytest

TIDY = pathlib.Path(__file__).resolve().parents[2] / "tools/tidy.py"


@pytest.fixture
def tidy(tmp_path):
    """Writes files into a repository and runs tidy there; its output."""
    def run(**files):
        files = {"src/base/a.hpp": "// A.\n#pragma once\n", "docs/x.md": "words\n", **files}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
        done = subprocess.run([sys.executable, str(TIDY)], capture_output=True, text=True,
                              env=dict(os.environ, DYAD_TIDY_ROOT=str(tmp_path)))
        assert done.returncode == 1, "the binary is not built there: never clean"
        return [line for line in done.stdout.splitlines() if "is not built" not in line]
    return run


def test_clean_repository_has_one_complaint_about_the_missing_binary(tidy):
    assert tidy() == ["13 passed, 1 failed"]


@pytest.mark.parametrize("layer,target", [
    ("base", "model/event.hpp"), ("model", "wire/message.hpp"), ("net", "model/event.hpp"),
    ("core", "store/sqlite/store.hpp"), ("store/sqlite", "bus/local/b.hpp"), ("core", "net/x.hpp"),
    ("wire", "core/engine.hpp"), ("server", "cli/main.hpp"), ("bus", "wire/message.hpp"),
])
def test_forbidden_arrow(tidy, layer, target):
    found = tidy(**{f"src/{target}": "// It.\n#pragma once\n",
                    f"src/{layer}/x.cpp": f'#include "{target}"\n'})
    assert f"src/{layer}/x.cpp:1: {layer} may not include {target}" in found


@pytest.mark.parametrize("layer,target", [
    ("core", "store/log.hpp"), ("core", "store/archive.hpp"), ("core", "bus/bus.hpp"),
    ("store/sqlite", "store/store.hpp"),
    ("server/rest", "server/node.hpp"), ("cli", "store/sqlite/x.hpp"), ("model", "base/b.hpp"),
])
def test_allowed_arrow(tidy, layer, target):
    found = tidy(**{f"src/{target}": "// It.\n#pragma once\n",
                    f"src/{layer}/x.cpp": f'#include "{target}"\n'})
    assert found == ["13 passed, 1 failed"]


@pytest.mark.parametrize("name,text,complaint", [
    ("src/model/x.cpp", "#include <sqlite3.h>\n", "may not include <sqlite3.h>"),
    ("src/core/x.cpp", "#include <boost/json.hpp>\n", "may not include <boost/json.hpp>"),
    ("src/model/x.cpp", '#include "nowhere.hpp"\n', "is not a path below src/"),
    ("src/other/x.cpp", "int x;\n", "'other' is no layer"),
    ("src/base/x.cpp", "int x;\n" * 501, "501 lines"),
    ("src/base/x.cpp", "//" + "x" * 99 + "\n", "101 columns"),
    ("src/base/x.cpp", "// TO" + "DO: later\n", "unfinished"),
    ("src/base/string_util.cpp", "int x;\n", "says nothing"),
    ("src/base/x.cpp", "class SessionManager;\n", "SessionManager is a name that says nothing"),
    ("src/base/CamelCase.cpp", "int x;\n", "snake_case"),
    ("src/base/x.hpp", "// It.\nint x;\n", "no #pragma once"),
    ("src/base/x.hpp", "#pragma once\n", "does not begin with what it is"),
    ("tests/system/x.cpp", '#include "core/engine.hpp"\n', "includes the product's source"),
    ("tests/unit/x_test.cpp", "TEST(A, DISABLED_B) {}\n", "a disabled test"),
    ("tests/unit/x_test.cpp", "GTEST_SKIP();\n", "a skip that does not say why"),
    ("docs/y.md", "[there](nowhere.md)\n", "leads nowhere"),
    ("src/base/x.cpp", "void f() {\n" + "    g();\n" * 90 + "}\n", "x.cpp:1: a function of 92"),
    ("src/base/x.cpp", "bool X::f(int a,\n          int b) const {\n" + "    g();\n" * 90 + "}\n",
     "x.cpp:1: a function of 93 lines"),
    ("src/base/x.hpp", "// It.\n#pragma once\n" + '#include "base/y.hpp"\n' * 9,
     "includes 9 headers of ours"),
    ("CMakeLists.txt", "dyad_library(base base)\ndyad_library(net net dyad_base)\n"
     "dyad_library(model model dyad_net)\n", "model links net, which it may not include"),
])
def test_rule(tidy, name, text, complaint):
    found = tidy(**{name: text})
    assert any(name in line and complaint in line for line in found), found


def test_src_does_not_grow_unseen(tidy):
    found = tidy(**{"src/base/x.cpp": "\n" * 90_000})
    assert any(line.startswith("src: 90,002 lines") for line in found), found

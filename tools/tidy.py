#!/usr/bin/env python3
"""The rules of the house that a compiler does not check: who includes whom, sizes, names, words,
what may be skipped, and that generated documents are current. Each rule is one check; the last
line is `N passed, N failed`."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("DYAD_TIDY_ROOT", pathlib.Path(__file__).resolve().parents[1]))
LINES_MAX = 500
COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
SRC_LINES_MAX = 65_400  # docs/decisions/0016-the-size-of-src.md
HEADER_INCLUDES_MAX = 8  # of our own: a standard header couples nothing

# Layer -> the layers it may include, beside itself and the standard library. A header instead of
# a layer allows that header alone.
ARROWS = {
    "base": set(),
    "model": {"base"},
    "wire": {"base", "model", "net/frame_header.hpp"},
    "import": {"base", "model"},
    "core": {"base", "model", "store/log.hpp", "store/archive.hpp", "store/documents.hpp",
             "bus/bus.hpp"},
    "store": {"base", "model"},
    "store/checked": {"base", "model", "store"},
    "search": {"base", "model"},
    "driver": {"base"},
    # Changes to files that people write, in place.
    "edit": {"base"},
    "store/sqlite": {"base", "model", "search", "store", "driver"},
    # What the documents look like, whatever reads and writes them.
    "store/mongo/bson": {"base", "model", "store/documents.hpp"},
    "store/mongo": {"base", "model", "search", "store", "driver", "store/mongo/bson"},
    # What moves memories from one store into another one knows both, and is no backend itself.
    "store/dump": {"base", "model", "store", "store/sqlite", "store/mongo", "store/mongo/bson"},
    "bus": {"base", "model"},
    "bus/redis": {"base", "model", "wire", "bus", "net", "driver"},
    "bus/local": {"base", "model", "bus"},
    "auth": {"base", "model"},
    "net": {"base"},
    "server": {"base", "model", "wire", "core/engine.hpp", "core/session.hpp", "core/feed.hpp",
               "store", "store/checked", "bus", "bus/local", "auth", "net"},
    # Files of assistants made one with a shared text, whatever that is stored in.
    "cli/bridge": {"base", "model", "edit"},
    # The command line puts the server together from its parts.
    "cli": {"base", "model", "cli/bridge", "wire", "core", "store", "store/sqlite", "store/mongo",
            "store/mongo/bson", "store/dump", "bus",
            "bus/redis", "auth", "net", "server", "server/rest", "server/live",
             "server/mcp", "server/mcp/product", "server/mcp/others", "server/hooks", "import",
            "edit"},
}
for part in ("rest", "live", "mcp", "hooks", "web"):
    ARROWS[f"server/{part}"] = ARROWS["server"] | {"server"}
ARROWS["server/mcp/product"] = ARROWS["server/mcp"] | {"server/mcp"}
ARROWS["server/mcp/others"] = ARROWS["server/mcp/product"] | {"server/mcp/product", "import"}
# What sessions were shown is known once.
ARROWS["server/hooks"] |= {"server/mcp", "server/mcp/product"}

# Foreign headers and the only layers that may see them.
FOREIGN = {
    r"boost/json": {"model"},
    r"unicode/": {"model", "search", "cli"},
    r"boost/(beast|asio)": set(),
    r"sqlite3\.h": {"store/sqlite"},
    r"(mongoc|bson)/": {"store/mongo", "store/mongo/bson"},
    r"openssl/(ssl|err|bio)": {"bus/redis", "base"},
    r"CLI/": {"cli"},
    r"curl/": {"cli"},
    r"sys/epoll\.h|sys/socket\.h|netinet/": {"net", "server", "cli", "bus/redis"},
}
NAMES = re.compile(r"(manager|helper|util|utils|common|misc)(s)?$", re.IGNORECASE)
TYPE = re.compile(r"\b(?:class|struct|enum class)\s+(\w+)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
CODE = {".cpp", ".hpp", ".def", ".py", ".mjs", ".js", ".ts", ".sh"}

failures = []


def fail(text):
    failures.append(text)


def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def layer_of(path):
    """The deepest layer that holds this path, given relative to src/."""
    folder = pathlib.PurePosixPath(path).parent.as_posix()
    while folder not in ARROWS and "/" in folder:
        folder = folder.rsplit("/", 1)[0]
    return folder


def check_layers(files):
    for path in files:
        if path.suffix not in (".cpp", ".hpp") or ROOT / "src" not in path.parents:
            continue
        here = path.relative_to(ROOT / "src").as_posix()
        layer = layer_of(here)
        if layer not in ARROWS:
            fail(f"src/{here}: '{layer}' is no layer of tools/tidy.py")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if found := re.match(r'\s*#\s*include\s*"([^"]+)"', line):
                target = found.group(1)
                if not (ROOT / "src" / target).exists():
                    fail(f"src/{here}:{number}: \"{target}\" is not a path below src/")
                elif layer_of(target) != layer and layer_of(target) not in ARROWS[layer] and \
                        target not in ARROWS[layer]:
                    fail(f"src/{here}:{number}: {layer} may not include {target}")
            elif found := re.match(r"\s*#\s*include\s*<([^>]+)>", line):
                for pattern, layers in FOREIGN.items():
                    if re.match(pattern, found.group(1)) and layer not in layers:
                        fail(f"src/{here}:{number}: {layer} may not include <{found.group(1)}>")


def check_total(files):
    total = sum(len(path.read_text("utf-8").splitlines()) for path in files
                if ROOT / "src" in path.parents)
    if total > SRC_LINES_MAX:
        fail(f"src: {total:,} lines, {SRC_LINES_MAX:,} are allowed: make it smaller, or say in "
             "tools/tidy.py why it grew")


def check_sizes(files):
    for path in files:
        if path.suffix not in CODE:
            continue
        lines = path.read_text("utf-8").splitlines()
        if len(lines) > LINES_MAX:
            fail(f"{path.relative_to(ROOT)}: {len(lines)} lines, {LINES_MAX} are allowed")
        for number, line in enumerate(lines, 1):
            # Addresses, raw strings and the rows of tables cannot be broken.
            row = path.suffix == ".def" and line.startswith("X(")
            if len(line) > COLUMNS_MAX and "http" not in line and 'R"(' not in line and not row:
                fail(f"{path.relative_to(ROOT)}:{number}: {len(line)} columns")


# The formatter sets the brace that ends a function below the beginning of its first line.
FUNCTION = re.compile(r"^( *)(?!(?:namespace|class|struct|union|enum|if|else|for|while|do|switch|"
                      r"case|try|catch|return|extern|using|typedef|public|private|protected|#)\b)"
                      r"[A-Za-z_~\[].*\)[^;={}]*(?:->[^;{}]*)?\{$")


def functions(lines):
    """(first line, count of lines) of each function."""
    for at, line in enumerate(lines):
        if not line.endswith("{") or line.lstrip().startswith(("//", "#", "}")):
            continue
        first = at
        while first > 0 and indent(lines[first]) > indent(lines[first - 1]) and \
                lines[first - 1].strip() and lines[first - 1].rstrip()[-1] not in ";{}":
            first -= 1
        if not FUNCTION.match(lines[first][:indent(lines[first])] +
                              " ".join(part.strip() for part in lines[first:at + 1])):
            continue
        end = " " * indent(lines[first]) + "}"
        for last in range(at + 1, len(lines)):
            if lines[last].startswith(end):
                yield first + 1, last - first + 1
                break


def indent(line):
    return len(line) - len(line.lstrip(" "))


def check_functions(files):
    for path in files:
        if path.suffix not in (".cpp", ".hpp") or ROOT / "src" not in path.parents:
            continue
        for number, count in functions(path.read_text("utf-8").splitlines()):
            if count > FUNCTION_LINES_MAX:
                fail(f"{path.relative_to(ROOT)}:{number}: a function of {count} lines, "
                     f"{FUNCTION_LINES_MAX} are allowed")


def check_includes(files):
    for path in files:
        if path.suffix != ".hpp" or ROOT / "src" not in path.parents:
            continue
        count = len(re.findall(r'^#include "', path.read_text("utf-8"), re.MULTILINE))
        if count > HEADER_INCLUDES_MAX:
            fail(f"{path.relative_to(ROOT)}: includes {count} headers of ours, "
                 f"{HEADER_INCLUDES_MAX} are allowed in a header")


def check_link_graph(_):
    """What CMakeLists.txt links is what the layers may include."""
    path = ROOT / "CMakeLists.txt"
    text = path.read_text("utf-8") if path.exists() else ""
    rows = re.findall(r"^dyad_library\((\w+) ([\w/]+)([^)]*)\)", text, re.MULTILINE)
    folders = {f"dyad_{name}": folder for name, folder, _ in rows}
    links = {folder: {folders[one] for one in libraries.split() if one in folders}
             for _, folder, libraries in rows}

    def reached(folder):
        return links[folder].union(*(reached(one) for one in links[folder]))

    for _, folder, _ in rows:
        layers = {one.rsplit("/", 1)[0] if one.endswith(".hpp") else one for one in ARROWS[folder]}
        # A port is a header: what is behind it is linked by whoever puts the parts together.
        allowed = layers.union(*(ARROWS.get(one, set()) for one in layers))
        for other in sorted(reached(folder) - allowed - {folder}):
            fail(f"CMakeLists.txt: {folder} links {other}, which it may not include")


def check_unfinished(files):
    for path in files:
        if path.suffix in CODE and path.name != "tidy.py":
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                if UNFINISHED.search(line):
                    fail(f"{path.relative_to(ROOT)}:{number}: unfinished: {line.strip()}")


def check_names(files):
    for path in files:
        here = path.relative_to(ROOT).as_posix()
        if here.startswith("src/"):
            if not re.fullmatch(r"[a-z0-9_]+\.(cpp|hpp|def|sql|html|css|js)", path.name):
                fail(f"{here}: file names are snake_case")
            if NAMES.search(path.stem):
                fail(f"{here}: a name that says nothing")
            if path.suffix in (".cpp", ".hpp"):
                for found in TYPE.finditer(path.read_text()):
                    if NAMES.search(found.group(1)):
                        fail(f"{here}: {found.group(1)} is a name that says nothing")


def check_guards(files):
    for path in files:
        if path.suffix == ".hpp" and "#pragma once" not in path.read_text():
            fail(f"{path.relative_to(ROOT)}: no #pragma once")


def check_header_comments(files):
    """Each header of the product begins with what it is."""
    for path in files:
        if path.suffix == ".hpp" and ROOT / "src" in path.parents and \
                not path.read_text().startswith("//"):
            fail(f"{path.relative_to(ROOT)}: does not begin with what it is")


def check_system_tests_are_foreign(files):
    """System tests know the product only by its binary."""
    for path in files:
        if ROOT / "tests/system" in path.parents and path.suffix in (".cpp", ".hpp"):
            if re.search(r'#include\s*"(base|model|wire|core|store|net|server)/', path.read_text()):
                fail(f"{path.relative_to(ROOT)}: a system test includes the product's source")


def check_skips(files):
    """A skip in the source says why; disabled tests are not kept."""
    for path in files:
        if ROOT / "tests" not in path.parents or path.suffix not in CODE or \
                path.name == "tidy_test.py":
            continue
        text = path.read_text("utf-8")
        if re.search(r"TEST\w*\(\s*\w+,\s*DISABLED_", text):
            fail(f"{path.relative_to(ROOT)}: a disabled test")
        if re.search(r"GTEST_SKIP\(\)\s*;", text) or re.search(r"pytest\.skip\(\s*\)", text):
            fail(f"{path.relative_to(ROOT)}: a skip that does not say why")


def check_generated(_):
    binary = ROOT / "build/release/dyad-memory"
    if not binary.exists():
        fail("build/release/dyad-memory is not built: ./x build")
        return
    sys.path.insert(0, str(ROOT / "tools"))
    import generated_docs
    for path in generated_docs.outdated():
        fail(f"{path} is not what the binary says: ./x docs")


def check_links(files):
    """Links inside the documents lead somewhere."""
    for path in files:
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8")):
            if "://" not in target and not target.startswith("mailto:") and \
                    not (path.parent / target).exists():
                fail(f"{path.relative_to(ROOT)}: the link to {target} leads nowhere")


CHECKS = [check_layers, check_link_graph, check_total, check_sizes, check_functions, check_includes,
          check_unfinished, check_names, check_guards,
          check_header_comments, check_system_tests_are_foreign, check_skips, check_generated,
          check_links]


def main():
    files = tracked()
    good = 0
    for check in CHECKS:
        before = len(failures)
        check(files)
        good += len(failures) == before
    for text in failures:
        print(text)
    print(f"{good} passed, {len(CHECKS) - good} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

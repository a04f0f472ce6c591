"""A server whose wall clock is wrong."""

import subprocess

import pytest

from support.server import ROOT

SHIM = ROOT / "tests/support/wrong_clock.c"


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "wrong_clock.so"
    subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIM), "-ldl"],
                   check=True)
    return library


@pytest.fixture
def clocked(make_server, shim, tmp_path):
    """A server whose wall clock is ahead by the seconds that stand in the file."""
    ahead = tmp_path / "ahead"
    ahead.write_text("0")

    def make(**env):
        return make_server(env={"LD_PRELOAD": str(shim), "DYAD_TEST_CLOCK": str(ahead), **env})

    return make, ahead

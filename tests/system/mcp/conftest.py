"""A server of the fixture registry, shared by the tests of a file."""

import pytest

from support.mcp import FixtureServer


@pytest.fixture(scope="module")
def cells():
    return 1


@pytest.fixture(scope="module")
def fixture(cells):
    with FixtureServer(env={"DYAD_CELLS": str(cells)}) as running:
        yield running
        assert running.process.poll() is None, f"the server ended:\n{running.log()}"

"""Fixtures for every system test."""

import pytest

from support.server import Server


@pytest.fixture(scope="module")
def server():
    """One running server with an empty store, shared by the tests of a file."""
    with Server() as running:
        yield running
        assert running.process.poll() is None, f"the server ended:\n{running.log()}"


@pytest.fixture
def make_server():
    """Servers that a test starts itself; all are ended after it."""
    made = []

    def make(*args, **kwargs):
        made.append(Server(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()

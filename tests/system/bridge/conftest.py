import pytest

from support.bridge import Machine
from support.server import Server


@pytest.fixture
def server():
    """A memory of its own for each test."""
    with Server() as running:
        yield running


@pytest.fixture
def machine(server, tmp_path):
    made = []

    def make(name):
        made.append(Machine(server, tmp_path, name))
        return made[-1]

    yield make
    for one in made:
        one.kill()

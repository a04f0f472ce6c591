"""docs/assistants-walk.md is what the server answers."""

from support.server import Server
from walk import PAGE, walk


def test_the_walk_of_two_assistants_is_as_recorded():
    with Server().start() as server:
        assert walk(server) == PAGE.read_text(), "record it anew: tests/system/mcp/walk.py --write"

"""What was acknowledged over /mcp/reference is there, whatever was killed; and the harness tells a
memory that loses from one that does not: the reference server is its control."""

from lost import OurDoor, missing_from, run_ours, run_reference
from support.server import PATIENCE, Server

WRITERS = 6


def test_nothing_that_was_acknowledged_is_lost():
    acknowledged, lost, kills = run_ours(WRITERS, 6 * PATIENCE)
    print(f"ours: {acknowledged} acknowledged, {lost} lost, {kills} kills")
    assert kills >= 3 and acknowledged > 20 * WRITERS
    assert lost == 0


def test_the_same_harness_finds_what_the_reference_server_loses():
    acknowledged, lost, kills = run_reference(WRITERS, 6 * PATIENCE)
    print(f"reference: {acknowledged} acknowledged, {lost} lost, {kills} kills")
    assert acknowledged > WRITERS and lost > 0


def test_what_is_missing_is_counted():
    with Server() as server:
        door = OurDoor(server, "one")
        door.call("create_entities", {"entities": [
            {"name": "shared", "entityType": "note", "observations": ["a"]}]})
        graph = door.call("read_graph", {})
    assert missing_from(graph, [("observation", "a"), ("observation", "b"),
                                ("entity", "shared"), ("entity", "x")]) == ["b", "x"]

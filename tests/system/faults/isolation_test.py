"""Nothing of one user ever reaches another: a canary for each, and everybody looks for them all."""

import random

import pytest

from support import rest
from support.plain import Plain
from support.v2 import V2

USERS = 40
WRITES = 25


def canary(user):
    return f"canary-of-{user}-{hash((user, 'dyad')) & 0xffffffff:x}"


@pytest.fixture(scope="module")
def conversations(server):
    """Everything each of many users was ever sent while all of them wrote."""
    users = [f"user-{n}" for n in range(USERS)]
    # Names that a careless comparison would confuse. Those with blanks at an end are refused.
    users += ["user-1.", "user- 1", "user-\u0661", "USER-1", "user-1%", "user-1/..", "ünser-1",
              "user-1'--", "{\"$gt\":\"\"}", "*", "user", "user-", "u"]
    clients = {}
    for user in users:
        clients[user] = [Plain(server.port, user), Plain(server.port, user), V2(server.port, user)]
    texts = {user: [] for user in users}
    chance = random.Random(7)
    order = [user for user in users for _ in range(WRITES)]
    chance.shuffle(order)
    for n, user in enumerate(order):
        clients[user][0].write(f"key-{n % 4}", {"canary": canary(user), "n": n})
        if n % 7 == 0:
            clients[user][0].set_mode(chance.choice(["didactic", "parallel"]))
    for user in users:
        plain, other, negotiated = clients[user]
        texts[user].append(plain.state())
        seen = 0
        while seen < WRITES:
            message = other.receive("context-sync")
            texts[user].append(message)
            seen += 1
        texts[user] += negotiated.events(WRITES)
        texts[user].append(other.state())
    for user in users:
        for client in clients[user]:
            client.close()
    return texts


def test_everybody_received_their_own(conversations):
    for user, messages in conversations.items():
        assert str(messages).count(canary(user)) >= 2 * WRITES


def test_nobody_received_anything_foreign(conversations):
    everything = {user: str(messages) for user, messages in conversations.items()}
    found = [(user, other) for user, text in everything.items() for other in everything
             if other != user and canary(other) in text]
    assert not found, found


def test_rest_gives_each_user_their_own(server, conversations):
    for user in list(conversations)[:10]:
        status, _, body = server.get("/api/v1/contexts", rest.as_user(user))
        assert status == 200
        text = body.decode()
        assert canary(user) in text
        assert not [other for other in conversations if other != user and canary(other) in text]


@pytest.mark.parametrize("user", ["user-1 ", " user-1", "user-1\u00a0", "user-\u200b1"])
def test_who_looks_like_another_one_is_nobody(server, user):
    with Plain(server.port) as plain:
        plain.user = user
        plain.write("k", {})
        assert plain.receive("error")["payload"]["detail"].startswith("userId: ")


def test_forged_user_in_an_envelope_changes_nothing(server):
    with Plain(server.port, "honest") as honest, Plain(server.port, "forger") as forger:
        forger.user = "honest"
        forger.write("stolen", {"forged": True})
        assert honest.nothing_comes(0.5)
        assert not honest.state()["contexts"]

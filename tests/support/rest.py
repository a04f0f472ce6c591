"""What the tests read through REST."""

import json

PAGE = 1000


def as_user(user):
    """The headers that say whose memory is meant."""
    return {"Dyad-User": user.encode()}


def read_json(server, path, user=None):
    status, _, body = server.get(path, as_user(user) if user else None)
    assert status == 200, (path, status, body[:500])
    return json.loads(body)


def read_log(server, user):
    """All events of the user, by pages."""
    events, after = [], 0
    while True:
        page = read_json(server, f"/api/v1/events?after={after}&limit={PAGE}", user)["events"]
        if not page:
            return events
        events += page
        after = page[-1]["offset"]

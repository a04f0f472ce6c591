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


class Api:
    """REST as one instance of one user."""

    def __init__(self, server, user, instance=None):
        self.server = server
        self.headers = as_user(user)
        if instance:
            self.headers["Dyad-Instance"] = instance

    def call(self, method, path, body=None, **headers):
        """The status and the answer's document."""
        text = None if body is None else json.dumps(body)
        status, _, answer = self.server.request(
            method, f"/api/v1/{path}", text,
            {**self.headers, "Content-Type": "application/json",
             **{name.replace("_", "-"): value for name, value in headers.items()}})
        return status, json.loads(answer or b"null")

    def get(self, path):
        status, answer = self.call("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def status(self, method, path, body=None, **headers):
        return self.call(method, path, body, **headers)[0]

"""Several threads serve connections: whichever a client gets, it sees one memory."""

import http.client
import json
import threading

import pytest

from support.plain import Plain
from support.server import wait_until
from support.v2 import V2

CELLS = 4


@pytest.fixture
def server(make_server):
    return make_server(["--cells", str(CELLS)]).start()


class Api:
    """One connection that stays open, so that it stays with its thread."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)

    def __call__(self, method, path, body=None, **headers):
        text = None if body is None else json.dumps(body)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, "/api/v1" + path, text,
                                {"Content-Type": "application/json", "Dyad-User": "ada", **headers})
        answer = self.connection.getresponse()
        self.headers = answer.headers
        return answer.status, json.loads(answer.read() or "null")


@pytest.fixture
def busy(server):
    """Others keep every thread turning."""
    done = threading.Event()

    def others(name):
        with Plain(server.port, name) as other:
            while not done.is_set():
                other.ping()

    threads = [threading.Thread(target=others, args=(f"other-{n}",)) for n in range(CELLS)]
    for thread in threads:
        thread.start()
    yield
    done.set()
    for thread in threads:
        thread.join()


def test_what_was_acknowledged_by_one_is_read_from_every_other(server, busy):
    apis = [Api(server) for _ in range(CELLS)]
    for n in range(150):
        writer = apis[n % CELLS]
        status, _ = writer("PUT", "/contexts/plan", {"data": {"n": n}, "force": True})
        assert status in (200, 201)
        for api in apis:
            assert api("GET", "/contexts/plan")[1]["data"] == {"n": n}
            assert api("GET", "/contexts")[1]["contexts"][0]["data"] == {"n": n}


def test_a_read_says_how_fresh_its_answer_must_be(server, busy):
    apis = [Api(server) for _ in range(CELLS)]
    for n in range(50):
        _, written = apis[n % CELLS]("PUT", "/contexts/plan", {"data": {"n": n}, "force": True})
        for api in apis:
            at_least = f"/contexts/plan?fresh={written['position']}"
            assert api("GET", at_least)[1]["data"] == {"n": n}
            assert "Age" not in api.headers
            status, found = api("GET", "/contexts/plan?fresh=any")
            assert status == 200 and found["data"]["n"] <= n
            assert int(api.headers["Age"]) >= 0


def test_a_freshness_that_cannot_be_had_is_named(server):
    api = Api(server)
    _, written = api("PUT", "/contexts/plan", {"data": {}})
    epoch, offset, digest = written["position"].split(".")
    for wrong in ("newest", "", f"{epoch}.{int(offset) + 1}.{digest}",
                  f"{int(epoch, 16) ^ 1:016x}.{offset}.{digest}"):
        for path in ("/contexts/plan", "/contexts", "/modes", "/instances", "/conflicts"):
            status, problem = api("GET", f"{path}?fresh={wrong}")
            assert status == 400 and problem["detail"].startswith("fresh: "), (wrong, problem)
    assert api("GET", f"/contexts?fresh={written['position']}")[0] == 200
    assert api("GET", "/contexts?fresh=latest")[0] == 200


def test_a_version_is_compared_with_the_newest_one(server, busy):
    apis = [Api(server) for _ in range(CELLS)]
    assert apis[0]("PUT", "/contexts/plan", {"data": {}})[0] == 201
    for version in range(1, 200):
        api = apis[version % CELLS]
        status, answer = api("PUT", "/contexts/plan", {"data": {"n": version}},
                             If_Match=f'"{version}"')
        assert status == 200, answer


def test_a_write_that_is_repeated_elsewhere_is_done_once(server, busy):
    apis = [Api(server) for _ in range(CELLS)]
    for n in range(50):
        answers = [api("PUT", "/contexts/plan", {"data": {"n": n}, "force": True},
                       Idempotency_Key=f"operation-{n}", Dyad_Instance="desk")[1]
                   for api in apis]
        assert {answer["version"] for answer in answers} == {n + 1}


def test_everybody_hears_everything_in_one_order_while_asking_for_states(server):
    clients = [Plain(server.port, "ada") for _ in range(2 * CELLS)]
    heard = [[] for _ in clients]
    rounds = 60

    def take_part(at):
        client = clients[at]
        for n in range(rounds):
            client.write(f"from-{at}", {"n": n})
            client.send("state-request", {})
            newest = None
            while newest is None:
                message = client.read(20)
                if message["type"] == "context-sync":
                    heard[at].append(key_and_number(message))
                elif message["type"] == "error":
                    raise AssertionError(message["payload"])
                elif message["type"] == "state-response":
                    newest = {one["contextKey"]: one["data"]["n"]
                              for one in message["payload"]["contexts"]}
            assert newest[f"from-{at}"] == n

    def key_and_number(message):
        return message["payload"]["contextKey"], message["payload"]["data"]["n"]

    failures = []

    def run(at):
        try:
            take_part(at)
            wanted = rounds * (len(clients) - 1)
            while len(heard[at]) < wanted:
                message = clients[at].receive("context-sync", 20)
                heard[at].append(key_and_number(message))
        except Exception as failure:  # shown by the test's own thread
            failures.append((at, repr(failure)))

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert not failures
    api = Api(server)
    order = [(event["data"]["context"]["contextKey"], event["data"]["context"]["data"]["n"])
             for event in everything(api)]
    for at, events in enumerate(heard):
        assert events == [one for one in order if one[0] != f"from-{at}"]


def everything(api):
    events, after = [], "0"
    while True:
        page = api("GET", f"/events?after={after}")[1]
        if not page["events"]:
            return events
        events += page["events"]
        after = page["position"]


def test_everybody_is_present_for_everybody(server):
    names = {f"instance-{n}" for n in range(2 * CELLS)}
    clients = [V2(server.port, "ada", instance=name) for name in sorted(names)]

    def present(client):
        return {one["instanceId"] for one in
                client.receive("presence", 20)["payload"]["instances"]}

    try:
        for client in clients:
            wait_until(lambda: present(client) == names, 20, what="everybody's presence")
        listed = Api(server)("GET", "/instances")[1]["instances"]
        assert {one["instanceId"] for one in listed if one["presence"]} == names
        clients.pop().close()
        for client in clients:
            wait_until(lambda: len(present(client)) == len(names) - 1, 20, what="who has gone")
    finally:
        for client in clients:
            client.close()


def test_a_place_before_the_first_event_is_the_same_from_every_thread(server):
    for user in (f"early-{n}" for n in range(15)):
        early = [V2(server.port, user) for _ in range(2 * CELLS)]
        early[0].put("k", {})
        places = []
        for client in early:
            (event,) = client.events(1)
            epoch = client.welcome["payload"]["position"].split(".")[0]
            places.append(f"{epoch}.{event['offset']}.{event['hash']}")
            client.close()
        assert len(set(places)) == 1, places
        for place in [*places, early[0].welcome["payload"]["position"]]:
            with V2(server.port, user, resume=place) as again:
                assert again.receive(("reset", "position"))["type"] == "position"


def test_a_place_before_the_first_event_is_good_after_a_restart(server):
    with V2(server.port, "ada") as early:
        place = early.welcome["payload"]["position"]
    server.kill()
    server.start()
    with V2(server.port, "ada") as later:
        assert later.welcome["payload"]["position"] == place
        later.put("k", {})
    with V2(server.port, "ada", resume=place) as again:
        assert again.receive(("reset", "events"))["type"] == "events"

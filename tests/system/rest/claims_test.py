"""Claims and provenance on the real server: two instances, one memory, a server that is killed."""

import json
import threading
import time
import urllib.parse
import uuid

import pytest

from support.backends import MONGO_VENV, Mongo, Redis
from support.plain import Plain
from support.rest import Api, read_log
from support.server import PATIENCE, Server, wait_until
from support.v2 import V2, Refused


@pytest.fixture
def user():
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def desk(server, user):
    return Api(server, user, "desk")


@pytest.fixture
def phone(server, user):
    return Api(server, user, "phone")


def acquire(api, resource="file:/a", ttl=60000, **fields):
    return api.call("POST", "claims", {"resource": resource, "ttlMs": ttl, **fields})


def granted(api, *args, **fields):
    status, answer = acquire(api, *args, **fields)
    assert status == 201 and answer["action"] == "granted", (status, answer)
    return answer["claim"]


def release(api, claim):
    query = urllib.parse.urlencode({"resource": claim["resource"], "token": claim["token"]})
    return api.call("DELETE", f"claims?{query}")


def fence(claim):
    return {"resource": claim["resource"], "token": claim["token"]}


def write(api, key, fenced_by=None, **fields):
    body = {"data": {"by": "x"}, "force": True, **fields}
    if fenced_by:
        body["fence"] = fence(fenced_by)
    return api.call("PUT", f"contexts/{key}", body)


def taken_over(api, **fields):
    """The claim, once the other one's is over."""
    def try_it():
        status, answer = acquire(api, **fields)
        assert status == 201 or answer["code"] == "claimed", answer
        return answer["claim"] if status == 201 else None
    return wait_until(try_it, 10, 0.02, "the claim to be over")


def test_of_many_that_claim_one_gets_it(server, user):
    answers = []

    def race(number):
        answers.append(acquire(Api(server, user, f"agent-{number}")))
    threads = [threading.Thread(target=race, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [201] + 11 * [409]
    winner = next(answer["claim"] for status, answer in answers if status == 201)
    for status, answer in answers:
        if status == 409:
            assert answer["code"] == "claimed" and answer["claim"] == winner
            assert winner["instanceId"] in answer["detail"]


def test_a_late_holder_is_refused_in_every_way_of_writing(desk, phone):
    late = granted(desk, ttl=300)
    assert write(desk, "k", late)[0] == 201
    held = taken_over(phone)
    assert held["token"] > late["token"] and held["instanceId"] == "phone"
    header = {"Dyad_Fence": json.dumps(fence(late))}
    tries = [
        write(desk, "k", late),
        desk.call("PUT", "contexts/k", {"data": {}, "force": True}, **header),
        desk.call("PATCH", "contexts/k", {"n": 1}, **header,
                  Content_Type="application/merge-patch+json"),
        desk.call("PATCH", "contexts/k", [], **header, Content_Type="application/json-patch+json"),
        desk.call("DELETE", "contexts/k", **header),
        desk.call("POST", "contexts/k/restore", {"version": 1, "fence": fence(late)}),
        desk.call("PUT", "modes/desk", {"mode": "parallel", "fence": fence(late)}),
        desk.call("POST", "events/mcp", {"kind": "mcp-server-added", "payload": {},
                                         "fence": fence(late)}),
        release(desk, late),
    ]
    for status, answer in tries:
        assert (status, answer["code"]) == (409, "claim_lost"), answer
        assert answer["claim"]["token"] == held["token"]
    assert phone.get("contexts/k")["version"] == 1
    assert write(phone, "k", held)[0] == 200
    assert write(desk, "k")[0] == 200, "claims bind who asks"
    assert release(phone, held)[0] == 200


def test_a_claim_lasts_as_long_as_it_is_renewed(desk, phone):
    first = granted(desk, ttl=700, note="mending")
    for _ in range(6):
        time.sleep(0.25)
        status, answer = acquire(desk, ttl=700)
        assert (status, answer["action"]) == (200, "renewed")
        assert answer["claim"]["token"] == first["token"]
        assert answer["claim"]["note"] == "mending"
        assert acquire(phone)[1]["code"] == "claimed"
    last = answer["claim"]
    taken_over(phone)
    assert time.time() * 1000 >= last["expiresAt"]


def test_an_operation_that_comes_again_gets_its_answer_again(desk, phone):
    key = str(uuid.uuid4())
    first = desk.call("POST", "claims", {"resource": "r", "ttlMs": 200}, Idempotency_Key=key)
    wait_until(lambda: not desk.get("claims")["claims"], 10, 0.02, "its end")
    assert desk.call("POST", "claims", {"resource": "r", "ttlMs": 200}, Idempotency_Key=key) \
        == first
    assert desk.get("claims")["claims"] == [], "it was not granted again"
    held = granted(desk, "r")
    written = {"data": {"n": 1}, "fence": fence(held)}
    before = desk.call("PUT", "contexts/k", written, Idempotency_Key="w")
    assert before[0] == 201
    release(desk, held)
    assert desk.call("PUT", "contexts/k", written, Idempotency_Key="w") == before


def test_everybody_who_negotiated_follows_and_others_hear_nothing(server, user, desk):
    with V2(server.port, user, "agent") as agent, Plain(server.port, user, "old") as old:
        held = agent.do("claim.acquire", resource="file:/a", ttlMs=60000)["result"]["claim"]
        agent.do("claim.release", resource="file:/a", token=held["token"])
        granted(desk, ttl=200)
        events = agent.events(3)
        while len(events) < 4:
            events += agent.events(1)
        assert [event["data"]["action"] for event in events] == \
            ["granted", "released", "granted", "expired"]
        for event in events:
            assert event["kind"] == "claim-changed" and event["eventType"] == "config-updated"
            assert event["scope"] == "claim:file:/a"
        assert events[3]["sourceInstanceId"] == "dyad-server"
        with pytest.raises(Refused) as refused:
            agent.put("k", {}, fence=fence(held))
        assert refused.value.code == "claim_lost"
        write(desk, "k")
        assert old.receive("context-sync")["payload"]["contextKey"] == "k"
    held = granted(desk, "file:/b")
    with V2(server.port, user, "late", snapshot=True) as late:
        claims = []
        while True:
            payload = late.receive("snapshot")["payload"]
            claims += payload["claims"]
            if payload["last"]:
                break
        assert claims == [held]


def test_a_killed_server_keeps_claims_and_ends_those_of_the_dead(make_server):
    server = make_server().start()
    desk, phone = Api(server, "ada", "desk"), Api(server, "ada", "phone")
    kept = granted(desk, "file:/kept", note="n")
    short = granted(desk, "file:/short", ttl=1500)
    write(desk, "k", kept, provenance={"kind": "model", "model": "m"})
    server.kill()
    server.start()

    def ended():  # pages of the log are read from the store: nobody asks for claims
        return [event["data"] for event in read_log(server, "ada")
                if event["kind"] == "claim-changed" and event["data"]["action"] == "expired"]
    assert wait_until(ended, 60, 0.2, "the end of a claim") == [
        {"action": "expired", "claim": short}]
    assert desk.get("claims")["claims"] == [kept]
    assert acquire(phone, "file:/kept")[1]["claim"] == kept
    assert write(desk, "k", kept)[0] == 200
    assert write(desk, "k", short)[1]["code"] == "claim_lost"
    assert granted(phone, "file:/short")["token"] > short["token"]
    server.kill()
    server.start()
    assert [one["resource"] for one in desk.get("claims")["claims"]] == \
        ["file:/kept", "file:/short"]
    assert desk.get("contexts/k/history/1")["provenance"] == \
        {"kind": "model", "model": "m", "trust": "unverified"}
    assert server.get("/api/v1/check")[2].splitlines()[-1].find(b'"ok":true') > 0


def test_bad_claims_are_refused_with_the_field_and_the_limit(desk):
    cases = [
        ({}, "resource: "), ({"resource": "x" * 513}, "resource: at most 512 bytes"),
        ({"resource": "r", "ttlMs": 99}, "ttlMs: must be a whole number from 100 to 86400000"),
        ({"resource": "r", "ttl": 5}, "ttl: is not known here"),
        ({"resource": "r", "note": 7}, "note: must be a string"),
    ]
    for body, begins in cases:
        status, answer = desk.call("POST", "claims", body)
        assert status in (400, 413) and answer["detail"].startswith(begins), answer
    for query, begins in (("resource=r", "token: "), ("token=1", "resource: "),
                          ("resource=r&token=x", "token: must be a whole number"),
                          ("resource=r&token=1&x=1", "x: is not a query parameter")):
        status, answer = desk.call("DELETE", f"claims?{query}")
        assert status == 400 and answer["detail"].startswith(begins), answer
    for header, begins in (('{"resource":"r"}', "fence.token: "), ("r 1", "Dyad-Fence: "),
                           ('{"resource":"r","token":1} x', "")):
        status, answer = desk.call("DELETE", "contexts/k", Dyad_Fence=header)
        assert status == 400 and answer["detail"].startswith(begins), answer
    status, answer = desk.call("PUT", "contexts/k", {"data": {}, "fence": {"resource": "r",
                               "token": 1}}, Dyad_Fence='{"resource":"r","token":1}')
    assert status == 400 and "send it in one place" in answer["detail"]
    status, answer = desk.call("DELETE", "contexts/k", Dyad_Provenance='{"kind":"user"}')
    assert status == 400 and answer["detail"] == "Dyad-Provenance: this request takes none"


def test_a_provenance_stays_with_its_value_and_with_no_other(desk):
    web = {"kind": "web", "trust": "quarantined"}
    mine = {"kind": "user", "trust": "trusted"}

    def stored():
        return desk.get("contexts/k").get("provenance")
    assert write(desk, "k", provenance=web)[1]["context"]["provenance"] == web
    patch = {"Content_Type": "application/merge-patch+json"}
    desk.call("PATCH", "contexts/k", {"n": 1}, **patch, Dyad_Provenance=json.dumps(mine))
    assert stored() == {"kind": "user", "trust": "quarantined"}, "a part of it vouches for a part"
    desk.call("PATCH", "contexts/k", {"n": 2}, **patch)
    assert stored() is None
    write(desk, "k", provenance=mine)
    assert stored() == mine
    desk.call("POST", "contexts/k/restore", {"version": 1})
    assert stored() == web, "what is restored is what it was"
    versions = desk.get("contexts/k/history")["versions"]
    assert [one["context"].get("provenance") for one in versions] == \
        [web, mine, None, {"kind": "user", "trust": "quarantined"}, web]
    status, answer = write(desk, "k", provenance={"kind": "robot"})
    assert status == 400
    assert answer["detail"] == "provenance.kind: must be user, model, tool, web or import"


@pytest.mark.skipif(not (MONGO_VENV / "bin/secantusd-py").exists(),
                    reason="the MongoDB server of the tests is not installed")
def test_two_nodes_that_share_a_database_grant_one_claim():
    with Redis() as redis, Mongo() as mongo:
        env = {"ENABLE_DISTRIBUTED_MEMORY": "true", "DISTRIBUTED_USER_ID": "ada",
               **redis.env(), **mongo.env()}
        with Server(env=env) as one, Server(env=env) as two:
            desk, phone = Api(one, "ada", "desk"), Api(two, "ada", "phone")
            held = granted(desk, ttl=int(3000 * PATIENCE), note="n", session="s")
            assert acquire(phone)[1]["claim"] == held
            assert phone.get("claims")["claims"] == [held]
            write(phone, "k", held, provenance={"kind": "tool"})
            one.kill()  # the holder's node dies, and nobody renews
            next_one = taken_over(phone)
            assert next_one["token"] > held["token"]
            one.start()
            assert write(desk, "k", held)[1]["code"] == "claim_lost"
            assert desk.get("claims")["claims"] == [next_one]
            assert desk.get("contexts/k")["provenance"] == \
                {"kind": "tool", "trust": "unverified"}
            assert release(desk, next_one)[0] == 200
            assert phone.get("claims")["claims"] == []

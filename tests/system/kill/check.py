"""The checker of the kill -9 test: what clients were told against what the log holds."""

import json
import random

from support import chain, rest


def written_by(event):
    data = event["data"]["context"]["data"]
    return data["by"], data["n"]


class Verdict:
    def __init__(self):
        self.lost = self.doubled = self.disordered = 0
        self.wrong = []

    def ok(self):
        return not (self.lost or self.doubled or self.disordered or self.wrong)


def check_user(server, memory, clients, verdict, proofs):
    events = rest.read_log(server, memory.user)
    offsets = [event["offset"] for event in events]
    if offsets != list(range(1, len(events) + 1)):
        verdict.wrong.append(f"{memory.user}: the offsets are not dense")
    times = [event["timestamp"] for event in events]
    if times != sorted(times):
        verdict.wrong.append(f"{memory.user}: timestamps go back")

    places = {}
    for event in events:
        places.setdefault((event["sourceInstanceId"], event["operationId"]), []).append(event)
    verdict.doubled += sum(len(found) - 1 for found in places.values())

    for client in clients:
        for operation, (number, offset) in client.acknowledged.items():
            found = places.get((client.instance, operation), [])
            if not any(event["offset"] == offset and written_by(event) == (client.instance, number)
                       for event in found):
                verdict.lost += 1
        check_order(client, verdict)
    for offset, short_hash in memory.hash_at.items():
        if offset > len(events) or events[offset - 1]["hash"] != short_hash:
            verdict.lost += 1
            verdict.wrong.append(f"{memory.user}: delivered event {offset} is not in the log")
            break
    verdict.wrong += memory.wrong[:5]
    check_chain(server, memory.user, events, verdict, proofs)
    return len(events)


def check_order(client, verdict):
    """Real time: what anybody had been told of before an operation was first sent stands before it,
    and so does what the client itself had sent for the last time by then. What was told to come
    again has no place before it does; all others are in the order in which they were first sent,
    however often a new connection repeated them. (The answers themselves may overtake each other:
    one of a repeated operation takes a look into the log.)"""
    offsets = dict(client.acknowledged.values())  # number -> offset
    last = sorted(offsets, key=lambda number: client.last_sent.get(number, number))
    settled = 0   # the greatest offset of what was sent for the last time until then,
    straight = 0  # and of what was never told to come again
    at = 0
    for number in sorted(offsets, key=lambda number: client.first_sent.get(number, number)):
        offset, sent = offsets[number], client.first_sent.get(number, number)
        while at < len(last) and client.last_sent.get(last[at], last[at]) < sent:
            settled = max(settled, offsets[last[at]])
            at += 1
        before = max(settled, client.floor.get(number, 0))
        if number not in client.refused:
            before, straight = max(before, straight), max(offset, straight)
        if offset <= before:
            verdict.disordered += 1
            verdict.wrong.append(f"{client.memory.user}: write {number} of {client.instance[:8]} "
                                 f"is event {offset}, and was sent when {before} was there")


def check_chain(server, user, events, verdict, proofs):
    """Proofs of the first events and of runs at random places, each following from the last."""
    starts = {1} | {random.randint(1, max(1, len(events) - 10)) for _ in range(proofs)}
    for start in sorted(starts):
        before = None
        for offset in range(start, min(start + 10, len(events) + 1)):
            status, _, body = server.get(f"/api/v1/events/{offset}", rest.as_user(user))
            if status != 200:
                verdict.wrong.append(f"{user}: no proof of event {offset}: {status}")
                return
            proof = json.loads(body)["proof"]
            wrong = chain.problem(proof, events[offset - 1], user)
            if before and proof["prevHash"] != before:
                wrong = "it does not follow the event before it"
            if wrong:
                verdict.wrong.append(f"{user}: event {offset}: {wrong}")
                return
            before = proof["hash"]

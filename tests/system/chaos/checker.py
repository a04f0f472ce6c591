"""The checker of the chaos runs: the twelve things that must hold, always, as far as they can be
seen from outside. Pure: a history in, what is wrong with it out.
"""

import bisect

from support import chain

RECOVERY_S_MAX = 5.0


def check(history, recovery_s_max=RECOVERY_S_MAX):
    """What is wrong, as (point, text)."""
    checker = Checker(history, recovery_s_max)
    for point in POINTS:
        point(checker)
    return checker.wrong


class Checker:
    def __init__(self, history, recovery_s_max):
        self.history = history
        self.recovery_s_max = recovery_s_max
        self.wrong = []
        # Of each user: the places of each operation, and of each context the offsets of its events.
        self.places, self.of_key = {}, {}
        for user, memory in history.memories.items():
            for event in memory.log:
                at = (user, event["sourceInstanceId"], event["operationId"])
                self.places.setdefault(at, []).append(event)
                self.of_key.setdefault((user, event["scope"]), []).append(event)

    def fail(self, point, text):
        self.wrong.append((point, text))

    def found(self, operation):
        return self.places.get((operation.user, operation.instance, operation.id), [])

    def event(self, user, offset):
        log = self.history.memories[user].log
        return log[offset - 1] if 1 <= offset <= len(log) else None


def context_of(event):
    return event["data"]["context"]


def operations_are_in_the_log_once(checker):
    history = checker.history
    asked = {(one.user, one.instance, one.id) for one in history.operations}
    for at, events in checker.places.items():
        if len(events) > 1:
            checker.fail(1, f"{at}: applied {len(events)} times")
        if at not in asked:
            checker.fail(1, f"{at}: in the log, and nobody asked for it")
    for one in history.operations:
        events = checker.found(one)
        # A refusal is not remembered: another copy of it, sent before, may have been decided later,
        # on another state. Not so where it names its base, which does not come back.
        if one.refused and any(one.sent == 1 or one.expected is not None or
                               event["offset"] <= one.sent_floor for event in events):
            checker.fail(1, f"{one.user} {one.id}: refused ({one.refused}), and in the log")
        if one.offset is not None and not any(event["offset"] == one.offset for event in events):
            checker.fail(1, f"{one.user} {one.id}: acknowledged at {one.offset}, and not there")
        for event in events:
            context = context_of(event)
            if (event["scope"], context["data"]) != ("ctx:" + one.key, one.data):
                checker.fail(1, f"{one.user} {one.id}: in the log with another content")
            if one.version is not None and context["version"] != one.version:
                checker.fail(1, f"{one.user} {one.id}: acknowledged as another version")


def offsets_are_dense(checker):
    for user, memory in checker.history.memories.items():
        if [event["offset"] for event in memory.log] != list(range(1, len(memory.log) + 1)):
            checker.fail(2, f"{user}: the offsets are not dense")


def deliveries_are_slices_of_the_log(checker):
    for one in checker.history.slices:
        if one.reset:
            checker.fail(3, f"{one.client}: its place in the log was lost")
        last = one.after
        for offset, short_hash, _ in one.events:
            if last is not None and offset != last + 1:
                checker.fail(3, f"{one.client}: {offset} came after {last}")
            event = checker.event(one.user, offset)
            if event is None or event["hash"] != short_hash:
                checker.fail(3, f"{one.client}: event {offset} is not the log's")
            last = offset
    for one in checker.history.plain_slices:
        last = {}
        for key, version, data in one.seen:
            if version <= last.get(key, 0):
                checker.fail(3, f"{one.client}: {key} went from version {last[key]} to {version}")
            last[key] = version
            if not any(context_of(event)["version"] == version and context_of(event)["data"] == data
                       for event in checker.of_key.get((one.user, "ctx:" + key), [])):
                checker.fail(3, f"{one.client}: {key}, version {version} is not the log's")


def nobody_elses_event_is_delivered(checker):
    history = checker.history
    for one in history.slices:
        if any(owner != one.user for _, _, owner in one.events):
            checker.fail(4, f"{one.client}: got an event of another user")
    for one in history.plain_slices:
        if any(data is not None and data["user"] != one.user for _, _, data in one.seen):
            checker.fail(4, f"{one.client}: got a context of another user")
    for one in history.reads:
        if one.data is not None and one.data["user"] != one.user:
            checker.fail(4, f"{one.user}: read a context of another user")


def versions_follow_their_bases(checker):
    for (user, scope), events in checker.of_key.items():
        last = 0
        for event in events:
            version = context_of(event)["version"]
            if event["data"]["previousVersion"] != last or version <= last:
                checker.fail(5, f"{user} {scope}: version {version} at {event['offset']} "
                                f"is based on another one than {last}")
            last = version
    for one in checker.history.operations:
        for event in checker.found(one) if one.expected is not None else []:
            if event["data"]["previousVersion"] != one.expected:
                checker.fail(5, f"{one.user} {one.id}: accepted on another base than its own")


def folded(log):
    state = {}
    for event in log:
        context = context_of(event)
        key = event["scope"].removeprefix("ctx:")
        state.pop(key, None)
        if not context.get("deleted"):
            state[key] = (context["version"], context["data"])
    return state


def states_are_the_folded_logs(checker):
    for user, memory in checker.history.memories.items():
        wanted = folded(memory.log)
        if not memory.states:
            checker.fail(6, f"{user}: no state was read")
        for node, state in memory.states.items():
            if state != wanted:
                keys = sorted(key for key in {*state, *wanted}
                              if state.get(key) != wanted.get(key))
                checker.fail(6, f"{user}: {node} has another state: {keys[:3]}")


def reads_see_what_was_told_before(checker):
    """Whatever anybody was told of before the read began; so what a client wrote and read itself,
    too. And nothing that nobody had asked for when it ended."""
    began = {(one.user, one.instance, one.id): one.begun for one in checker.history.operations}
    for one in checker.history.reads:
        events = checker.of_key.get((one.user, "ctx:" + one.key), [])
        at = bisect.bisect_right([event["offset"] for event in events], one.floor) - 1
        allowed = events[max(at, 0):]
        if one.version is None:
            good = at < 0 or any(context_of(event).get("deleted") for event in allowed)
        else:
            match = [event for event in allowed
                     if (event["offset"], context_of(event)["version"], context_of(event)["data"])
                     == (one.offset, one.version, one.data)]
            good = bool(match)
            for event in match:
                operation = (one.user, event["sourceInstanceId"], event["operationId"])
                if began.get(operation, 0) > one.ended:
                    checker.fail(7, f"{one.user}: {one.key} was read before it was written")
        if not good:
            checker.fail(7, f"{one.user}: a read of {one.key} after offset {one.floor} got offset "
                            f"{one.offset}, version {one.version}")


def chains_verify(checker):
    for user, memory in checker.history.memories.items():
        if len(memory.proofs) != len(memory.log):
            checker.fail(8, f"{user}: {len(memory.proofs)} proofs of {len(memory.log)} events")
        before = None
        for proof, event in zip(memory.proofs, memory.log):
            problem = chain.problem(proof, event, user)
            if before and proof["prevHash"] != before:
                problem = "it does not follow the event before it"
            if problem:
                checker.fail(8, f"{user}: event {event['offset']}: {problem}")
                break
            before = proof["hash"]


def timestamps_do_not_go_back(checker):
    for user, memory in checker.history.memories.items():
        times = [event["timestamp"] for event in memory.log]
        if times != sorted(times):
            checker.fail(9, f"{user}: timestamps go back")


def everyone_recovers(checker):
    for client, seconds in checker.history.recoveries.items():
        if seconds is None or seconds > checker.recovery_s_max:
            took = "never" if seconds is None else f"{seconds:.1f} s"
            checker.fail(10, f"{client}: live again after the heal: {took}")


def nothing_is_acknowledged_in_an_outage(checker):
    for outage in checker.history.outages:
        for one in checker.history.operations:
            if one.offset is not None and one.begun > outage.begun and \
                    one.answered < outage.ended:
                checker.fail(11, f"{one.user} {one.id}: acknowledged while the database was down")


def real_time_is_the_logs_order(checker):
    for one in checker.history.operations:
        for event in checker.found(one):
            if event["offset"] <= one.floor:
                checker.fail(12, f"{one.user} {one.id}: at {event['offset']}, and began when "
                                 f"{one.floor} was known")


def nothing_else_was_broken(checker):
    for text in checker.history.broken:
        checker.fail(0, text)


POINTS = [operations_are_in_the_log_once, offsets_are_dense, deliveries_are_slices_of_the_log,
          nobody_elses_event_is_delivered, versions_follow_their_bases, states_are_the_folded_logs,
          reads_see_what_was_told_before, chains_verify, timestamps_do_not_go_back,
          everyone_recovers, nothing_is_acknowledged_in_an_outage, real_time_is_the_logs_order,
          nothing_else_was_broken]

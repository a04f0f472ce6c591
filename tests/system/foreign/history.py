"""What one interleaving was, as its actors saw it, and the checker of it: what docs/decisions 15
and 17 promise to existing instances and to ours.

A value is told by a number of its own, data.id. The checker never looks at time: what a foreign
write took away (`overwrote`) says whether the value before it was still there.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class ForeignWrite:
    key: str
    id: int
    version: object  # what it put into metadata.version; None: nothing
    acknowledged: bool
    overwrote: list = field(default_factory=list)  # the ids that it took away, as far as told


@dataclass
class History:
    seed: int = 0
    faulty: bool = False  # something was killed, or was not all back, while it ran
    foreign: list = field(default_factory=list)  # ForeignWrite, in their order
    ours: dict = field(default_factory=dict)  # operation id -> (key, id or None, acknowledged)
    transitions: list = field(default_factory=list)  # (id or None, instance, mode), in their order
    announced: list = field(default_factory=list)  # event ids of mcp:* and response:generated
    log: list = field(default_factory=list)
    contexts: list = field(default_factory=list)  # of each node: key -> (id, version)
    rest_transitions: list = field(default_factory=list)  # (instance, mode), oldest first
    rest_modes: dict = field(default_factory=dict)  # instance -> mode
    documents: dict = field(default_factory=dict)  # collection -> documents
    heard: dict = field(default_factory=dict)  # foreign instance -> envelopes
    pushed: list = field(default_factory=list)  # (key, version) that a WebSocket client was sent


class Figures(Counter):
    pass


def transition_of(event):
    """The ObjectId in an operation id mode:<length><07>_id\\0<ObjectId>\\0 of BSON."""
    return event["operationId"].removeprefix("mode:")[18:42]


def theirs(version):
    """metadata.version as a number of ours; what is none counts as 0."""
    good = isinstance(version, (int, float)) and not isinstance(version, bool) and version >= 1
    return int(version) if good else 0


class Checker:
    def __init__(self, history):
        self.h = history
        self.problems = []
        self.figures = Figures()
        self.of_contexts = [event for event in history.log if event["kind"] == "context-changed"]
        self.foreign_ids = Counter(self.id_of(event) for event in self.of_contexts
                                   if event["sourceInstanceId"] == "foreign")

    def say(self, problem):
        self.problems.append(f"seed {self.h.seed}: {problem}")

    @staticmethod
    def id_of(event):
        data = event["data"]["context"]["data"]
        return data.get("id") if data else None

    def run(self):
        self.dense()
        self.nothing_foreign_lost()
        self.versions()
        self.ours_once()
        self.state_and_documents()
        self.transitions()
        self.announcements()
        if not self.h.faulty:
            self.envelopes()
            self.pushes()
        return self.problems

    def dense(self):
        offsets = [event["offset"] for event in self.h.log]
        if offsets != list(range(1, len(offsets) + 1)):
            self.say(f"offsets {offsets}")

    # A value may be missing only where a foreign write found it still in the document, or where
    # nobody can say what one found: one that found itself was done twice, by its server or driver
    # (SecantusDB tries a write again that it had taken), and what the first one found is not told.
    def nothing_foreign_lost(self):
        followers = {}
        last = {}
        for write in self.h.foreign:
            if write.key in last:
                followers[last[write.key].id] = write
            last[write.key] = write
        for write in self.h.foreign:
            self.figures["foreign writes"] += write.acknowledged
            count = self.foreign_ids[write.id]
            if count > 1:
                self.say(f"foreign value {write.id} is {count} times in the log")
            if count or not write.acknowledged:
                continue
            after = followers.get(write.id)
            if after is not None and write.id in after.overwrote:
                self.figures["overwritten by its own writer"] += 1
            elif after is not None and (not after.acknowledged or after.id in after.overwrote):
                self.figures["not known what overwrote it"] += 1
            else:
                found = "nothing" if after is None else f"{after.overwrote} was taken away"
                self.say(f"foreign value {write.id} of {write.key} is lost; afterwards {found}")

    def versions(self):
        told = {write.id: theirs(write.version) for write in self.h.foreign}
        stored = defaultdict(int)
        for event in self.of_contexts:
            context = event["data"]["context"]
            key, version = context["contextKey"], context["version"]
            expected = stored[key] + 1
            if event["sourceInstanceId"] == "foreign":
                value = self.id_of(event)
                if value not in told:
                    self.say(f"a foreign event {event['offset']} of a value nobody wrote")
                expected = max(expected, told.get(value, 0))
                self.figures["adopted"] += 1
            if version != expected:
                self.say(f"version {version} of {key} at {event['offset']}, not {expected}")
            stored[key] = version

    def ours_once(self):
        found = Counter(event["operationId"] for event in self.of_contexts
                        if event["sourceInstanceId"] != "foreign")
        for operation, (key, value, acknowledged) in self.h.ours.items():
            self.figures["our writes"] += acknowledged
            if found[operation] > 1 or (acknowledged and found[operation] == 0):
                self.say(f"our write {value} of {key} is {found[operation]} times in the log")
        for operation in found.keys() - self.h.ours.keys():
            self.say(f"operation {operation} is nobody's")

    def state_and_documents(self):
        state = {}
        for event in self.of_contexts:
            context = event["data"]["context"]
            state[context["contextKey"]] = (self.id_of(event), context["version"])
            if event["data"]["action"] == "deleted":
                del state[context["contextKey"]]
        for number, contexts in enumerate(self.h.contexts):
            if contexts != state:
                self.say(f"node {number} has {contexts}, the log {state}")
        documents = {one["contextKey"]: (one["data"].get("id"), one["metadata"]["version"])
                     for one in self.h.documents["distributed_context"]}
        if documents != state:
            self.say(f"the documents are {documents}, the log {state}")
        self.figures["documents"] += len(documents)

    def transitions(self):
        events = [event for event in self.h.log if event["kind"] == "mode-changed"]
        adopted = Counter(transition_of(event) for event in events)
        for name, instance, mode in self.h.transitions:
            if name is not None and adopted[name] != 1:
                self.say(f"transition {name} of {instance} to {mode} is {adopted[name]} times "
                         f"in the log")
        self.figures["transitions"] += len(events)
        logged = [(event["data"]["instanceId"], event["data"]["currentMode"]) for event in events]
        if self.h.rest_transitions != logged:
            self.say(f"REST has transitions {self.h.rest_transitions}, the log {logged}")
        if self.h.rest_modes != dict(logged):
            self.say(f"REST has modes {self.h.rest_modes}, the log {dict(logged)}")
        # One document for each: theirs, marked; or the event's own, where a node wrote that before
        # another one marked theirs, which then goes (src/store/mongo/documents.cpp).
        documents = {}
        for one in self.h.documents["mode_transitions"]:
            offset = one.get("dyad", {}).get("offset")
            if offset in documents:
                self.say(f"two documents of the transition at {offset}: {one}")
            documents[offset] = one
        if documents.keys() != {event["offset"] for event in events}:
            self.say(f"documents of transitions at {list(documents)}, events: {logged}")
        for event in events:
            one = documents.get(event["offset"])
            if one is None:
                continue
            self.figures["transitions whose document is ours"] += (
                one["_id"] != transition_of(event))
            if (one["instanceId"], one["toMode"]) != (event["data"]["instanceId"],
                                                      event["data"]["currentMode"]):
                self.say(f"the transition at {event['offset']} has the document {one}")
        modes = {one["instanceId"]: one["currentMode"] for one in self.h.documents["mode_state"]}
        if modes != dict(logged):
            self.say(f"mode_state has {modes}, the log {dict(logged)}")
        # The order of each instance is the one in which it wrote.
        for instance in {who for _, who, _ in self.h.transitions}:
            wrote = [mode for name, who, mode in self.h.transitions
                     if who == instance and name is not None]
            unknown = any(name is None for name, who, _ in self.h.transitions if who == instance)
            if not unknown and wrote != [mode for who, mode in logged if who == instance]:
                self.say(f"{instance} wrote modes {wrote}, the log has {logged}")

    def announcements(self):
        found = Counter(event["operationId"] for event in self.h.log
                        if event["operationId"].startswith("bus:"))
        for name in self.h.announced:
            count = found[f"bus:{name}"]
            self.figures["announced"] += count
            if count > 1 or (count == 0 and not self.h.faulty):
                self.say(f"what was announced as {name} is {count} times in the log")
        for name in found.keys() - {f"bus:{name}" for name in self.h.announced}:
            self.say(f"{name} was announced by nobody")

    def envelopes(self):
        for instance, envelopes in self.h.heard.items():
            offsets = Counter(one.get("metadata", {}).get("dyad", {}).get("offset")
                              for one in envelopes)
            for event in self.h.log:
                if offsets[event["offset"]] != 1:
                    self.say(f"{instance} heard {offsets[event['offset']]} envelopes of "
                             f"{event['offset']}, {event['kind']}")
                self.figures["envelopes"] += offsets[event["offset"]]

    # Our client wrote nothing itself, so it is sent everything, in the order of the log.
    def pushes(self):
        wanted = [(event["data"]["context"]["contextKey"], event["data"]["context"]["version"])
                  for event in self.of_contexts]
        if self.h.pushed != wanted:
            self.say(f"the WebSocket client was sent {self.h.pushed}, the log has {wanted}")
        self.figures["pushes"] += len(self.h.pushed)

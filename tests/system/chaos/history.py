"""What was seen of a run, from outside: what clients asked for and were told, when, and what the
log and the nodes hold at the end. All moments are of one steady clock, in seconds.
"""

from dataclasses import dataclass, field


@dataclass
class Operation:
    """A write. Its answer is an offset, a refusal that is final, or nothing (yet)."""

    user: str
    instance: str
    id: str
    key: str
    data: dict | None  # None: it deletes
    begun: float
    floor: int  # the largest offset of the user that anybody had been told of when it began
    expected: int | None = None
    answered: float | None = None
    offset: int | None = None
    version: int | None = None
    refused: str | None = None
    sent: int = 0         # how often
    sent_floor: int = 0   # what anybody had been told of when it was last sent
    plain: bool = False  # the plain protocol acknowledges nothing


@dataclass
class Slice:
    """What one connection was sent: it follows `after`, where the client had been before."""

    user: str
    client: str
    after: int | None
    events: list = field(default_factory=list)  # (offset, short hash, whose data it is)
    reset: bool = False


@dataclass
class PlainSlice:
    """What a connection of the plain protocol was sent, in its order."""

    user: str
    client: str
    seen: list = field(default_factory=list)  # (key, version, data)


@dataclass
class Read:
    """A read of one context, through whichever node the proxy chose."""

    user: str
    key: str
    begun: float
    ended: float
    floor: int
    version: int | None = None  # None: there is no such context
    offset: int | None = None
    data: dict | None = None


@dataclass
class Outage:
    """The database could not answer: from when it was dead (or stopped) until it was let go on."""

    begun: float
    ended: float


@dataclass
class Memory:
    """A user's memory at the end."""

    log: list = field(default_factory=list)     # events, as REST gives them
    proofs: list = field(default_factory=list)  # their hashes, as the database has them
    states: dict = field(default_factory=dict)  # node -> key -> (version, data)


@dataclass
class History:
    operations: list = field(default_factory=list)
    slices: list = field(default_factory=list)
    plain_slices: list = field(default_factory=list)
    reads: list = field(default_factory=list)
    outages: list = field(default_factory=list)
    memories: dict = field(default_factory=dict)  # user -> Memory
    recoveries: dict = field(default_factory=dict)  # client -> seconds after the heal, or None
    broken: list = field(default_factory=list)  # what clients saw at once that may not be


@dataclass
class Told:
    """The largest offset of a user that anybody was told of so far; the user's clients share it."""

    user: str
    offset: int = 0

    def saw(self, offset):
        self.offset = max(self.offset, offset)

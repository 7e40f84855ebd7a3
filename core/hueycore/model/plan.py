"""How jobs hang together: said when they are enqueued, and read when a stage is called."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hueycore.model.states import State


class Edge(NamedTuple):
    """Job ``child`` is called with the result of job ``parent``: places in the batch that is
    enqueued. ``slot`` is its place in the child's list of results; None: it is the only parent."""

    parent: int
    child: int
    slot: int | None = None


class Plan(NamedTuple):
    """How the jobs of a batch hang together. The other fields are by place in the batch: seconds
    from the last parent's delivery to the start (``delays``) and to the expiry (``expiries``) of a
    stage, and whom to call when a job fails for good (``handlers``, made by ``pack``)."""

    edges: Sequence[Edge] = ()
    delays: Mapping[int, float] = {}
    expiries: Mapping[int, float] = {}
    handlers: Mapping[int, str] = {}

    @classmethod
    def joined(cls, parts: Iterable[tuple[int, "Plan"]]) -> "Plan":
        """All of them, for a batch in which the jobs of each come after so many others."""
        edges: list[Edge] = []
        delays: dict[int, float] = {}
        expiries: dict[int, float] = {}
        handlers: dict[int, str] = {}
        for by, plan in parts:
            edges += (Edge(one.parent + by, one.child + by, one.slot) for one in plan.edges)
            delays |= {place + by: delay for place, delay in plan.delays.items()}
            expiries |= {place + by: expiry for place, expiry in plan.expiries.items()}
            handlers |= {place + by: handler for place, handler in plan.handlers.items()}
        return cls(edges, delays, expiries, handlers)

    def beside(self, other: "Plan", by: int) -> "Plan":
        """Both, for a batch in which the jobs of ``other`` come after the first ``by``."""
        return self.joined(((0, self), (by, other)))


class Input(NamedTuple):
    """What one parent gives to the call of a stage: ``state`` done → ``result`` is its value (None:
    the value None); dead → ``result`` is the stored error, or ``error`` the last of its row;
    revoked, expired → there is nothing. ``slot`` is None when the value is not part of a list."""

    slot: int | None
    id: str
    state: State
    result: bytes | None = None
    error: dict[str, Any] | None = None

"""Standing orders: what is not to run from now on."""

from typing import NamedTuple


class Revocation(NamedTuple):
    """A standing order not to run: of a task, or of an id that no job has yet."""

    queue: str
    kind: str
    name: str
    until: float | None
    once: bool
    since: float
    reason: str | None
    by: str | None = None

"""The protocol of a guest in a transaction of the application's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hueycore.model.jobs import Ended, Enqueued, NewJob
from hueycore.model.plan import Plan


class Guest(Protocol):
    """The verbs that work inside a transaction of the caller's, which alone commits it. A verb that
    raises has changed nothing, and the transaction is still the caller's.

    ``shares``: whether there is such a transaction. A storage in memory has none: there each verb
    commits by itself."""

    @property
    def shares(self) -> bool: ...
    def enqueue(self, jobs: Sequence[NewJob], plan: Plan | None = None) -> list[Enqueued]:
        """``Storage.enqueue``, durable with the caller's commit."""
        ...

    def end(self, ended: Ended) -> bool:
        """Write the ending of a run; False when its claim is lost. What follows from it is
        committed with it, or comes when the run says that it is ``Completed``."""
        ...

    def ring(self) -> None:
        """Wake the consumers, in case that the caller has committed."""
        ...

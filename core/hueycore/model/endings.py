"""What became of a run: a value from a closed set.

``execute`` answers with one of these and touches no storage; ``exchange`` writes it, fenced by the
claim, together with everything that follows from it.
"""

from typing import NamedTuple


class Failure(NamedTuple):
    """One failed attempt, as it is kept in the row's ``errors`` for people to read. ``path`` is
    where the class of the exception is, module and qualified name, if one was raised."""

    type: str
    message: str
    traceback: str
    path: str | None = None


class Done(NamedTuple):
    """The task returned. ``result`` is its serialized value, None when nothing is stored;
    ``private`` when only a later stage may read it."""

    result: bytes | None = None
    private: bool = False


class Retry(NamedTuple):
    """The attempt failed and another follows: at ``run_at`` (POSIX seconds), or at once if None.
    ``delay``: how far from now that is, 0 for a moment of its own."""

    run_at: float | None
    retries: int
    retry_delay: float
    failure: Failure | None = None
    delay: float = 0


class Dead(NamedTuple):
    """The job failed for good; ``reason`` is one word (``failed``, ``timeout``, ``crashed`` …).
    ``cause`` is what its error handler is called with, serialized."""

    reason: str
    failure: Failure | None = None
    result: bytes | None = None
    cause: bytes | None = None


class Snoozed(NamedTuple):
    """Not now: again at ``run_at`` (POSIX seconds); the attempt is not counted. ``delay`` as in
    ``Retry``."""

    run_at: float
    failure: Failure | None = None
    delay: float = 0


class Released(NamedTuple):
    """Given back unstarted or cancelled by a stop; the attempt is not counted."""


class Revoked(NamedTuple):
    """Found revoked after the claim, or stopped on request while running; ``cause`` as above."""

    reason: str = "revoked"
    result: bytes | None = None
    failure: Failure | None = None
    cause: bytes | None = None


class Expired(NamedTuple):
    """Found expired after the claim."""

    result: bytes | None = None


class Blocked(NamedTuple):
    """Must wait for ``key``; the attempt is not counted."""

    key: str


class Completed(NamedTuple):
    """The run wrote its own end in a transaction of the application's (``Task.complete_in``); when
    that was rolled back, ``otherwise`` is what became of it."""

    otherwise: Done | Retry | Dead | Snoozed | Released | Revoked | Expired | Blocked


Ending = Done | Retry | Dead | Snoozed | Released | Revoked | Expired | Blocked | Completed

"""Time limits of runs, as the executor sees them; a kind of worker brings its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from hueycore.exceptions import TaskTimeout

T = TypeVar("T")

#: Seconds after its limit in which a run that obeys its timeout is over.
PUNCTUAL = 0.1


class AskedToStop(BaseException):
    """Raised in a run whose job was revoked."""

    def __init__(self) -> None:
        super().__init__("it was asked to stop")


def late_end(run_s: float, timeout: float | None, error: BaseException | None) -> str | None:
    """What is to be said of a run that ended long after its limit, and not by it."""
    if not timeout or run_s < timeout + PUNCTUAL:
        return None
    if error is not None and not isinstance(error, Exception):
        return None  # it was stopped
    while error is not None:
        if isinstance(error, TaskTimeout):
            return None
        error = error.__context__
    return (
        f"ran {run_s:.1f} s, past its limit of {timeout:g} s: "
        "its timeout was swallowed (by an `except Exception`?) or never reached it"
    )


class Limiter(Protocol):
    """Enforces timeouts. Not a context manager: the exception that it throws into a run may arrive
    anywhere from the end of ``arm`` on, and ``disarm`` may be called twice."""

    #: Whether runs without a time limit are armed as well, because they may be interrupted.
    every_run: bool

    def prepare(self, timeout: float, grace: float) -> Any:
        """A limit of so many seconds, infinite for a run without one. ``grace`` seconds later a run
        that goes on is given up."""
        ...

    def arm(self, run: Any) -> None: ...
    def on_cancel(self, run: Any) -> None:
        """The run is cancelled by its own loop: throw nothing into it."""
        ...

    def disarm(self, run: Any) -> None: ...


def limited(limiter: Limiter, run: Any, call: Callable[[], T]) -> T:
    """Call user code under a limit that was prepared."""
    try:
        limiter.arm(run)
        return call()
    finally:
        try:
            limiter.disarm(run)
        except TaskTimeout:
            limiter.disarm(run)
            raise

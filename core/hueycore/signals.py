"""Signals: what happens to jobs, for receivers. The names are Huey's, but for ``claim-lost``.

Receivers are called synchronously by the process that made the transition, after its commit
(``executing`` comes just before the run). A receiver that raises is logged and stops nobody.

Within a process the signals of one job come in their order, although several threads send them: no
run of a job begins while an earlier signal of it is on its way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from hueycore.exceptions import TaskTimeout
from hueycore.system import clock, forks
from hueycore.system.deferred import check_callback, refuse_deferred

SIGNAL_CANCELED: Final = "canceled"
SIGNAL_COMPLETE: Final = "complete"
SIGNAL_SUCCESS: Final = SIGNAL_COMPLETE
SIGNAL_ERROR: Final = "error"
SIGNAL_EXECUTING: Final = "executing"
SIGNAL_EXPIRED: Final = "expired"
SIGNAL_LOCKED: Final = "locked"
SIGNAL_RETRYING: Final = "retrying"
SIGNAL_REVOKED: Final = "revoked"
SIGNAL_SCHEDULED: Final = "scheduled"
SIGNAL_INTERRUPTED: Final = "interrupted"
SIGNAL_ENQUEUED: Final = "enqueued"
SIGNAL_TIMEOUT: Final = "timeout"
SIGNAL_RATE_LIMITED: Final = "rate-limited"
SIGNAL_TASK_FAILED: Final = "task-failed"
#: A run ended after its claim had been taken away; its ending was dropped.
SIGNAL_CLAIM_LOST: Final = "claim-lost"

Receiver = Callable[..., Any]
#: In place of an id: any job.
EVERY: Final = ""
#: Before an id: the job is due.
DUE: Final = "due "
#: Seconds that a run waits at most for the earlier signals of its job.
PATIENCE: Final = 5.0


class _FinalError(str):
    """The error after which no retry follows: Huey's ``error``, and equal to ``task-failed`` too,
    the name that articles about Huey listen for."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return other in (SIGNAL_ERROR, SIGNAL_TASK_FAILED)

    def __ne__(self, other: object) -> bool:
        return not self == other


SIGNAL_FINAL_ERROR: Final = _FinalError(SIGNAL_ERROR)

logger = logging.getLogger("hueycore.signals")


class Signal:
    """The receivers of one Huey instance."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receiver]] = {"any": []}
        #: Whether anybody listens to anything; asked once per run, hence kept.
        self.listening = False
        #: The jobs whose signals are on their way. Without a lock: the exception of a time limit
        #: may arrive anywhere in a run that enqueues, and each step here is one of the set's own.
        self._coming: set[str] = set()

    def connect(self, receiver: Receiver, *signals: str) -> None:
        """Call ``receiver(signal, task, …)`` for these signals, or for all. Raises
        ``ConfigurationError`` for an async function."""
        check_callback(receiver)
        for signal in signals or ("any",):
            self._receivers.setdefault(signal, []).append(receiver)
        self.listening = True

    def disconnect(self, receiver: Receiver, *signals: str) -> None:
        """Stop calling a receiver for these signals, or for all."""
        for signal in signals or tuple(self._receivers):
            if receiver in self._receivers.get(signal, ()):
                self._receivers[signal].remove(receiver)
        self.listening = any(self._receivers.values())

    def wanted(self, *signals: str) -> bool:
        """Whether anybody listens to one of these."""
        return self.listening and any(self._of(signal) for signal in signals)

    def send(self, signal: str, task: Any, *args: Any) -> None:
        """Call the receivers of a signal in the order in which they connected. An exception that is
        sent along is the one that is handled meanwhile (``sys.exc_info``), as in Huey."""
        receivers = self._of(signal)
        error = args[0] if args else None
        if not (receivers and isinstance(error, BaseException)):
            self._call(receivers, signal, task, *args)
            return
        before = error.__traceback__, error.__context__
        try:
            raise error
        except BaseException:
            error.__traceback__, error.__context__ = before
            self._call(receivers, signal, task, *args)

    def _call(self, receivers: Sequence[Receiver], signal: str, task: Any, *args: Any) -> None:
        for receiver in receivers:
            try:
                refuse_deferred(forks.call(receiver, signal, task, *args), "it")
            except TaskTimeout:
                raise  # of the run that enqueues
            except Exception:
                name = getattr(receiver, "__name__", repr(receiver))
                logger.exception('receiver "%s" failed for signal "%s"', name, signal)

    # --- the order of one job's signals -------------------------------------------------------

    def hold(self, *ids: str) -> None:
        """Signals of these jobs are about to be committed, and sent after that. No run of them
        begins before ``release``. ``DUE + id``: it is due, its earlier signals may be on their way
        as well. ``EVERY``: jobs that are not known yet."""
        self._coming.update(ids)

    @contextmanager
    def ahead_of(self, *ids: str) -> Iterator[None]:
        """``hold`` and, at the end, ``release``."""
        self.hold(*ids)
        try:
            yield
        finally:
            self.release(*ids)

    def release(self, *ids: str) -> None:
        self._coming.difference_update(ids)

    def is_held(self, id: str) -> bool:
        """Whether a run of this job would come before its earlier signals."""
        return not self._coming.isdisjoint((id, DUE + id, EVERY))

    def wait_for(self, *held: str) -> None:
        """Wait until none of these is held; ``PATIENCE`` seconds at most, because a receiver may
        itself wait for the job."""
        end = clock.monotonic() + PATIENCE
        while not self._coming.isdisjoint(held) and clock.monotonic() < end:
            clock.sleep(0.001)

    def _of(self, signal: str) -> list[Receiver]:
        receivers = self._receivers
        final = receivers.get(SIGNAL_TASK_FAILED, ()) if signal == SIGNAL_TASK_FAILED else ()
        return [*receivers.get(signal, ()), *final, *receivers["any"]]

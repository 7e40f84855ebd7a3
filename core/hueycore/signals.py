"""Signals: what happens to jobs, for receivers. The names are Huey's, but for ``claim-lost``.

Receivers are called synchronously by the process that made the transition, after its commit
(``executing`` comes just before the run). A receiver that raises is logged and stops nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from hueycore.exceptions import TaskTimeout
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
        return any(self._of(signal) for signal in signals)

    def send(self, signal: str, task: Any, *args: Any) -> None:
        """Call the receivers of a signal in the order in which they connected."""
        for receiver in self._of(signal):
            try:
                refuse_deferred(receiver(signal, task, *args), "it")
            except TaskTimeout:
                raise  # of the run that enqueues
            except Exception:
                name = getattr(receiver, "__name__", repr(receiver))
                logger.exception('receiver "%s" failed for signal "%s"', name, signal)

    def _of(self, signal: str) -> list[Receiver]:
        receivers = self._receivers
        final = receivers.get(SIGNAL_TASK_FAILED, ()) if signal == SIGNAL_TASK_FAILED else ()
        return [*receivers.get(signal, ()), *final, *receivers["any"]]

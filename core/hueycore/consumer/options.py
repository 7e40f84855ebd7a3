"""What a consumer's options may be."""

from __future__ import annotations

import signal

from hueycore.constants import MAX_WORKERS, WORKER_TYPES
from hueycore.exceptions import ConfigurationError


def check(
    workers: int, worker_type: str, scheduler_interval: float, graceful_signal: str | None
) -> None:
    """Raises ``ConfigurationError``."""
    if not 1 <= workers <= MAX_WORKERS:
        raise ConfigurationError(f"workers={workers}: use 1 to {MAX_WORKERS}")
    if worker_type not in WORKER_TYPES:
        raise ConfigurationError(
            f"worker_type={worker_type!r}: use one of {', '.join(WORKER_TYPES)}"
        )
    if scheduler_interval <= 0:
        raise ConfigurationError("scheduler_interval must be more than 0 seconds")
    if graceful_signal not in (None, "INT", "TERM"):
        raise ConfigurationError(f"graceful_signal={graceful_signal!r}: use INT or TERM")


def interrupting(graceful: str | None) -> tuple[int, ...]:
    """The signals that interrupt at once."""
    if graceful is None:
        return ()
    return (signal.SIGTERM,) if graceful == "INT" else (signal.SIGINT,)

"""Exit codes. ``hueyctl help exit-codes`` prints the ``#:`` sentences from here."""

from __future__ import annotations

from typing import Final

#: Done; also when there was nothing to do, and for empty lists.
OK: Final = 0
#: The operation failed, a prompt was answered "no", or some of several failed.
FAILURE: Final = 1
#: A wrong option or argument.
USAGE: Final = 2
#: There is no such job, task, queue or lock.
NOT_FOUND: Final = 3
#: Only with --exit-code or --max: nothing matched, or there is more than allowed.
NO_MATCH: Final = 4
#: The task raised, was revoked or expired (wait, result, run, enqueue --wait).
TASK_FAILED: Final = 5
#: Refused: needs --yes, duplicate key, lock or pidfile held, queue full, feature switched off.
REFUSED: Final = 6
#: The storage or a worker cannot be reached, or the engine lacks the feature.
UNAVAILABLE: Final = 69
#: A bug in hueyctl: a short message, and the traceback with -v.
INTERNAL: Final = 70
#: Output cannot be written, or the disk is full.
IO_ERROR: Final = 74
#: The application cannot be imported, a bad config file, or a newer schema.
CONFIG: Final = 78
#: --timeout ran out.
TIMEOUT: Final = 124
#: Interrupted by ^C (SIGINT).
INTERRUPTED: Final = 130
#: The reader of the output went away (SIGPIPE).
BROKEN_PIPE: Final = 141
#: Ended by SIGTERM.
TERMINATED: Final = 143

NAMES: Final = {
    value: name.lower()
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int)
}


def name_of(code: int) -> str:
    """The word for a code in JSON errors."""
    return NAMES.get(code, "failure")

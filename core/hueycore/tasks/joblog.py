"""Which job a log record belongs to."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any, Final

from hueycore.exceptions import ConfigurationError

#: What ``keep_logs=`` takes: True is INFO, False off, None what stands one level above.
KeepLogs = bool | int | str | None

#: The claim that is being run here. A context variable, so that it holds in threads and in
#: coroutines; a thread that a task starts by itself does not have it.
run_of_this_context: Final[ContextVar[Any]] = ContextVar("hueycore_run", default=None)

_FIELDS = {"job": "seq", "job_id": "id", "task": "task", "attempt": "attempt"}


class JobFilter(logging.Filter):
    """Gives every record the job in whose run it was logged: ``job`` (its short number),
    ``job_id``, ``task`` and ``attempt``, all None outside of a run; and ``duration`` (seconds),
    which only the lines about the end of a run have. It lets everything pass::

        handler.addFilter(JobFilter())
        handler.setFormatter(logging.Formatter("%(message)s job=%(job)s task=%(task)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        run, found = run_of_this_context.get(), vars(record)
        for name, field in _FIELDS.items():
            if name not in found:
                found[name] = getattr(run, field, None)
        found.setdefault("duration", None)
        return True


def kept_level(*wishes: KeepLogs) -> int | None:
    """The level from which log lines are kept, None for none: the first wish that is one.

    Raises ``ConfigurationError`` for a name that is no level."""
    wish = next((wish for wish in wishes if wish is not None), False)
    if isinstance(wish, bool):
        return logging.INFO if wish else None
    if isinstance(wish, int):
        return wish
    level = logging.getLevelNamesMapping().get(wish.upper())
    if level is None:
        raise ConfigurationError(f"keep_logs={wish!r} is no level: use DEBUG, INFO, WARNING …")
    return level

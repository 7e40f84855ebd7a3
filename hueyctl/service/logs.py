"""Logging of a consumer: text or JSON lines, on stderr or into a file."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from hueycore.serializer import LONGEST_MESSAGE, shortened
from hueycore.system.mask import masked
from hueycore.tasks.joblog import JobFilter
from hueyctl import errors, exits, files, streams
from hueyctl.service.writer import Writer
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.api import Huey

_FULL = "[%(asctime)s] %(levelname)s:%(name)s:%(threadName)s:%(message)s"
_SIMPLE = "%(asctime)s %(message)s"

# What every record has; anything else came in through extra=.
_COMMON = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_JSON = json.JSONEncoder(default=str)
_JOB = JobFilter()
_LIBRARY = "hueycore"
#: Huey's, which is the parent of ours (``hueycore.system.loggers``).
_ABOVE = "huey"
#: Characters of a traceback, in which an exception's message may be of any length.
LONGEST_TRACEBACK = 10_000


class _Shown(logging.Filter):
    """Lines of the application from a level on, and all of the library."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._level or _is_ours(record)


class _Formatter(logging.Formatter):
    """What an exception says may be of any length, and have a password in it."""

    def formatException(self, ei: Any) -> str:
        return masked(shortened(super().formatException(ei), LONGEST_TRACEBACK))


class TextFormatter(_Formatter):
    """As huey_consumer writes it. What a task logs is followed by its job, which the lines of the
    library name by themselves. Control characters in messages are spelled out."""

    #: A second and how it is written: many lines are of the same one.
    _second = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second, text = self._second
        if second != int(record.created):
            second = int(record.created)
            text = time.strftime(self.default_time_format, self.converter(second))
            self._second = (second, text)
        return f"{text},{record.msecs:03.0f}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record)
        if not _is_ours(record):
            _JOB.filter(record)
            found = vars(record)
            if found["job"] is not None:
                text += f" (job {found['job']} of {found['task']}, attempt {found['attempt']})"
        return streams.visible_lines(masked(text))

    def formatException(self, ei: Any) -> str:
        return streams.visible_lines(super().formatException(ei))


class JsonFormatter(_Formatter):
    """One object per line: at, level, logger, thread, message, error; job, job_id, task, attempt,
    duration; and what came as extra."""

    def format(self, record: logging.LogRecord) -> str:
        _JOB.filter(record)
        found: dict[str, Any] = {
            "at": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": masked(record.getMessage()),
            "error": None,
        }
        if record.exc_info and record.exc_info[0] is not None:
            found["error"] = {
                "type": record.exc_info[0].__name__,
                "message": masked(shortened(str(record.exc_info[1]), LONGEST_MESSAGE)),
                "traceback": self.formatException(record.exc_info),
            }
        for name, value in vars(record).items():
            if name not in _COMMON and name not in found:
                found[name] = masked(value) if isinstance(value, str) else value
        return _JSON.encode(found)


def set_up(
    huey: Huey,
    *,
    logfile: str | None,
    log_format: str,
    simple: bool,
    quiet: int,
    verbose: int,
) -> logging.Handler:
    """Send the log of the library where it was asked to, and that of the application as well
    unless the application has set up logging itself. The handler is to be closed after the
    consumer has ended."""
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    handler = _handler(logfile)
    if isinstance(handler, Writer):
        # By the workers: in a process that forks others there must be no thread before.
        huey.on_startup("hueyctl-log")(handler.start)
    handler.setFormatter(
        JsonFormatter() if log_format == "json" else TextFormatter(_SIMPLE if simple else _FULL)
    )
    library = logging.getLogger(_LIBRARY)
    library.setLevel(level)
    root, above = logging.getLogger(), logging.getLogger(_ABOVE)
    if root.handlers or not above.propagate:
        # There, because the application may have handlers of its own on it.
        above.addHandler(handler)
        above.propagate = False
    else:
        shown = logging.INFO if verbose else logging.WARNING
        handler.addFilter(_Shown(shown))
        root.addHandler(handler)
        kept = huey.registry.kept_level()  # such lines must come through, shown or not
        root.setLevel(shown if kept is None else min(shown, kept))
    return handler


def tell_of_file(huey: Huey, missing: str | None) -> None:
    """Log that the file of an application was made, which was ``missing`` before its consumer."""
    if missing is not None and (files.make_queue(huey) or os.path.exists(missing)):
        logging.getLogger("hueycore.consumer").info("created %s", missing)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == _LIBRARY


def _handler(logfile: str | None) -> logging.Handler:
    if logfile is None:
        handler = logging.StreamHandler(sys.stderr)
        # Another stream is of the application, which may do with the lines what it likes.
        return Writer(handler) if sys.stderr is sys.__stderr__ else handler
    files.refuse_queue("--logfile", logfile)
    files.refuse_planted("--logfile", logfile)
    try:
        # Reopened when it was moved away, so that logrotate needs no signal.
        from logging.handlers import WatchedFileHandler

        watched = WatchedFileHandler(logfile, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise errors.CliError(
            f"cannot write the log {logfile}: {error.strerror}", exits.IO_ERROR
        ) from error
    return Writer(watched, watched.reopenIfNeeded)

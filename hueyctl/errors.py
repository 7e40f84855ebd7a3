"""From an exception to an exit code, one message and one hint."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueyctl import exits, streams

if TYPE_CHECKING:
    import click


class CliError(Exception):
    """A command cannot do what was asked, and knows what to say about it."""

    def __init__(self, message: str, code: int = exits.FAILURE, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.hint = message, code, hint


def usage(message: str, hint: str | None = None) -> CliError:
    return CliError(message, exits.USAGE, hint)


class Problem(NamedTuple):
    """What is reported. ``bug``: the user did nothing wrong."""

    code: int
    message: str
    hint: str | None = None
    bug: bool = False


# Looked up by class name along the method resolution order, so that reporting an error of click
# does not import the library.
LIBRARY: dict[str, tuple[int, str | None]] = {
    "StorageMissing": (
        exits.UNAVAILABLE,
        "check the path; only --create makes a new file",
    ),
    "StorageBusy": (exits.UNAVAILABLE, "another process holds the write lock; try again"),
    "StorageCorrupt": (exits.UNAVAILABLE, "is this the right file? keep a copy before repairs"),
    "StorageMoved": (exits.UNAVAILABLE, "the file was removed or replaced; run the command again"),
    "StorageReadOnly": (exits.UNAVAILABLE, "check the owner and mode of the file and its folder"),
    "StorageTooNew": (exits.CONFIG, "upgrade hueyctl on this machine"),
    "StorageFull": (exits.IO_ERROR, "free some space; nothing was changed"),
    "StorageError": (exits.UNAVAILABLE, None),
    "ConfigurationError": (exits.CONFIG, None),
    "UnknownJob": (exits.NOT_FOUND, "hueyctl list --state all"),
    "UnknownTask": (exits.NOT_FOUND, None),
    "QueueFull": (exits.REFUSED, "wait until workers caught up, or raise max_pending"),
    "DuplicateJob": (exits.REFUSED, "--if-exists keep or replace, or wait until it is over"),
    "ClaimLost": (exits.REFUSED, None),
    "PayloadTooLarge": (exits.REFUSED, "pass a path or a key instead of the data"),
    "ResultTooLarge": (exits.TASK_FAILED, "store it elsewhere and return a reference"),
    "TaskLockedException": (exits.REFUSED, None),
    "RateLimitExceeded": (exits.REFUSED, None),
    "SerializationError": (exits.FAILURE, None),
    "UnknownClass": (exits.FAILURE, None),
    "ResultTimeout": (exits.TIMEOUT, None),
    "TaskException": (exits.TASK_FAILED, None),
    "TaskTimeout": (exits.TASK_FAILED, None),
    "HueyException": (exits.FAILURE, None),
}


def explain(error: BaseException) -> Problem:
    """What to say about any exception, without passwords, and how to exit."""
    found = _explain(error)
    hint = found.hint and streams.masked(found.hint)
    return found._replace(message=streams.masked(found.message), hint=hint)


def _explain(error: BaseException) -> Problem:
    import click

    if isinstance(error, CliError):
        return Problem(error.code, error.message, error.hint)
    if isinstance(error, click.UsageError):
        return _explain_usage(error)
    if isinstance(error, click.ClickException):
        return Problem(error.exit_code, error.format_message())
    if isinstance(error, (click.Abort, EOFError)):
        return Problem(exits.FAILURE, "aborted")
    if "hueycore.exceptions" in sys.modules:
        for kind in type(error).__mro__:
            if kind.__name__ in LIBRARY and kind.__module__ == "hueycore.exceptions":
                code, usual = LIBRARY[kind.__name__]
                known: str | None = getattr(error, "hint", None)
                hint = usual if known is None else known or None
                return Problem(code, str(error) or kind.__name__, hint)
    # Without a number it is somebody's TimeoutError, not the system's word.
    if isinstance(error, OSError) and error.errno is not None:
        return _explain_os(error)
    message = f"internal error: {type(error).__name__}: {error}"
    return Problem(exits.INTERNAL, message, "run it again with -v for the traceback", bug=True)


def _explain_usage(error: click.UsageError) -> Problem:
    import click

    path = error.ctx.command_path if error.ctx is not None else "hueyctl"
    hint = f"{path} --help"
    option = getattr(error, "option_name", "")
    if isinstance(error, click.NoSuchOption) and option.startswith("-"):
        takes_words = error.ctx is not None and any(
            isinstance(param, click.Argument) for param in error.ctx.command.params
        )
        if takes_words and not error.possibilities:
            hint = 'use "--" before arguments that start with a dash'
    code = exits.USAGE
    message = error.format_message()
    param = getattr(error, "param", None)
    if error.ctx is not None and param is not None and param.name:
        source = error.ctx.get_parameter_source(param.name)
        if source is not None and source.name == "DEFAULT_MAP":
            code, message = exits.CONFIG, f"config file: {message}"
        elif source is not None and source.name == "ENVIRONMENT":
            message = f"environment: {message}"
    return Problem(code, message, hint)


def _explain_os(error: OSError) -> Problem:
    reason = error.strerror or str(error)
    if error.errno == errno.EPIPE:
        return Problem(exits.BROKEN_PIPE, "")
    if error.filename is None:
        return Problem(exits.IO_ERROR, f"cannot write output: {reason}")
    return Problem(exits.IO_ERROR, f"{os.fsdecode(error.filename)}: {reason}")


def report(error: BaseException, *, as_json: bool, verbose: bool, where: Sequence[str] = ()) -> int:
    """Say it on stderr, once, and answer the exit code. ``where``: the options that a person has
    to say again in the command line of a hint."""
    import click

    if isinstance(error, KeyboardInterrupt):
        # The terminal echoed "^C" without a newline.
        lead = "\n" if streams.is_tty(sys.stderr) and not as_json else ""
        problem = Problem(exits.INTERRUPTED, "interrupted")
    else:
        lead, problem = "", explain(error)
    if problem.code == exits.BROKEN_PIPE or (
        isinstance(error, OSError) and error.errno == errno.ENOSPC
    ):
        streams.discard_stdout()
    if problem.code == exits.BROKEN_PIPE:
        return problem.code
    if verbose and not isinstance(error, (KeyboardInterrupt, click.ClickException)):
        say_traceback(error)
    streams.say(lead + (_as_json(problem) if as_json else _as_text(problem, where)))
    return problem.code


def _as_text(problem: Problem, where: Sequence[str]) -> str:
    text = f"hueyctl: {streams.visible_lines(problem.message)}"
    hint = problem.hint
    if hint and where and not hint.endswith(" --help"):
        from hueyctl.answers.reason import located

        hint = located(hint, *where)
    if hint:
        text += f"\nhint: {streams.visible_lines(hint)}"
    return text


def _as_json(problem: Problem) -> str:
    import json

    return json.dumps(
        {
            "error": {
                "code": exits.name_of(problem.code),
                "exit": problem.code,
                "message": problem.message,
                "hint": problem.hint,
            }
        }
    )


def say_traceback(error: BaseException) -> None:
    import traceback

    text = streams.masked("".join(traceback.format_exception(error)).rstrip("\n"))
    streams.say(streams.visible_lines(text))

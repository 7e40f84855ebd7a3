"""From exceptions to exit codes and messages."""

from __future__ import annotations

import errno
import json

import click
import pytest

from hueycore import exceptions
from hueyctl import errors, exits

#: Of these a message can never reach the command line: they steer a run.
STEERING = {"CancelExecution", "RetryTask"}
EXPECTED = {
    "ConfigurationError": 78, "TaskLockedException": 6, "ResultTimeout": 124, "TaskTimeout": 5,
    "RateLimitExceeded": 6, "UnknownTask": 3, "UnknownJob": 3, "QueueFull": 6, "DuplicateJob": 6,
    "ClaimLost": 6, "UnknownClass": 1, "OtherData": 78,
    "PayloadTooLarge": 6, "ResultTooLarge": 5, "SerializationError": 1, "StorageError": 69,
    "StorageBusy": 69,
    "StorageFull": 74, "StorageCorrupt": 69, "StorageMoved": 69, "StorageReadOnly": 69,
    "StorageMissing": 69, "StorageTooNew": 78, "TaskException": 5, "HueyException": 1,
}  # fmt: skip


def library_exceptions() -> list[type[Exception]]:
    return [
        value
        for value in vars(exceptions).values()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__name__ not in STEERING
    ]


@pytest.mark.parametrize("kind", library_exceptions(), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_library_has_its_exit_code(kind: type[Exception]) -> None:
    error = kind("key", 1.0) if kind.__name__ == "RateLimitExceeded" else kind()

    problem = errors.explain(error)

    assert problem.code == EXPECTED[kind.__name__]
    assert problem.message


def test_a_subclass_of_an_application_is_explained_as_its_base() -> None:
    class Mine(exceptions.QueueFull):
        """Full."""

    assert errors.explain(Mine("no")).code == exits.REFUSED


def test_a_class_of_the_same_name_elsewhere_is_a_bug_and_not_a_full_queue() -> None:
    class QueueFull(Exception):
        """Not the library's."""

    assert errors.explain(QueueFull("no")).code == exits.INTERNAL


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (click.UsageError("x"), 2),
        (click.Abort(), 1),
        (EOFError(), 1),
        (BrokenPipeError(errno.EPIPE, "x"), 141),
        (OSError(errno.ENOSPC, "No space left"), 74),
        (PermissionError(errno.EACCES, "Permission denied", "file"), 74),
        (ZeroDivisionError("x"), 70),
        (TimeoutError("x"), 70),
        (errors.CliError("x", exits.NOT_FOUND), 3),
        (errors.usage("x"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_other_exceptions_have_theirs(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert errors.report(error, as_json=False, verbose=False) == code


def test_an_error_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    errors.report(errors.CliError("no job 4312", 3, "look"), as_json=False, verbose=False)

    assert capsys.readouterr().err == "hueyctl: no job 4312\nhint: look\n"


def test_a_json_error_is_one_line_with_code_exit_message_and_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    errors.report(errors.CliError("no job 4312", 3, "look"), as_json=True, verbose=False)

    assert json.loads(capsys.readouterr().err) == {
        "error": {"code": "not_found", "exit": 3, "message": "no job 4312", "hint": "look"}
    }


def test_an_error_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    errors.report(errors.CliError("bad \x1b[2J\x07 thing"), as_json=False, verbose=False)

    assert capsys.readouterr().err == "hueyctl: bad \\x1b[2J\\x07 thing\n"


def test_a_traceback_is_shown_with_verbose_only(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError("x")

    for verbose in (False, True):
        try:
            fail()
        except ZeroDivisionError as error:
            errors.report(error, as_json=False, verbose=verbose)
        assert ("Traceback" in capsys.readouterr().err) is verbose


def test_the_names_of_the_codes_are_unique() -> None:
    assert len(set(exits.NAMES.values())) == len(exits.NAMES)

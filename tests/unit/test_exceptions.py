"""The tree in the module's docstring is the tree, and every class can speak for itself."""

from __future__ import annotations

import inspect
import pickle
from datetime import timedelta

import pytest

from hueycore import exceptions
from hueycore.exceptions import (
    CancelExecution,
    HueyException,
    RateLimitExceeded,
    ResultTimeout,
    RetryTask,
    SerializationError,
    StorageError,
    TaskException,
    TaskTimeout,
)

CLASSES = {
    name: cls
    for name, cls in inspect.getmembers(exceptions, inspect.isclass)
    if cls.__module__ == exceptions.__name__
}


def drawn() -> dict[str, str]:
    """{class: its parent} as the docstring draws it."""
    parents, path = {}, []
    for line in (exceptions.__doc__ or "").splitlines():
        word = line.strip("│├└─ ")
        if not word or (line[0] not in "│├└ " and word != "Exception"):
            continue
        depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
        name = word.split()[0]
        path[depth:] = [name]
        if depth:
            parents[name] = path[depth - 1]
    return parents


def test_the_tree_is_drawn_as_it_is() -> None:
    assert drawn() == {name: cls.__mro__[1].__name__ for name, cls in CLASSES.items()}


def test_the_errors_of_pythons_own_kinds_are_such() -> None:
    assert issubclass(ResultTimeout, TimeoutError) and not issubclass(TaskTimeout, OSError)
    assert issubclass(SerializationError, ValueError)


@pytest.mark.parametrize("name", [n for n, c in CLASSES.items() if issubclass(c, HueyException)])
def test_a_class_speaks_its_docstring_when_it_is_given_no_words(name: str) -> None:
    cls = CLASSES[name]
    if cls is not RateLimitExceeded:
        assert str(cls()) == (cls.__doc__ or "").splitlines()[0]
        assert str(cls("mine")) == "mine"


def test_what_steers_a_run_is_not_swallowed_with_the_librarys_errors() -> None:
    for cls in (CancelExecution, RetryTask, TaskException):
        assert not issubclass(cls, HueyException)


def test_what_steers_a_run_carries_its_orders() -> None:
    retry = RetryTask("again", delay=timedelta(seconds=5), count=False)
    assert (str(retry), retry.delay, retry.eta, retry.count) == (
        "again", timedelta(seconds=5), None, False,
    )  # fmt: skip
    assert (str(RetryTask()), RetryTask().count) == ("", True)
    assert CancelExecution(retry=False).retry is False
    assert CancelExecution().retry is None


def test_a_task_exception_shows_the_error_of_the_task() -> None:
    assert str(TaskException({"error": "ValueError('x')"})) == "ValueError('x')"
    assert str(TaskException()) == "unknown error"
    assert TaskException().metadata == {}


def test_a_used_up_rate_says_when_it_is_not() -> None:
    error = RateLimitExceeded("mail", 2.5)

    assert (error.key, error.delay, error.retry) == ("mail", 2.5, True)
    assert str(error) == 'Rate limit exceeded on "mail", retry in 2.5s'


@pytest.mark.parametrize("name", [n for n in CLASSES if n != "RateLimitExceeded"])
def test_an_error_survives_pickling(name: str) -> None:
    error = pickle.loads(pickle.dumps(CLASSES[name]("words") if name != "TaskException"
                                      else TaskException({"error": "words"})))  # fmt: skip

    assert type(error) is CLASSES[name]
    assert str(error) == "words"


def test_every_failure_of_a_storage_is_a_storage_error() -> None:
    for name, cls in CLASSES.items():
        assert issubclass(cls, StorageError) == name.startswith("Storage")

"""Tasks, calls and handles where they are looked at, or taken to another process."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

from hueycore import Huey, MemoryHuey, chord
from tests.helpers import drain

huey = MemoryHuey("pickles")


@huey.task()
def add(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


@huey.task(name="renamed", context=True)
def survives(task: Any) -> bool:
    return isinstance(pickle.loads(pickle.dumps(task)), type(task))


@pytest.fixture(autouse=True)
def empty() -> Any:
    yield
    huey.flush()


def again(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def test_a_task_shows_the_function_that_it_wraps() -> None:
    assert inspect.signature(add) == inspect.signature(add.func)
    assert inspect.unwrap(add) is add.func
    assert (add.__qualname__, add.__module__, add.__doc__) == ("add", __name__, "Adds.")
    assert add.__annotations__ == add.func.__annotations__
    assert (survives.__name__, survives.__qualname__) == ("renamed", "survives")


def test_a_task_and_its_huey_are_pickled_by_name() -> None:
    assert again(add) is add
    assert again(survives) is survives
    assert again(huey) is huey


def test_calls_are_pickled_with_their_options() -> None:
    line = again(add.s(1, b=3, priority=4, retries=2) | add.s(3))
    call = line.stages[0]
    path = again(huey.path("some.where").s(1))

    assert (call.wrapper, call.args, call.kwargs) == (add, (1,), {"b": 3})
    assert (call.priority, call.retries) == (4, 2)
    assert (path.task_name, path.args) == ("some.where", (1,))
    handles = huey.enqueue(line)
    drain(huey)
    assert handles is not None and handles.get() == [4, 7]


def test_a_job_is_pickled_while_it_runs() -> None:
    handle = survives()  # type: ignore[call-arg]
    drain(huey)

    assert handle.get() is True


def test_handles_are_pickled_with_the_value_that_they_have_read() -> None:
    handle = add(1)
    whole = huey.enqueue(chord([add.s(1), add.s(2)], add.s(b=[])))
    copy, copies = again(handle), again(whole)

    assert copy.get() is None
    drain(huey)
    assert handle.get() == 3
    assert again(handle).get() == 3
    assert copy.get() is None  # taken by the other one
    assert copies.get() == [3, 4]


def test_a_huey_without_a_task_in_a_module_says_that_it_cannot_be_pickled(path: str) -> None:
    with pytest.raises(pickle.PicklingError, match="has no task in a module"):
        pickle.dumps(Huey("app", url=path))

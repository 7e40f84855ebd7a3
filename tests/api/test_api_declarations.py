"""What is wrong with a declaration or a call is said where it is written."""

from __future__ import annotations

import functools
import importlib
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hueycore import ConfigurationError, Huey, chord, crontab
from tests.helpers import drain, jobs

pytestmark = pytest.mark.feature("task decorator")


# --- keywords of the job --------------------------------------------------------------------------


def test_a_parameter_that_the_job_takes_from_its_calls_is_warned_of(huey: Huey) -> None:
    with pytest.warns(UserWarning, match="timeout=, priority= as options of the job") as found:

        @huey.task()
        def fetch(url: str, timeout: int = 10, *, priority: str = "low") -> None: ...

    assert found[0].filename == __file__
    assert fetch.name in str(found[0].message)


def test_so_is_one_of_the_function_inside_a_decorator(huey: Huey) -> None:
    def traced(func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return func(*args, **kwargs)

        return inner

    with pytest.warns(UserWarning, match="delay="):

        @huey.task()
        @traced
        def fetch(url: str, delay: int = 10) -> None: ...


def test_what_no_call_can_give_by_keyword_is_not_warned_of(huey: Huey) -> None:
    def patient(func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def inner(url: str) -> Any:
            return func(url, timeout=5)

        return inner

    @huey.task()
    @patient
    def fetch(url: str, timeout: int) -> None: ...

    @huey.task()
    def report(delay: int, /, **options: Any) -> None: ...


# --- calls ----------------------------------------------------------------------------------------


def test_a_call_that_the_function_does_not_take_is_refused_and_stores_nothing(
    huey: Huey,
) -> None:
    @huey.task()
    def add(a: int, b: int = 2, *, c: int = 3) -> int:
        return a + b + c

    for args, kwargs, told in (
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1,), {"d": 4}, "unexpected keyword argument 'd'"),
        ((1,), {"a": 4}, "multiple values for argument 'a'"),
    ):
        signature = add.s(*args, **kwargs)  # data, so far
        for refused in (
            lambda signature=signature: huey.enqueue(signature),
            lambda signature=signature: huey.enqueue_many([signature]),
            lambda args=args, kwargs=kwargs: huey.schedule_periodic(
                "nightly", "@daily", add, args, kwargs
            ),
            lambda args=args, kwargs=kwargs: huey.call(add.name, *args, **kwargs),
        ):
            with pytest.raises(TypeError, match=told) as error:
                refused()
            assert str(error.value).startswith(f"{add.name}(a")
    assert jobs(huey) == []
    assert huey.periodic_tasks() == []

    assert add(1) and add(1, 2) and add(a=1, c=2)
    drain(huey)
    assert [row.state for row in jobs(huey)] == ["done"] * 3


def test_what_a_stage_gets_from_the_one_before_it_is_not_judged(huey: Huey) -> None:
    @huey.task()
    def one() -> int:
        return 1

    @huey.task()
    def double(n: int) -> int:
        return 2 * n

    @huey.task()
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @huey.task()
    def on_failure(error: Exception) -> None: ...

    line = huey.enqueue(one.s().then(double).then(double).error(on_failure))
    whole = huey.enqueue(chord([one.s(), one.s()], total))
    nobody = huey.enqueue(chord([], total))
    drain(huey)

    assert line is not None and whole is not None and nobody is not None
    assert line.get() == [1, 2, 4]
    assert (whole.get(), nobody.get()) == (2, 0)


def test_the_first_stage_and_the_members_are_whole_calls(huey: Huey) -> None:
    @huey.task()
    def double(n: int) -> int:
        return 2 * n

    @huey.task()
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    for whole in (double.s().then(double), chord([double.s(1), double.s()], total)):
        with pytest.raises(TypeError, match="missing a required argument: 'n'"):
            huey.enqueue(whole)  # type: ignore[call-overload]
    assert jobs(huey) == []


def test_a_function_in_a_decorator_is_judged_by_what_the_decorator_takes(huey: Huey) -> None:
    """Huey's recipe of a back-off."""

    def exp_backoff_task(retries: int, retry_backoff: float) -> Callable[..., Any]:
        def deco(fn: Callable[..., Any]) -> Any:
            @functools.wraps(fn)
            def inner(*args: Any, **kwargs: Any) -> Any:
                task = kwargs.pop("task")
                try:
                    return fn(*args, **kwargs)
                except Exception:
                    task.retry_delay *= retry_backoff
                    raise

            return huey.task(retries=retries, retry_delay=1, context=True)(inner)

        return deco

    def declared(endpoint: str, payload: int) -> str:
        return f"{endpoint} {payload}"

    declared.__signature__ = __import__("inspect").signature(declared)  # type: ignore[attr-defined]
    call_external_api = exp_backoff_task(retries=5, retry_backoff=2)(declared)

    handle = call_external_api("x", payload=1)
    drain(huey)

    assert handle.get() == "x 1"


def test_a_periodic_task_that_needs_arguments_is_refused(huey: Huey) -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'day'"):

        @huey.periodic_task(crontab("0", "9"))
        def report(day: str) -> None: ...

    assert len(huey.registry) == 0


# --- context --------------------------------------------------------------------------------------


def test_a_function_that_cannot_take_the_job_has_no_context(huey: Huey) -> None:
    def plain(a: int) -> None: ...

    def by_position(task: Any, /) -> None: ...

    for func in (plain, by_position):
        with pytest.raises(ConfigurationError, match="context=True passes the job as task="):
            huey.task(context=True)(func)
    assert len(huey.registry) == 0


def test_the_job_of_a_context_task_is_no_argument_of_its_calls(huey: Huey) -> None:
    @huey.task(context=True)
    def work(a: int, task: Any) -> int:
        return a + int(task.attempt)

    for wrong in (lambda: work(1, 2), lambda: work()):  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"work\(a: 'int'\)"):
            wrong()
    handle = work(1)
    drain(huey)

    assert handle.get() == 2


# --- what is no function, no call, no number ------------------------------------------------------


def test_what_cannot_be_called_or_has_no_name_is_no_task(huey: Huey) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    for declare in (huey.task(), huey.task):
        with pytest.raises(ConfigurationError, match="cannot be called: a task is a function"):

            class Report:
                @declare  # type: ignore[operator]
                @classmethod
                def build(cls) -> None: ...

        with pytest.raises(ConfigurationError, match="has no name: give the task one with name="):
            declare(functools.partial(add, 1))  # type: ignore[operator]
    assert len(huey.registry) == 0

    increase = huey.task(name="increase")(functools.partial(add, 1))
    handle = increase(2)
    drain(huey)
    assert handle.get() == 3


def test_what_is_no_call_is_not_enqueued(huey: Huey) -> None:
    @huey.task()
    def add(a: int) -> int:
        return a

    handle = add(1)
    for thing, told in (
        (add, r"is a task, and no call of it: enqueue add\.s\(…\)"),
        (handle, "is in the queue already"),
        (add.func, "is no signature, pipeline, group or chord"),
        (None, "is no signature"),
    ):
        for enqueue in (huey.enqueue, lambda one: huey.enqueue_many([one])):
            with pytest.raises(TypeError, match=told):
                enqueue(thing)  # type: ignore[arg-type]
    assert len(jobs(huey)) == 1


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("priority", "high", "priority='high': use a number"),
        ("priority", math.nan, "priority=nan: use a number"),
        ("retries", -1, "retries=-1: use a whole number from 0"),
        ("retries", 1.5, "retries=1.5: use a whole number from 0"),
        ("retry_delay", -1, "retry_delay=-1: use a number from 0"),
        ("retry_delay", "5", "retry_delay='5': use a number from 0"),
        ("retry_backoff", math.nan, "retry_backoff=nan: use a number from 0"),
        ("expires", math.nan, "expires=nan: use a number"),
        ("timeout", -1, "timeout=-1: use a number from 0"),
        ("delay", math.nan, "delay=nan: use a number"),
        ("delay", math.inf, "delay=inf: it would never run"),
        ("delay", "5", "delay='5': use a number"),
    ],
)
def test_an_option_that_cannot_be_is_refused_where_it_is_given(
    huey: Huey, option: str, value: Any, told: str
) -> None:
    @huey.task()
    def work() -> None: ...

    given = {option: value}
    ways = [lambda: work(**given), lambda: work.schedule((), **{"delay": 1, **given})]
    if option != "delay":
        ways.append(lambda: huey.task(**given))
    for way in ways:
        with pytest.raises(ValueError, match=re.escape(told)):
            way()
    assert jobs(huey) == []


# --- names ----------------------------------------------------------------------------------------

CELL = """
@huey.task({options})
def add(a, b):
    return a {sign} b
"""


def test_a_cell_that_is_run_again_replaces_its_task(huey: Huey) -> None:
    notebook: dict[str, Any] = {"huey": huey, "__name__": "notebook"}
    exec(CELL.format(options="", sign="-"), notebook)
    first = notebook["add"]
    for options in ("retries=1", "retries=2"):  # unchanged but for an option, and once more
        exec(CELL.format(options=options, sign="+"), notebook)

    handles = [first(5, 3), notebook["add"](5, 3)]
    drain(huey)

    assert [handle.get() for handle in handles] == [8, 8]
    assert [task.retries for task in huey.registry] == [2]


def test_a_decorated_function_of_a_cell_is_replaced_too(huey: Huey) -> None:
    class Entered:
        def __enter__(self) -> None: ...
        def __exit__(self, *exc: object) -> None: ...

    notebook: dict[str, Any] = {"huey": huey, "entered": Entered(), "__name__": "notebook"}
    cell = "@huey.context_task(entered)\ndef add(a, b): return a {} b"
    for sign in "-+":
        exec(cell.format(sign), notebook)

    handle = notebook["add"](5, 3)
    drain(huey)
    assert handle.get() == 8


def test_a_module_that_is_loaded_anew_replaces_its_tasks(
    huey: Huey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setitem(sys.modules, "anew_queue", SimpleNamespace(huey=huey))  # type: ignore[arg-type]
    file = tmp_path / "anew_tasks.py"
    file.write_text("from anew_queue import huey\n" + CELL.format(options="", sign="-"))
    module = importlib.import_module("anew_tasks")
    file.write_text("from anew_queue import huey\n\n" + CELL.format(options="", sign="+"))
    importlib.reload(module)

    handle = module.add(5, 3)
    drain(huey)
    assert handle.get() == 8

    # A mistake in it is one on the second run, too.
    file.write_text(file.read_text() + CELL.format(options="", sign="*"))
    with pytest.raises(ValueError, match='a task named "anew_tasks'):
        importlib.reload(module)
    del sys.modules["anew_tasks"]


def test_two_functions_of_one_name_are_refused(huey: Huey) -> None:
    def make(number: int) -> Any:
        @huey.task()
        def made() -> int:
            return number

        return made

    make(1)
    with pytest.raises(ValueError, match="made"):
        make(2)  # jobs of the first would run the second

    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    with pytest.raises(ValueError, match="add"):

        @huey.task()  # type: ignore[no-redef]
        def add(a: int, b: int) -> int:
            return a * b

    huey.task(name="partial")(functools.partial(add.func, 1))
    with pytest.raises(ValueError, match="partial"):
        huey.task(name="partial")(functools.partial(add.func, 1))

    with pytest.raises(ValueError, match="add"):
        exec("@huey.task()\ndef add(a, b): ...", {"huey": huey, "__name__": __name__})

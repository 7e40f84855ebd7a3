"""What becomes of a run, whatever the task does."""

from __future__ import annotations

import functools
import logging
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hueycore import (
    CancelExecution,
    Huey,
    JSONSerializer,
    Result,
    RetryTask,
    SqliteHuey,
    State,
    TaskException,
    TaskTimeout,
    UnknownJob,
)
from tests.helpers import Clock, Signals, drain, job, run_one, states
from tests.storage.engines import lab_of


def metadata(handle: Result[Any] | None) -> dict[str, Any]:
    assert handle is not None
    with pytest.raises(TaskException) as caught:
        handle.get(preserve=True)
    return caught.value.metadata


# --- retries --------------------------------------------------------------------------------------


@pytest.mark.feature("retries")
def test_each_failed_try_uses_a_retry_and_is_kept(huey: Huey) -> None:
    @huey.task(retries=2)
    def fail() -> None:
        raise LookupError(f"try {huey.incr('tries')}")

    handle = fail()

    assert drain(huey) == 3
    row = job(huey, handle)
    assert (row.state, row.reason, row.attempt, row.retries) == (State.DEAD, "failed", 3, 0)
    assert [error["message"] for error in row.errors] == ["try 1", "try 2", "try 3"]
    assert metadata(handle)["error"] == "LookupError('try 3')"


def test_a_retry_that_succeeds_is_done_and_remembers(huey: Huey) -> None:
    @huey.task(retries=5)
    def flaky() -> int:
        tries = huey.incr("tries")
        if tries < 3:
            raise ConnectionError("down")
        return tries

    handle = flaky()
    drain(huey)

    row = job(huey, handle)
    assert (handle.get(), row.state, row.retries, row.attempt) == (3, State.DONE, 3, 3)
    assert [error["type"] for error in row.errors] == ["ConnectionError"] * 2


@pytest.mark.feature("retries")
def test_the_delay_of_retries_grows_by_the_backoff(huey: Huey, clock: Clock) -> None:
    now = clock.freeze(1_900_000_000.0)

    @huey.task(retries=3, retry_delay=10, retry_backoff=3)
    def fail() -> None:
        raise ValueError

    handle = fail()
    waits = []
    for _ in range(3):
        run_one(huey)
        row = job(huey, handle)
        assert row.state is State.SCHEDULED
        waits.append(row.run_at - now)
        clock.jump(row.run_at - now)
        now = row.run_at
    run_one(huey)

    assert waits == [10, 30, 90]
    assert handle.state is State.DEAD


def test_options_of_the_call_win_over_those_of_the_task(huey: Huey) -> None:
    @huey.task(retries=5)
    def fail() -> None:
        raise ValueError

    handle = huey.enqueue(fail.s(retries=1))
    drain(huey)

    assert job(huey, handle).attempt == 2


@pytest.mark.feature("retries changed at run time")
def test_the_recipe_that_multiplies_retry_delay_persists_over_retries(
    huey: Huey, clock: Clock
) -> None:
    """Seed 003: a decorator of the user's own, delays of 2, 4, 8 …"""
    now = clock.freeze(1_900_000_000.0)

    def exp_backoff_task(retries: int = 10, retry_backoff: float = 1.15) -> Any:
        def deco(fn: Any) -> Any:
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

    @exp_backoff_task(retries=5, retry_backoff=2)
    def call_external_api(endpoint: str, payload: Any) -> None:
        raise ConnectionError(endpoint)

    handle = call_external_api("/x", {"a": 1})
    waits = []
    for _ in range(5):
        run_one(huey)
        row = job(huey, handle)
        waits.append(row.run_at - now)
        clock.jump(row.run_at - now)
        now = row.run_at
    run_one(huey)

    assert waits == [2, 4, 8, 16, 32]
    assert handle.state is State.DEAD
    assert len(job(huey, handle).errors) == 6


@pytest.mark.feature("retries changed at run time")
def test_the_recipe_that_schedules_itself_again_works(huey: Huey, clock: Clock) -> None:
    """Seed 002: ``schedule`` of the task within itself, with an attempt counter of its own."""
    now = clock.freeze(1_900_000_000.0)

    class RetryableError(Exception): ...

    @huey.task(retries=5)
    def process_with_backoff(item_id: int, attempt: int = 1) -> str:
        try:
            if attempt < 4:
                raise RetryableError
            return f"{item_id} after {attempt}"
        except RetryableError:
            process_with_backoff.schedule(
                args=(item_id,), kwargs={"attempt": attempt + 1}, delay=2**attempt
            )
            return "later"

    first = process_with_backoff(7)
    waits = []
    while True:
        run_one(huey)
        due = huey.storage.next_run_at()
        if due is None:
            break
        waits.append(due - now)
        clock.jump(due - now)
        now = due

    assert waits == [2, 4, 8]
    assert states(huey) == {"done": 4}
    assert first.get() == "later"


def test_a_task_may_give_up_its_retries_or_take_more(huey: Huey) -> None:
    @huey.task(retries=5, context=True)
    def give_up(left: int, task: Any = None) -> None:
        task.retries = left
        raise ValueError

    none, more = give_up(0), give_up(9)
    run_one(huey)
    run_one(huey)

    assert (none.state, job(huey, more).retries) == (State.DEAD, 8)


# --- RetryTask ------------------------------------------------------------------------------------


def asking(huey: Huey, *errors: BaseException | None, **options: Any) -> Any:
    """A task that raises these one after the other, and then returns how often it ran."""
    queue = list(errors)

    @huey.task(**options)
    def ask() -> int:
        error = queue.pop(0) if queue else None
        if error is not None:
            raise error
        return len(errors) + 1

    return ask


@pytest.mark.feature("RetryTask and CancelExecution")
def test_retry_task_costs_no_retry(huey: Huey) -> None:
    handle = asking(huey, RetryTask("again"), RetryTask("again"))()
    run_one(huey)

    assert (handle.state, job(huey, handle).retries) == (State.PENDING, 0)
    drain(huey)
    assert handle.get() == 3
    assert (job(huey, handle).attempt, len(job(huey, handle).errors)) == (3, 2)


@pytest.mark.parametrize(
    "when",
    [
        {"delay": 30},
        {"delay": timedelta(seconds=30)},
        {"eta": datetime.fromtimestamp(1_900_000_030)},
        {"eta": datetime.fromtimestamp(1_900_000_030, UTC)},
    ],
    ids=["delay", "timedelta", "naive", "aware"],
)
def test_retry_task_runs_again_at_its_time_and_keeps_the_delay_of_retries(
    huey: Huey, clock: Clock, when: Any
) -> None:
    now = clock.freeze(1_900_000_000.0)
    handle = asking(huey, RetryTask(**when), retries=2, retry_delay=5, retry_backoff=2)()
    run_one(huey)

    row = job(huey, handle)
    assert (row.state, row.run_at) == (State.SCHEDULED, now + 30)
    assert (row.retries, row.retry_delay, row.attempt) == (2, 5, 1)
    assert drain(huey) == 0


def test_retry_task_without_a_time_waits_the_delay_of_the_task(huey: Huey, clock: Clock) -> None:
    now = clock.freeze(1_900_000_000.0)
    handle = asking(huey, RetryTask(), retry_delay=5, retry_backoff=2)()
    run_one(huey)

    row = job(huey, handle)
    assert (row.state, row.run_at, row.retry_delay) == (State.SCHEDULED, now + 5, 10)


@pytest.mark.feature("RetryTask and CancelExecution")
def test_a_snooze_counts_neither_a_retry_nor_an_attempt(huey: Huey, clock: Clock) -> None:
    now = clock.freeze(1_900_000_000.0)
    seen = Signals(huey)
    handle = asking(huey, RetryTask(delay=30, count=False), RetryTask(count=False), retries=1)()
    run_one(huey)

    row = job(huey, handle)
    assert (row.state, row.run_at, row.attempt, row.retries) == (State.SCHEDULED, now + 30, 0, 1)
    clock.jump(30)
    run_one(huey)
    assert (job(huey, handle).attempt, job(huey, handle).retries) == (0, 1)
    drain(huey)

    assert (handle.get(), job(huey, handle).attempt) == (3, 1)
    assert seen.names().count("retrying") == 2


@pytest.mark.parametrize(
    "impossible",
    [{"eta": 5}, {"eta": datetime(2030, 1, 1), "delay": 5}, {"delay": "soon"}],
    ids=["no datetime", "both", "no number"],
)
def test_a_retry_at_an_impossible_time_kills_the_job_and_not_the_worker(
    huey: Huey, impossible: Any
) -> None:
    handle = asking(huey, RetryTask(**impossible), retries=3)()
    other = asking(huey, name="other")()
    drain(huey)

    assert (handle.state, other.state) == (State.DEAD, State.DONE)
    assert job(huey, handle).errors[0]["type"] in ("ValueError", "TypeError")


# --- CancelExecution ------------------------------------------------------------------------------


def test_a_job_that_cancels_itself_ends_revoked(huey: Huey) -> None:
    handle = asking(huey, CancelExecution("not today"))()
    drain(huey)

    row = job(huey, handle)
    assert (row.state, row.reason, row.attempt) == (State.REVOKED, "canceled", 1)
    assert "not today" in metadata(handle)["error"]


@pytest.mark.feature("RetryTask and CancelExecution")
def test_cancelling_uses_the_retries_that_are_left(huey: Huey) -> None:
    handle = asking(huey, CancelExecution(), CancelExecution(), CancelExecution(), retries=2)()

    assert drain(huey) == 3
    assert (handle.state, job(huey, handle).retries) == (State.REVOKED, 0)


def test_cancelling_for_good_leaves_retries_unused(huey: Huey) -> None:
    handle = asking(huey, CancelExecution(retry=False), retries=2)()

    assert drain(huey) == 1
    assert handle.state is State.REVOKED


def test_cancelling_may_insist_on_a_retry(huey: Huey) -> None:
    handle = asking(huey, CancelExecution(retry=True), CancelExecution(retry=True))()

    assert drain(huey) == 3
    assert handle.get() == 3


# --- strange exceptions ---------------------------------------------------------------------------


def test_sys_exit_in_a_task_is_a_failure_like_any_other(huey: Huey) -> None:
    @huey.task(retries=1)
    def leave() -> None:
        sys.exit("good bye")

    handle = leave()
    assert drain(huey) == 2

    assert handle.state is State.DEAD
    assert metadata(handle)["error"] == "SystemExit('good bye')"


@pytest.mark.parametrize("watched", [False, True])
def test_a_keyboard_interrupt_gives_the_job_back_uncounted_and_goes_on_its_way(
    huey: Huey, watched: bool
) -> None:
    seen = Signals(huey) if watched else None
    handle = asking(huey, KeyboardInterrupt())()
    with pytest.raises(KeyboardInterrupt):
        run_one(huey)

    assert (handle.state, job(huey, handle).attempt) == (State.PENDING, 0)
    if seen:
        assert seen.of("interrupted")[0][1] == "pending"
    drain(huey)
    assert handle.get() == 2


def test_a_keyboard_interrupt_ends_what_may_run_at_most_once(huey: Huey) -> None:
    handle = asking(huey, KeyboardInterrupt(), at_most_once=True)()
    with pytest.raises(KeyboardInterrupt):
        drain(huey)

    assert (handle.state, job(huey, handle).reason) == (State.DEAD, "interrupted")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")

    __repr__ = __str__


@pytest.mark.parametrize("watched", [False, True])
def test_an_exception_whose_text_raises_is_kept_by_its_type(
    huey: Huey, watched: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO if watched else logging.ERROR)
    handle = asking(huey, Unprintable(), Unprintable(), retries=1)()
    drain(huey)

    row = job(huey, handle)
    assert row.state is State.DEAD
    assert [error["type"] for error in row.errors] == ["Unprintable"] * 2
    assert "test_api_execution" in row.errors[0]["traceback"]
    assert "Unprintable" in metadata(handle)["error"]


@pytest.mark.feature("errors")
def test_an_exception_group_and_a_cause_are_kept_with_their_traces(huey: Huey) -> None:
    @huey.task()
    def fail() -> None:
        try:
            raise KeyError("inner")
        except KeyError as cause:
            raise ExceptionGroup("several", [ValueError("a"), TypeError("b")]) from cause

    handle = fail()
    drain(huey)

    trace = metadata(handle)["traceback"]
    assert all(word in trace for word in ("inner", "several", "ValueError: a", "TypeError: b"))


def test_errors_are_cut_to_what_a_person_reads(huey: Huey) -> None:
    @huey.task(retries=40)
    def fail() -> None:
        raise ValueError("x" * 100_000)

    handle = fail()
    drain(huey)

    row = job(huey, handle)
    assert row.attempt == 41
    assert [error["attempt"] for error in row.errors] == list(range(17, 42))
    assert all(len(error["message"]) <= 1000 for error in row.errors)
    assert all(len(error["traceback"]) <= 8000 for error in row.errors)


def test_endless_recursion_is_a_failure(huey: Huey) -> None:
    @huey.task()
    def recurse() -> Any:
        def deeper() -> Any:
            return deeper()

        return deeper()

    handle = recurse()
    drain(huey)

    assert job(huey, handle).errors[0]["type"] == "RecursionError"
    assert "RecursionError" in metadata(handle)["error"]


def test_a_timeout_raised_by_the_task_itself_is_a_timeout(huey: Huey) -> None:
    @huey.task(context=True, timeout=1000)
    def check(task: Any = None) -> None:
        task._deadline = 0.0
        assert task.is_timed_out and task.time_remaining == 0.0
        task.check_timeout()

    handle = check()
    drain(huey)

    row = job(huey, handle)
    assert (row.state, row.reason) == (State.DEAD, "timeout")
    assert row.errors[0]["message"] == "timeout 1000.0s"


def test_without_a_timeout_there_is_time(huey: Huey) -> None:
    @huey.task(context=True)
    def check(task: Any = None) -> bool:
        task.check_timeout()
        return bool(task.time_remaining == float("inf"))

    handle = check()
    drain(huey)

    assert handle.get() is True


def test_a_task_exception_keeps_the_error_that_it_carries(huey: Huey) -> None:
    @huey.task()
    def inner() -> None:
        raise LookupError("deep")

    source = inner()
    drain(huey)

    @huey.task()
    def outer() -> None:
        source.get()

    handle = outer()
    drain(huey)

    assert metadata(handle)["error"] == "LookupError('deep')"


# --- results that cannot be written ---------------------------------------------------------------


def recursive() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


class Rude:
    def __reduce__(self) -> Any:
        raise RuntimeError("do not write me")


@pytest.mark.parametrize("value", [lambda: 1, Rude()], ids=["lambda", "rude"])
def test_a_result_that_cannot_be_written_is_a_failure(huey: Huey, value: Any) -> None:
    @huey.task(retries=1)
    def work() -> Any:
        return value

    handle = work()
    assert drain(huey) == 2

    assert handle.state is State.DEAD
    assert "cannot pickle" in metadata(handle)["error"]
    assert job(huey, handle).errors[-1]["type"] == "SerializationError"


def test_a_recursive_result_is_no_problem_for_pickle_and_a_failure_for_json(
    huey: Huey, tmp_path: Any
) -> None:
    jsonic = SqliteHuey("json", tmp_path / "json.db", serializer=JSONSerializer())
    good, bad = huey.task()(recursive)(), jsonic.task()(recursive)()
    drain(huey)
    drain(jsonic)

    value: Any = good.get()
    assert value[0] is value
    assert bad.state is State.DEAD
    assert "cannot json" in metadata(bad)["error"]
    jsonic.close()


def test_without_results_a_result_that_cannot_be_written_does_not_matter(path: str) -> None:
    huey = Huey("app", url=path, results=False)
    huey.task()(lambda: lambda: 1)()
    drain(huey)

    assert states(huey) == {"done": 1}
    huey.close()


# --- errors as results ----------------------------------------------------------------------------


class Detailed(Huey):
    """Recipe of seed 003."""

    def build_error_result(self, task: Any, exception: BaseException) -> dict[str, Any]:
        err = super().build_error_result(task, exception)
        err["task_name"] = task.name
        err["task_args"] = task.args
        err["task_kwargs"] = task.kwargs
        return err


@pytest.mark.feature("error results")
def test_the_error_result_can_be_enriched(path: str) -> None:
    huey = Detailed("app", url=path)

    @huey.task()
    def failing_task(*args: Any, **kwargs: Any) -> None:
        raise ValueError("x")

    handle = failing_task("some-arg", (1, 2), colour="red")
    drain(huey)

    found = metadata(handle)
    assert (found["task_name"], found["task_args"]) == ("failing_task", ("some-arg", (1, 2)))
    assert found["task_kwargs"] == {"colour": "red"}
    assert "failing_task" in found["traceback"]
    huey.close()


class Clumsy(Huey):
    def build_error_result(self, task: Any, exception: BaseException) -> dict[str, Any]:
        if "raise" in str(exception):
            raise RuntimeError("clumsy")
        return {**super().build_error_result(task, exception), "exception": lambda: exception}


@pytest.mark.parametrize("how", ["raise", "unwritable"])
def test_an_error_result_that_cannot_be_made_loses_only_its_details(path: str, how: str) -> None:
    huey = Clumsy("app", url=path)
    handle = asking(huey, ValueError(f"please {how}"))()
    drain(huey)

    assert handle.state is State.DEAD
    assert f"please {how}" in metadata(handle)["error"]
    huey.close()


# --- what cannot be run ---------------------------------------------------------------------------


def rewrite_payload(huey: Huey, handle: Result[Any], payload: bytes | None) -> None:
    lab_of(huey.storage).set_payload(handle.seq, payload)


def restore_payload(huey: Huey, handle: Result[Any]) -> None:
    """For the invariants at the end."""
    lab_of(huey.storage).set_payload(handle.seq, b"\0")


class Leaver:
    def __reduce__(self) -> Any:
        return sys.exit, ("while reading",)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (None, "missing"),
        (b"", "nothing"),
        (b"\x01\x80\x05tru", "unreadable pickle"),
        (b"\x02[[],{}]", "written as json/1"),
        (b"\xee\x00", "unknown format"),
        ("not args and kwargs", "unpack"),
        (Leaver(), "while reading"),
    ],
    ids=["missing", "empty", "truncated", "json", "unknown", "shape", "exit"],
)
def test_a_payload_that_cannot_be_read_ends_that_job_only(
    huey: Huey, payload: Any, why: str
) -> None:
    @huey.task(retries=3)
    def work() -> int:
        return 1

    broken, whole = work(), work()
    if payload is not None and not isinstance(payload, bytes):
        payload = huey.serializer.serialize(payload)
    rewrite_payload(huey, broken, payload)
    executor_run(huey)

    row = job(huey, broken)
    assert row.state is State.DEAD
    assert why in row.errors[0]["message"]
    assert why in metadata(broken)["error"]
    assert whole.get() == 1
    if payload is None:
        restore_payload(huey, broken)


def executor_run(huey: Huey) -> None:
    """Everything that is pending, as a consumer's worker runs it."""
    from hueycore.model.jobs import Want
    from hueycore.runs.executor import Executor

    executor, worker = Executor(huey), huey._stepper.worker()
    while claims := huey.storage.exchange(worker, [], Want(free=1)).claims:
        finished = executor.run(claims[0])
        huey.storage.exchange(worker, [finished.ended], Want(free=0))


def test_arguments_that_fitted_another_release_are_a_failure_of_the_task(
    huey: Huey,
) -> None:
    @huey.task()
    def one(a: int) -> None: ...

    another = Huey("app", url=huey.location)
    handle = another.call(one.name, 1, 2)
    another.close()
    drain(huey)

    assert handle is not None
    assert "TypeError" in metadata(Result(huey, handle.id))["error"]


@pytest.mark.feature("unknown task")
def test_an_unknown_task_is_put_back_for_ten_minutes_and_then_dead(
    huey: Huey, clock: Clock
) -> None:
    now = start = clock.freeze(1_900_000_000.0)

    @huey.task(retries=3)
    def renamed() -> None: ...

    handle = renamed()
    renamed.unregister()
    waits = []
    while True:
        assert huey.dequeue() is None
        row = job(huey, handle)
        if row.state is State.DEAD:
            break
        assert (row.state, row.attempt, row.retries) == (State.SCHEDULED, 0, 3)
        waits.append(row.run_at - now)
        clock.jump(row.run_at - now)
        now = row.run_at

    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert 540 <= now - start <= 660
    assert (row.reason, row.errors[-1]["type"]) == ("unknown-task", "UnknownTask")
    assert "renamed" in metadata(handle)["error"]


def test_a_task_that_becomes_known_in_time_runs(huey: Huey, clock: Clock) -> None:
    clock.freeze()

    @huey.task()
    def late() -> str:
        return "here"

    handle = late()
    late.unregister()
    for _ in range(5):
        assert huey.dequeue() is None
        clock.jump(61)
    huey.registry.register(late)
    drain(huey)

    assert (handle.get(), job(huey, handle).attempt) == ("here", 1)


# --- hooks ----------------------------------------------------------------------------------------


@pytest.mark.feature("hooks")
def test_hooks_are_called_around_the_run_in_their_order(huey: Huey) -> None:
    calls: list[Any] = []

    @huey.pre_execute()
    def before(task: Any) -> None:
        calls.append(("before", task.id))

    @huey.pre_execute(name="named")
    def second(task: Any) -> None:
        calls.append("second")

    @huey.post_execute()
    def after(task: Any, value: Any, exc: BaseException | None) -> None:
        calls.append((value, type(exc)))

    @huey.task()
    def work(fail: bool) -> int:
        calls.append("run")
        if fail:
            raise LookupError
        return 5

    good = work(False)
    drain(huey)
    bad = work(True)
    drain(huey)

    none = type(None)
    assert calls == [
        ("before", good.id), "second", "run", (5, none),
        ("before", bad.id), "second", "run", (None, LookupError),
    ]  # fmt: skip


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_post_hook_that_raises_changes_nothing(
    huey: Huey, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    called = []

    @huey.post_execute()
    def bad(task: Any, value: Any, exc: Any) -> None:
        raise error("hook")

    @huey.post_execute()
    def good(task: Any, value: Any, exc: Any) -> None:
        called.append(value)

    handle = asking(huey)()
    drain(huey)

    assert (handle.get(), called) == (1, [1])
    assert "post-execute hook bad failed" in caplog.text


def test_a_pre_hook_that_raises_is_logged_and_the_job_runs(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    @huey.pre_execute()
    def bad(task: Any) -> None:
        raise RuntimeError("hook")

    handle = asking(huey)()
    drain(huey)

    assert handle.get() == 1
    assert "pre-execute hook bad failed" in caplog.text


def test_a_pre_hook_that_exits_ends_the_job_and_not_the_worker(huey: Huey) -> None:
    @huey.pre_execute()
    def bad(task: Any) -> None:
        if task.name == "ask":
            sys.exit(1)

    ends, runs = asking(huey)(), asking(huey, name="other")()
    drain(huey)

    assert (ends.state, runs.state) == (State.DEAD, State.DONE)


@pytest.mark.feature("hooks")
def test_a_pre_hook_may_cancel_the_run(huey: Huey) -> None:
    posts: list[Any] = []
    huey.post_execute("post")(lambda *args: posts.append(args))

    @huey.pre_execute()
    def never(task: Any) -> None:
        raise CancelExecution(retry=True)

    handle = asking(huey, retries=3)()
    drain(huey)

    row = job(huey, handle)
    assert (row.state, row.reason, row.attempt) == (State.REVOKED, "canceled", 0)
    assert posts == []
    with pytest.raises(TaskException, match="canceled"):
        handle.get(blocking=True, timeout=5)


def test_hooks_can_be_taken_away_by_name_or_function(huey: Huey) -> None:
    calls: list[str] = []

    @huey.pre_execute()
    def one(task: Any) -> None:
        calls.append("one")

    @huey.pre_execute("two")
    def other(task: Any) -> None:
        calls.append("two")

    @huey.post_execute()
    def three(*args: Any) -> None:
        calls.append("three")

    assert huey.unregister_pre_execute(one) is True
    assert huey.unregister_pre_execute(one) is False
    assert huey.unregister_pre_execute("two") is True
    assert huey.unregister_post_execute(three) is True
    assert huey.unregister_on_startup("none") is False
    assert huey.unregister_on_shutdown("none") is False
    asking(huey)()
    drain(huey)

    assert calls == []


def test_the_deduplication_recipe_skips_a_second_run_of_the_same_call(huey: Huey) -> None:
    """Seed 003 hashes ``task.data``."""

    @huey.task()
    def work(*args: Any, **kwargs: Any) -> int:
        return huey.incr("ran")

    @huey.pre_execute()
    def deduplicate(task: Any) -> None:
        dedup_key = f"dedup:{task.name}:{hash(task.data)}"
        if not huey.put_if_empty(dedup_key, "1"):
            raise CancelExecution("Duplicate task, skipping")

    @huey.post_execute()
    def clear_dedup(task: Any, task_value: Any, exc: Any) -> None:
        huey.delete(f"dedup:{task.name}:{hash(task.data)}")

    huey.put(f"dedup:work:{hash(work.s(1, colours=['red']).data)}", "1")
    same, other = work(1, colours=["red"]), work(2, colours=["red"])
    drain(huey)

    assert (same.state, other.get()) == (State.REVOKED, 1)
    args, kwargs = work.s(1, a=2).data
    assert (args, kwargs) == ((1,), {"a": 2})


# --- times of a run -------------------------------------------------------------------------------


def test_a_row_says_when_its_run_began_and_ended(huey: Huey, clock: Clock) -> None:
    now = clock.freeze(1_900_000_000.0)
    handle = asking(huey)()
    clock.jump(10)
    run_one(huey)

    row = job(huey, handle)
    assert (row.enqueued_at, row.run_at, row.started_at) == (now, now, now + 10)
    assert row.finished_at is not None and 0 <= row.finished_at - now - 10 < 5


def test_a_purged_job_is_unknown(huey: Huey) -> None:
    from hueycore.model.jobs import Selector

    handle = asking(huey)()
    drain(huey)
    huey.storage.purge(Selector(queues=("app",)))

    with pytest.raises(UnknownJob):
        handle.get()


def test_a_task_timeout_is_none_of_the_errors_that_network_code_waits_out(
    huey: Huey,
) -> None:
    @huey.task()
    def stubborn() -> str:
        try:
            raise TaskTimeout
        except OSError:
            return "tries again for ever"

    handle = stubborn()
    drain(huey)

    assert job(huey, handle).reason == "timeout"

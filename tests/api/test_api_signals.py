"""Signals: Huey's names in Huey's sequences, each sent when it is true in the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import hueycore
import hueycore.signals
from hueycore import Huey
from hueycore.consumer.janitor import Janitor
from tests.helpers import Signals, drain, job, run_python

#: A scenario declares one task on any library and answers a signature of it.
Scenario = Callable[[ModuleType, Any], Any]


def succeeds(lib: ModuleType, huey: Any) -> Any:
    return huey.task()(lambda: 1).s()


def succeeds_later(lib: ModuleType, huey: Any) -> Any:
    return huey.task()(lambda: 1).s(delay=60)


def _raising(make: Callable[[], BaseException], huey: Any, **options: Any) -> Any:
    def task() -> None:
        raise make()

    return huey.task(**options)(task).s()


def fails(lib: ModuleType, huey: Any) -> Any:
    return _raising(ValueError, huey)


def fails_twice_at_once(lib: ModuleType, huey: Any) -> Any:
    return _raising(ValueError, huey, retries=1)


def fails_twice_with_a_delay(lib: ModuleType, huey: Any) -> Any:
    return _raising(ValueError, huey, retries=1, retry_delay=30)


def _once(error: Callable[[], BaseException], huey: Any, **options: Any) -> Any:
    """Raises in the first run only."""
    runs = []

    def task() -> int:
        runs.append(1)
        if len(runs) == 1:
            raise error()
        return 1

    return huey.task(**options)(task).s()


def asks_for_a_retry(lib: ModuleType, huey: Any) -> Any:
    return _once(lib.RetryTask, huey)


def asks_for_a_retry_with_a_default_delay(lib: ModuleType, huey: Any) -> Any:
    return _once(lib.RetryTask, huey, retry_delay=30)


def asks_for_a_retry_after_a_delay(lib: ModuleType, huey: Any) -> Any:
    return _once(lambda: lib.RetryTask(delay=30), huey)


def asks_for_a_retry_at_a_time(lib: ModuleType, huey: Any) -> Any:
    eta = datetime.now() + timedelta(minutes=1)
    return _once(lambda: lib.RetryTask(eta=eta), huey)


def cancels(lib: ModuleType, huey: Any) -> Any:
    return _raising(lib.CancelExecution, huey)


def cancels_with_retries_left(lib: ModuleType, huey: Any) -> Any:
    return _raising(lib.CancelExecution, huey, retries=1)


def cancels_for_good(lib: ModuleType, huey: Any) -> Any:
    return _raising(lambda: lib.CancelExecution(retry=False), huey, retries=2)


def cancels_and_insists_on_a_retry(lib: ModuleType, huey: Any) -> Any:
    return _once(lambda: lib.CancelExecution(retry=True), huey)


def is_cancelled_before(lib: ModuleType, huey: Any) -> Any:
    @huey.pre_execute()
    def cancel(task: Any) -> None:
        raise lib.CancelExecution

    return succeeds(lib, huey)


def takes_too_long(lib: ModuleType, huey: Any) -> Any:
    return _raising(lib.exceptions.TaskTimeout, huey)


def takes_too_long_and_tries_again(lib: ModuleType, huey: Any) -> Any:
    return _once(lib.exceptions.TaskTimeout, huey, retries=1)


def finds_a_lock(lib: ModuleType, huey: Any) -> Any:
    return _once(lib.exceptions.TaskLockedException, huey, retries=1, retry_delay=5)


def is_rate_limited(lib: ModuleType, huey: Any) -> Any:
    return _once(lambda: lib.exceptions.RateLimitExceeded("api", 5), huey)


def is_rate_limited_for_good(lib: ModuleType, huey: Any) -> Any:
    return _raising(lambda: lib.exceptions.RateLimitExceeded("api", 5, retry=False), huey)


def expires(lib: ModuleType, huey: Any) -> Any:
    return huey.task(expires=0.001)(lambda: 1).s()


E, X, C, R, S = "enqueued", "executing", "complete", "retrying", "scheduled"

#: What Huey 3.5 sends for a job, from its birth to its end.
SEQUENCES: dict[Scenario, list[str]] = {
    succeeds: [E, X, C],
    succeeds_later: [E, S, E, X, C],
    fails: [E, X, "error"],
    fails_twice_at_once: [E, X, "error", R, E, X, "error"],
    fails_twice_with_a_delay: [E, X, "error", R, S, E, X, "error"],
    asks_for_a_retry: [E, X, R, E, X, C],
    asks_for_a_retry_with_a_default_delay: [E, X, R, S, E, X, C],
    asks_for_a_retry_after_a_delay: [E, X, R, S, E, X, C],
    asks_for_a_retry_at_a_time: [E, X, R, S, E, X, C],
    cancels: [E, X, "canceled"],
    cancels_with_retries_left: [E, X, "canceled", R, E, X, "canceled"],
    cancels_for_good: [E, X, "canceled"],
    cancels_and_insists_on_a_retry: [E, X, "canceled", R, E, X, C],
    is_cancelled_before: [E, X, "canceled"],
    takes_too_long: [E, X, "timeout"],
    takes_too_long_and_tries_again: [E, X, "timeout", R, E, X, C],
    finds_a_lock: [E, X, "locked", R, S, E, X, C],
    is_rate_limited: [E, X, "rate-limited", R, S, E, X, C],
    is_rate_limited_for_good: [E, X, "rate-limited"],
    expires: [E, "expired"],
}


def sequence(lib: ModuleType, huey: Any, scenario: Scenario) -> list[str]:
    """The signals of one job, driven as one drives Huey by hand."""
    seen: list[str] = []
    signature = scenario(lib, huey)
    huey.signal()(lambda signal, task, *args: seen.append(str(signal)))
    huey.enqueue(signature)
    time.sleep(0.002)
    while (task := huey.dequeue()) is not None:
        huey.execute(task)
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    for task in huey.read_schedule(later):
        huey.enqueue(task)
        while (again := huey.dequeue()) is not None:
            huey.execute(again, later)
    return seen


@pytest.mark.feature("signals")
@pytest.mark.parametrize("scenario", SEQUENCES, ids=lambda scenario: scenario.__name__)
def test_signals_come_in_hueys_sequence(huey: Huey, scenario: Scenario) -> None:
    assert sequence(hueycore, huey, scenario) == SEQUENCES[scenario]


@pytest.mark.parametrize("scenario", SEQUENCES, ids=lambda scenario: scenario.__name__)
@pytest.mark.feature("signals")
def test_the_sequences_above_are_those_of_huey_itself(scenario: Scenario) -> None:
    original = pytest.importorskip("huey", minversion="3.5")
    import huey.exceptions

    huey_ = original.MemoryHuey("original", utc=True)
    assert sequence(huey, huey_, scenario) == SEQUENCES[scenario]


def test_the_names_of_the_signals_are_those_of_huey() -> None:
    original = pytest.importorskip("huey", minversion="3.5")
    theirs = {name: value for name, value in vars(original.signals).items() if "SIGNAL_" in name}
    ours = vars(hueycore.signals)

    assert len(theirs) == 13
    assert {name: ours[name] for name in theirs} == theirs


# --- when they are sent ---------------------------------------------------------------------------


@pytest.mark.feature("signals")
def test_each_signal_is_true_in_the_file_when_it_is_sent(huey: Huey) -> None:
    @huey.task(retries=1)
    def work(fail: bool) -> int:
        if fail:
            raise LookupError("why")
        return 42

    seen = Signals(huey)
    good = work(False)
    drain(huey)
    bad = work(True)
    drain(huey)

    assert [(s, state) for s, id_, state, _ in seen.seen if id_ == good.id] == [
        ("enqueued", "pending"), ("executing", "running"), ("complete", "done"),
    ]  # fmt: skip
    assert [(s, state) for s, id_, state, _ in seen.seen if id_ == bad.id] == [
        ("enqueued", "pending"), ("executing", "running"), ("error", "pending"),
        ("retrying", "pending"), ("enqueued", "pending"), ("executing", "running"),
        ("error", "dead"),
    ]  # fmt: skip


def test_a_complete_receiver_reads_the_result_and_an_error_receiver_the_error(
    huey: Huey,
) -> None:
    read: list[Any] = []

    @huey.task()
    def work(fail: bool) -> int:
        if fail:
            raise LookupError("why")
        return 42

    @huey.signal("complete")
    def complete(signal: str, task: Any) -> None:
        read.append(huey.result(task.id, preserve=True))

    @huey.signal("error")
    def error(signal: str, task: Any, exc: BaseException) -> None:
        read.append((type(exc), huey.dead()[0].id == task.id))
        with pytest.raises(hueycore.TaskException, match="why"):
            huey.result(task.id, preserve=True)

    work(False)
    work(True)
    drain(huey)

    assert read == [42, (LookupError, True)]


def test_an_enqueued_receiver_finds_the_job(huey: Huey) -> None:
    found = []

    @huey.task()
    def work() -> None: ...

    @huey.signal("enqueued")
    def enqueued(signal: str, task: Any) -> None:
        found.append(job(huey, task.id).state)

    work()
    huey.enqueue_many(work.s() for _ in range(3))

    assert found == ["pending"] * 4


def test_a_receiver_may_enqueue(huey: Huey) -> None:
    @huey.task()
    def first() -> None: ...

    @huey.task()
    def second() -> None:
        huey.incr("second")

    @huey.signal("complete")
    def then(signal: str, task: Any) -> None:
        if task.name == "first":
            second()

    first()
    drain(huey)

    assert huey.incr("second", 0) == 1


# --- who is told ----------------------------------------------------------------------------------


def test_a_receiver_that_raises_stops_nobody(huey: Huey, caplog: pytest.LogCaptureFixture) -> None:
    told = []

    @huey.task()
    def work() -> int:
        return 1

    @huey.signal()
    def bad(signal: str, task: Any) -> None:
        raise RuntimeError("receiver")

    huey.signal()(lambda signal, task: told.append(signal))
    handle = work()
    drain(huey)

    assert told == ["enqueued", "executing", "complete"]
    assert handle.get() == 1
    assert 'receiver "bad" failed for signal "complete"' in caplog.text


def test_receivers_of_one_signal_are_called_before_those_of_all(huey: Huey) -> None:
    told = []
    huey.signal()(lambda *args: told.append("all"))
    huey.signal("enqueued")(lambda *args: told.append("enqueued"))

    huey.task()(lambda: None)()

    assert told == ["enqueued", "all"]


def test_a_receiver_can_be_given_without_a_decorator(huey: Huey) -> None:
    told = []

    def success(sender: str, task: Any) -> None:
        told.append((sender, task.id))

    huey.signal(hueycore.signals.SIGNAL_SUCCESS, success)
    handle = huey.task()(lambda: 1)()
    drain(huey)

    assert told == [("complete", handle.id)]


def test_a_disconnected_receiver_is_not_called(huey: Huey) -> None:
    told: list[str] = []

    @huey.signal("enqueued", "complete")
    def some(signal: str, task: Any) -> None:
        told.append(f"some {signal}")

    @huey.signal()
    def all_(signal: str, task: Any) -> None:
        told.append(f"all {signal}")

    huey.disconnect_signal(some, "complete")
    huey.disconnect_signal(all_)
    huey.disconnect_signal(all_)
    huey.task()(lambda: 1)()
    drain(huey)

    assert told == ["some enqueued"]


@pytest.mark.feature("dead letters")
def test_the_last_error_of_a_job_is_also_known_as_task_failed(huey: Huey) -> None:
    """Seed 002 has its dead letter recipe listen for that name."""
    letters = []

    @huey.task(retries=1)
    def work(n: int) -> None:
        raise ValueError(n)

    @huey.signal()
    def task_failed_handler(signal: str, task: Any, exc: Any = None) -> None:
        if signal == "task-failed":
            letters.append((task.name, task.args, str(exc), signal == "error", str(signal)))

    by_name: list[str] = []
    huey.signal("task-failed")(lambda signal, task, exc: by_name.append(task.id))
    handle = work(7)
    drain(huey)

    assert letters == [("work", (7,), "7", True, "error")]
    assert by_name == [handle.id]


@pytest.mark.sqlite_only("that a run has begun is known from its first moment")
def test_a_job_that_died_with_its_process_is_told_as_an_error(huey: Huey, path: str) -> None:
    def kill() -> None: ...

    kill.__module__ = "__main__"
    huey.task()(kill)
    seen = Signals(huey)
    told: list[BaseException] = []
    huey.signal("error")(lambda signal, task, exc: told.append(exc))
    run_python(
        """
        import os, sys
        from hueycore import Huey
        huey = Huey("app", url=sys.argv[1])
        kill = huey.task(max_crashes=1, name="kill")(lambda: os._exit(3))
        huey.enqueue(kill.s(id="one"))
        huey.execute(huey.dequeue())
        """,
        path,
        exits=3,
    )

    Janitor(huey).recover()

    assert seen.names() == ["error"]
    assert seen.of("error")[0][:2] == ("one", "dead")
    assert "died while it ran" in str(told[0])


def test_the_recipe_for_interrupted_tasks_doubles_nothing(huey: Huey) -> None:
    runs = SimpleNamespace(n=0)

    @huey.task()
    def work() -> int:
        runs.n += 1
        if runs.n == 1:
            raise KeyboardInterrupt
        return runs.n

    @huey.signal("interrupted")
    def on_interrupted(signal: str, task: Any, *args: Any, **kwargs: Any) -> None:
        huey.enqueue(task)

    handle = work()
    seen = Signals(huey)
    with pytest.raises(KeyboardInterrupt):
        drain(huey)
    drain(huey)

    assert runs.n == 2
    assert handle.get() == 2
    assert seen.names() == ["executing", "interrupted", "executing", "complete"]
    assert job(huey, handle).attempt == 1

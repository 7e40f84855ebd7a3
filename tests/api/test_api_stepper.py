"""Working through a queue by hand, as Huey's documentation and its users' tests do."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hueycore import Huey, State, crontab, every
from tests.helpers import Clock, Signals, drain, job, jobs, run_python, states
from tests.storage.engines import lab_of


@pytest.fixture
def add(huey: Huey) -> Any:
    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    return add


def utc(posix: float) -> datetime:
    return datetime.fromtimestamp(posix, UTC).replace(tzinfo=None)


def test_dequeue_hands_out_a_task_and_execute_runs_and_ends_it(huey: Huey, add: Any) -> None:
    handle = add(1, 2)

    task = huey.dequeue()
    assert task is not None
    assert (task.id, task.name, task.args, task.attempt) == (handle.id, "add", (1, 2), 1)
    assert states(huey) == {"running": 1}
    assert huey.execute(task) == 3
    assert states(huey) == {"done": 1}
    assert huey.dequeue() is None
    assert handle.get() == 3


def test_execute_answers_none_for_a_failure_and_commits_it(huey: Huey) -> None:
    @huey.task(retries=1)
    def fail() -> None:
        raise ValueError

    handle = fail()
    task = huey.dequeue()
    assert task is not None

    assert huey.execute(task) is None
    assert (handle.state, job(huey, handle).retries) == (State.PENDING, 0)


def test_execute_takes_a_signature_that_was_never_enqueued(huey: Huey, add: Any) -> None:
    signature = add.s(2, 3)

    assert huey.execute(signature) == 5
    assert huey.result(signature.id) == 5
    assert states(huey) == {"done": 1}


def test_execute_runs_the_very_job_that_has_the_tasks_id(huey: Huey, add: Any) -> None:
    first = add(0, 0)
    signature = add.s(2, 3, id="mine")
    huey.enqueue(signature)

    assert huey.execute(signature) == 5
    assert (first.state, huey.result("mine")) == (State.PENDING, 5)
    assert len(jobs(huey)) == 2


def test_execute_only_schedules_what_is_not_due(huey: Huey, add: Any) -> None:
    signature = add.s(2, 3, delay=60)

    assert not huey.ready_to_run(signature)
    assert huey.execute(signature) is None
    assert states(huey) == {"scheduled": 1}


def test_execute_believes_the_callers_clock(huey: Huey, add: Any) -> None:
    signature = add.s(2, 3, delay=60)
    soon = utc(time.time() + 61)

    assert huey.ready_to_run(signature, soon)
    assert huey.execute(signature, soon) == 5
    assert states(huey) == {"done": 1}


def test_execute_skips_a_revoked_task(huey: Huey, add: Any) -> None:
    seen = Signals(huey)
    add.revoke(revoke_once=True)

    assert huey.execute(add.s(2, 3)) is None
    assert seen.names() == ["enqueued", "revoked"]
    assert states(huey) == {"revoked": 1}


def test_without_results_execute_still_runs_a_signature(path: str) -> None:
    huey = Huey("quiet", url=path, results=False)

    @huey.task()
    def one() -> int:
        return 1

    assert huey.execute(one.s()) == 1
    huey.close()


def test_the_loop_of_hueys_scheduler_works(huey: Huey, add: Any, clock: Clock) -> None:
    now = clock.freeze(1_900_000_000.0)
    handles = [add.schedule((n, 0), delay=n) for n in (30, 10, 20)]

    assert huey.read_schedule() == []
    clock.jump(25)
    due = huey.read_schedule()
    for task in due:
        huey.enqueue(task)

    assert [task.args[0] for task in due] == [10, 20]
    assert len(huey) == 2
    assert drain(huey) == 2
    assert [handle.get() for handle in handles] == [None, 10, 20]
    assert job(huey, handles[0]).run_at == now + 30


def test_read_schedule_may_look_from_a_time_to_come(huey: Huey, add: Any) -> None:
    handles = [add.schedule((n, 0), delay=n) for n in (3600, 60)]

    (task,) = huey.read_schedule(utc(time.time() + 600))
    huey.enqueue(task)

    assert task.args == (60, 0)
    assert drain(huey) == 1
    assert [handle.get() for handle in handles] == [None, 60]
    (task,) = huey.read_schedule(utc(time.time() + 7200))
    assert huey.execute(task, utc(time.time() + 7200)) == 3600


def test_add_schedule_stores_a_task_for_its_time(huey: Huey, add: Any) -> None:
    seen = Signals(huey)
    huey.add_schedule(add.s(1, 2, delay=60))

    assert states(huey) == {"scheduled": 1}
    assert "scheduled" in seen.names()


@pytest.mark.parametrize("as_utc", [True, False])
def test_read_periodic_gives_the_tasks_of_a_minute_in_the_queues_own_time(
    path: str, monkeypatch: pytest.MonkeyPatch, as_utc: bool
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    huey = Huey("periodic", url=path, utc=as_utc)

    @huey.periodic_task(crontab("30", "9"))
    def at_half_past_nine() -> None: ...

    @huey.periodic_task(crontab("*"))
    def each_minute() -> None: ...

    @huey.periodic_task(lambda dt: dt.hour == 9)
    def by_function() -> None: ...

    @huey.periodic_task(every("1h"))
    def hourly() -> None: ...

    def names(when: datetime) -> list[str]:
        return sorted(task.name for task in huey.read_periodic(when))

    assert names(datetime(2030, 5, 5, 9, 30, 17)) == [
        "at_half_past_nine", "by_function", "each_minute", *(() if as_utc else ("hourly",)),
    ]  # fmt: skip
    assert names(datetime(2030, 5, 5, 10, 31)) == ["each_minute"]
    for task in huey.read_periodic(datetime(2030, 5, 5, 9, 30)):
        huey.enqueue(task)
    assert drain(huey) == len(jobs(huey)) == (3 if as_utc else 4)
    huey.close()
    monkeypatch.undo()
    time.tzset()


def test_a_task_that_cannot_be_read_is_ended_and_the_next_one_handed_out(
    huey: Huey, add: Any
) -> None:
    broken, whole = add(1, 2), add(3, 4)
    lab_of(huey.storage).set_payload(broken.seq, b"\x01\xff\xff")

    task = huey.dequeue()

    assert task is not None and task.id == whole.id
    row = job(huey, broken)
    assert (row.state, row.reason) == (State.DEAD, "unreadable")
    assert row.errors[0]["type"] == "SerializationError"


def test_what_was_dequeued_comes_back_when_the_queue_is_closed(huey: Huey, add: Any) -> None:
    handle = add(1, 2)
    huey.dequeue()
    huey.close()

    assert (handle.state, job(huey, handle).attempt) == (State.PENDING, 0)
    assert drain(huey) == 1


def test_what_was_dequeued_comes_back_when_the_process_dies(huey: Huey, path: str) -> None:
    run_python(
        """
        import os, sys
        from hueycore import Huey
        huey = Huey("app", url=sys.argv[1])
        huey.task()(lambda: 1).s(id="one")
        huey.enqueue(huey.registry.get("__main__.<lambda>").s(id="one"))
        huey.dequeue()
        os._exit(0)
        """,
        path,
    )
    assert job(huey, "one").state is State.RUNNING

    assert [found.started for found in huey.storage.recover()] == [False]
    row = job(huey, "one")
    assert (row.state, row.crashes, row.attempt) == (State.PENDING, 0, 0)


@pytest.mark.sqlite_only("that a run has begun is known from its first moment")
def test_a_process_that_dies_in_execute_is_charged_to_its_job(huey: Huey, path: str) -> None:
    run_python(
        """
        import os, sys
        from hueycore import Huey
        huey = Huey("app", url=sys.argv[1])
        kill = huey.task(max_crashes=1)(lambda: os._exit(3))
        huey.enqueue(kill.s(id="one"))
        huey.execute(huey.dequeue())
        """,
        path,
        exits=3,
    )

    huey.storage.recover()
    row = job(huey, "one")
    assert (row.state, row.reason, row.crashes) == (State.DEAD, "crashed", 1)


def test_a_fork_of_a_process_that_steps_is_a_stepper_of_its_own(path: str) -> None:
    out = run_python(
        """
        import os, sys
        from hueycore import Huey
        huey = Huey("app", url=sys.argv[1])
        add = huey.task(name="add")(lambda a, b: a + b)
        mine, theirs = add(1, 2), add(3, 4)
        held = huey.dequeue()
        child = os.fork()
        if child == 0:
            os._exit(0 if huey.execute(huey.dequeue()) == 7 else 1)
        assert os.waitpid(child, 0)[1] == 0
        print(theirs.get(), huey.storage.recover(), huey.execute(held), mine.get())
        """,
        path,
    )

    assert out.strip() == "7 [] 3 3"


def test_a_zombies_ending_is_dropped_and_told(huey: Huey, add: Any) -> None:
    handle = add(1, 2)
    task = huey.dequeue()
    assert task is not None
    lab_of(huey.storage).set(handle.seq, state="pending", worker=None, claimed_at=None)
    other = Huey("app", url=huey.location)
    other.registry.register(add)
    again = other.dequeue()
    assert again is not None and again.attempt == 2
    seen = Signals(huey)

    huey.execute(task)
    assert handle.state is State.RUNNING
    assert seen.names() == ["executing", "claim-lost"]
    assert other.execute(again) == 3
    assert handle.get() == 3
    other.close()


def test_a_delay_of_hueys_tests_is_a_delta_from_now(huey: Huey, add: Any) -> None:
    later = datetime.now() + timedelta(seconds=60)
    task = add.s(1, 2, eta=later)

    assert not huey.ready_to_run(task)
    assert huey.ready_to_run(task, utc(later.timestamp()))
    assert not huey.ready_to_run(task, utc(later.timestamp() - 1))


class Striking:
    """Arguments during whose reading somebody presses ^C."""

    def __reduce__(self) -> Any:
        return _strike, ()


def _strike() -> None:
    raise KeyboardInterrupt


def test_a_ctrl_c_while_arguments_are_read_gives_the_job_back(huey: Huey) -> None:
    @huey.task()
    def work(*args: Any) -> None: ...

    handle = work(Striking())
    with pytest.raises(KeyboardInterrupt):
        huey.dequeue()

    assert (handle.state, job(huey, handle).attempt) == (State.PENDING, 0)

"""Revoking and restoring: jobs, ids that no job has yet, tasks; dead letters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hueycore import Huey, Result, State
from tests.helpers import Clock, Gate, Signals, consuming, drain, job, run_one, states, wait_until


@pytest.fixture
def note(huey: Huey) -> Any:
    @huey.task()
    def note(n: int) -> int:
        huey.incr("ran")
        return n

    return note


def ran(huey: Huey) -> int:
    return huey.incr("ran", 0)


# --- jobs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["handle", "signature", "id"])
@pytest.mark.feature("revoke")
def test_a_waiting_job_is_revoked_now(huey: Huey, note: Any, way: str) -> None:
    seen = Signals(huey)
    pending, scheduled = note.s(1), note.s(2, delay=600)
    handles = [huey.enqueue(pending), huey.enqueue(scheduled)]
    for handle, signature in zip(handles, (pending, scheduled), strict=True):
        assert handle is not None
        assert not handle.is_revoked()
        if way == "handle":
            handle.revoke()
        elif way == "signature":
            huey.revoke(signature)
        else:
            huey.revoke_by_id(handle.id)

    assert states(huey) == {"revoked": 2}
    assert [state for _, state, _ in seen.of("revoked")] == ["revoked", "revoked"]
    assert drain(huey) == 0
    assert ran(huey) == 0
    assert huey.is_revoked(pending)
    assert huey.is_revoked(pending.id)
    assert huey.is_revoked(Result(huey, pending.id))


def test_a_restored_job_waits_again_for_its_own_time(huey: Huey, note: Any, clock: Clock) -> None:
    now = clock.freeze()
    soon, later = note(1), note.schedule((2,), delay=600)
    soon.revoke()
    later.revoke()

    assert soon.restore() is True
    assert huey.restore_by_id(later.id) is True
    assert soon.restore() is False

    assert (soon.state, later.state) == (State.PENDING, State.SCHEDULED)
    assert job(huey, later).run_at == now + 600
    assert not soon.is_revoked()
    drain(huey)
    assert soon.get() == 1


def test_restoring_wakes_the_consumer(huey: Huey, note: Any) -> None:
    handle = note(1)
    handle.revoke()
    with consuming(huey):
        handle.restore()
        assert handle.get(blocking=True, timeout=20) == 1


def test_restore_does_not_touch_what_was_not_revoked(huey: Huey, note: Any) -> None:
    handle = note(1)
    drain(huey)

    assert huey.restore_by_id(handle.id) is False
    assert huey.restore_by_id("unknown") is False
    assert handle.state is State.DONE


def test_revoking_what_is_over_changes_nothing(huey: Huey, note: Any) -> None:
    handle = note(1)
    drain(huey)
    seen = Signals(huey)

    handle.revoke()

    assert (handle.state, handle.is_revoked(), seen.names()) == (State.DONE, False, [])
    assert handle.get() == 1


@pytest.mark.feature("revoke")
def test_a_running_job_is_asked_to_stop_and_may_finish(huey: Huey) -> None:
    @huey.task(context=True)
    def work(task: Any = None) -> bool:
        huey.revoke_by_id(task.id)
        return huey.is_revoked(task)

    handle = work()
    seen = Signals(huey)
    run_one(huey)

    assert handle.state is State.DONE
    assert handle.get() is True
    assert not handle.is_revoked()
    assert "revoked" not in seen.names()


def test_a_running_job_that_was_asked_to_stop_is_not_tried_again(huey: Huey) -> None:
    @huey.task(context=True, retries=3)
    def work(task: Any = None) -> None:
        huey.revoke_by_id(task.id)
        raise ValueError("stopped half way")

    handle = work()
    run_one(huey)

    row = job(huey, handle)
    assert row.state is State.REVOKED
    assert [error["message"] for error in row.errors] == ["stopped half way"]
    assert drain(huey) == 0


# --- ids that no job has yet ----------------------------------------------------------------------


@pytest.mark.feature("revoke")
def test_an_unknown_id_is_revoked_before_it_comes(huey: Huey, note: Any) -> None:
    huey.revoke_by_id("to-come")
    assert huey.is_revoked("to-come")

    handle = huey.enqueue(note.s(1, id="to-come"))
    other = note(2)
    drain(huey)

    assert handle is not None
    assert (handle.state, other.state) == (State.REVOKED, State.DONE)


def test_a_note_for_an_unknown_id_can_be_taken_back(huey: Huey, note: Any) -> None:
    huey.revoke_by_id("to-come")
    assert huey.restore_by_id("to-come") is True

    handle = huey.enqueue(note.s(1, id="to-come"))
    drain(huey)

    assert handle is not None and handle.get() == 1


def test_a_note_for_an_unknown_id_may_run_out(huey: Huey, note: Any, clock: Clock) -> None:
    clock.freeze()
    huey.revoke_by_id("to-come", revoke_until=timedelta(minutes=1))
    assert huey.is_revoked("to-come")
    clock.jump(61)

    assert not huey.is_revoked("to-come")
    assert huey.restore_by_id("to-come") is False
    huey.enqueue(note.s(1, id="to-come"))
    drain(huey)
    assert ran(huey) == 1


def test_a_job_revoked_until_a_time_ends_before_it_and_runs_after_it(
    huey: Huey, note: Any, clock: Clock
) -> None:
    clock.freeze()
    now, later = note(1), note.schedule((2,), delay=120)
    for handle in (now, later):
        handle.revoke(revoke_until=timedelta(minutes=1))
        assert handle.is_revoked()

    drain(huey)
    clock.jump(120)
    assert not later.is_revoked()
    drain(huey)

    assert (now.state, later.get()) == (State.REVOKED, 2)


def test_a_job_revoked_until_a_time_can_be_restored(huey: Huey, note: Any) -> None:
    handle = note(1)
    handle.revoke(revoke_until=60)
    assert handle.restore()
    drain(huey)

    assert handle.get() == 1


def test_a_job_that_is_over_is_not_revoked_until_a_time(huey: Huey, note: Any) -> None:
    handle = note(1)
    drain(huey)
    handle.revoke(revoke_until=60)

    assert not handle.is_revoked()
    assert huey.storage.revocations() == []


# --- tasks ----------------------------------------------------------------------------------------


def test_jobs_of_a_revoked_task_end_revoked_when_their_turn_comes(huey: Huey, note: Any) -> None:
    @huey.task()
    def other() -> None: ...

    before = note(1)
    note.revoke()
    after, free = note(2), other()
    seen = Signals(huey)
    assert note.is_revoked()
    assert not other.is_revoked()
    assert (before.state, before.is_revoked()) == (State.PENDING, True)
    drain(huey)

    assert [before.state, after.state, free.state] == ["revoked", "revoked", "done"]
    assert [state for _, state, _ in seen.of("revoked")] == ["revoked", "revoked"]
    assert note.restore() is True
    assert note.restore() is False
    assert run_again(huey, note) == 1


def run_again(huey: Huey, note: Any) -> int:
    note(3)
    drain(huey)
    return ran(huey)


@pytest.mark.feature("revoke")
def test_a_task_revoked_once_loses_one_job(huey: Huey, note: Any) -> None:
    note.revoke(revoke_once=True)
    handles = [note(n) for n in range(3)]
    drain(huey)

    assert [handle.state for handle in handles] == ["revoked", "done", "done"]
    assert not note.is_revoked()


@pytest.mark.parametrize("kind", ["naive", "aware", "seconds"])
def test_a_task_may_be_revoked_until_a_time(huey: Huey, note: Any, clock: Clock, kind: str) -> None:
    now = clock.freeze(1_900_000_000.0)
    until: Any = {
        "naive": datetime.fromtimestamp(now + 60),
        "aware": datetime.fromtimestamp(now + 60, UTC),
        "seconds": 60,
    }[kind]
    huey.revoke_all(note, revoke_until=until)

    held = note(1)
    drain(huey)
    assert note.is_revoked()
    clock.jump(61)
    free = note(2)
    drain(huey)

    assert [held.state, free.state] == ["revoked", "done"]
    assert not note.is_revoked()


def test_is_revoked_can_look_at_another_time_and_spends_only_when_asked(
    huey: Huey, note: Any, clock: Clock
) -> None:
    now = clock.freeze(1_900_000_000.0)
    huey.revoke_all(note, revoke_until=60)
    tomorrow = datetime.fromtimestamp(now + 86_400, UTC).replace(tzinfo=None)

    assert note.is_revoked()
    assert not note.is_revoked(timestamp=tomorrow)
    huey.revoke_all(note, revoke_once=True)
    assert note.is_revoked() and note.is_revoked()
    assert note.is_revoked(peek=False)
    assert not note.is_revoked()


def test_a_revoked_periodic_task_is_skipped(huey: Huey) -> None:
    from hueycore import every

    gate = Gate()

    @huey.periodic_task(every("0.1s"))
    def tick() -> None:
        huey.incr("ticks")
        gate.pass_through()

    gate.open.set()
    tick.revoke()
    with consuming(huey):
        wait_until(lambda: states(huey).get("revoked", 0) >= 2)
        assert huey.incr("ticks", 0) == 0
        tick.restore()
        wait_until(lambda: gate.entered)


# --- dead letters ---------------------------------------------------------------------------------


@pytest.mark.feature("dead letters")
def test_dead_letters_keep_arguments_errors_and_attempts(huey: Huey) -> None:
    @huey.task(retries=2)
    def fail(n: int) -> None:
        raise LookupError(f"try {huey.incr('tries')}")

    fail(7)
    drain(huey)

    (row,) = huey.dead()
    assert (row.state, row.reason, row.attempt, row.retries) == ("dead", "failed", 3, 0)
    assert row.preview == "7"
    assert [error["message"] for error in row.errors] == ["try 1", "try 2", "try 3"]
    assert [error["attempt"] for error in row.errors] == [1, 2, 3]
    assert all("raise LookupError" in error["traceback"] for error in row.errors)
    assert all(error["worker"] and error["run_s"] >= 0 for error in row.errors)


@pytest.mark.feature("dead letters")
def test_dead_letters_run_again_by_id_by_task_or_all(huey: Huey) -> None:
    broken = [True]

    @huey.task()
    def one(n: int) -> int:
        if broken[0]:
            raise ValueError(n)
        return n

    @huey.task()
    def two(n: int) -> int:
        if broken[0]:
            raise ValueError(n)
        return n

    handles = [one(1), one(2), two(3), two(4)]
    drain(huey)
    assert huey.dead_count() == 4
    assert [row.preview for row in huey.dead(limit=1)] == ["4"]
    broken[0] = False

    assert huey.retry_dead(handles[0].id) == 1
    assert huey.retry_dead(task=two, retries=2) == 2
    assert [row.retries for row in huey.storage.jobs(_pending(huey))] == [0, 2, 2]
    assert huey.retry_dead() == 1
    assert huey.retry_dead() == 0
    drain(huey)

    assert [handle.get() for handle in handles] == [1, 2, 3, 4]
    row = job(huey, handles[0])
    assert row.attempt == 2
    assert [error["message"] for error in row.errors] == ["1"]


def _pending(huey: Huey) -> Any:
    from hueycore.model.jobs import Selector

    return Selector(queues=(huey.name,), states=(State.PENDING,))

"""Deploys and at_most_once: what a stop or a crash makes of a job that is running."""

from __future__ import annotations

from signal import SIGTERM

import pytest

from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, Place, overlaps
from tests.helpers import stays_true, wait_until


def test_a_job_that_outlives_every_deploy_is_never_charged_nor_run_beside_itself(
    place: Place,
) -> None:
    """Each consumer is told to stop, waits out its time, and leaves the job as it is."""
    job = place.app.gated(place.gate())
    assert job is not None
    consumer = place.consumer("-t", "0.2", workers=2)
    for deploy in range(5):
        place.wait_for_runs(deploy + 1)
        consumer.signal(SIGTERM)
        consumer.wait_stopping()
        old = consumer
        # Every other release is started while the old one still has its time.
        if deploy % 2:
            assert old.wait() == 1
        if deploy < 4:
            consumer = place.consumer("-t", "0.2", workers=2)
        assert old.wait() == 1
        assert place.job(job.id).crashes == 0
    assert place.job(job.id).state is State.RUNNING
    assert not any(error["counted"] for error in place.job(job.id).errors)

    place.open_gate()
    place.drain()

    row = place.job(job.id)
    assert (row.state, row.crashes) == (State.DONE, 0)
    # The last of the stops has left a word, as no attempt.
    assert [(error["type"], error["counted"]) for error in row.errors] == [("Interrupted", False)]
    assert overlaps(place.lines()) == []
    assert place.ran("end")[job.id] == 1
    place.check_rows()


def test_a_kill_in_the_middle_of_a_stop_is_no_crash(place: Place) -> None:
    job = place.app.gated(place.gate())
    assert job is not None
    for stop in range(4):  # more than max_crashes
        consumer = place.consumer("-t", "30")
        place.wait_for_runs(stop + 1)
        consumer.signal(SIGTERM)
        consumer.wait_stopping()
        consumer.kill()

    place.open_gate()
    place.drain()

    assert (place.job(job.id).state, place.job(job.id).crashes) == (State.DONE, 0)
    assert place.ran("start")[job.id] == 5
    assert place.ran("end")[job.id] == 1


def test_a_running_job_is_nobody_elses_until_the_process_that_stops_is_gone(place: Place) -> None:
    """The thread cannot be stopped: given back early, the job would run beside itself."""
    job = place.app.gated(place.gate())
    assert job is not None
    old = place.consumer("-t", "1")
    place.wait_for_runs(1)
    row = old.wait_ready()
    new = place.consumer()
    new.wait_ready()

    old.signal(SIGTERM)
    old.wait_stopping()

    def still_old() -> bool:
        held = place.job(job.id)
        return old.ended or (held.state, held.worker) == (State.RUNNING, row.id)

    assert stays_true(still_old, 0.8)
    assert old.wait() == 1
    place.wait_for_runs(2)
    place.open_gate()
    wait_until(lambda: place.states() == {"done": 1}, DEADLINE)
    assert overlaps(place.lines()) == []
    assert {line.pid for line in place.lines()} == {old.pid, new.pid}


def test_at_most_once_that_was_running_at_a_kill_is_dead_as_crashed(place: Place) -> None:
    job = place.app.once(place.gate())
    waiting = place.app.once(place.gate())
    assert job is not None
    assert waiting is not None
    consumer = place.consumer(workers=1)
    place.wait_for_runs(1)
    consumer.kill()

    place.open_gate()
    place.drain()

    row = place.job(job.id)
    assert (row.state, row.reason, row.crashes) == (State.DEAD, "crashed", 1)
    assert row.errors[-1]["type"] == "Crashed"
    assert place.ran("start")[job.id] == 1
    assert place.job(waiting.id).state is State.DONE
    assert place.ran("start")[waiting.id] == 1
    place.check_rows()


@pytest.mark.parametrize("numbers", [(SIGTERM,), (SIGTERM, SIGTERM)], ids=["timeout", "second"])
def test_at_most_once_that_a_stop_interrupts_is_dead_as_interrupted(
    place: Place, numbers: tuple[int, ...]
) -> None:
    job = place.app.once(place.gate())
    waiting = place.app.once(place.gate())
    assert job is not None
    assert waiting is not None
    consumer = place.consumer("-t", "0.2" if len(numbers) == 1 else "30", workers=1)
    place.wait_for_runs(1)
    consumer.signal(numbers[0])
    consumer.wait_stopping()
    consumer.signal(*numbers[1:])
    assert consumer.wait() == (1 if len(numbers) == 1 else 143)

    place.open_gate()
    place.drain()

    row = place.job(job.id)
    assert (row.state, row.reason, row.crashes) == (State.DEAD, "interrupted", 0)
    assert row.errors[-1]["type"] == "Interrupted"
    assert place.ran("start")[job.id] == 1
    assert place.job(waiting.id).state is State.DONE
    place.check_rows()


def test_at_most_once_that_ended_and_could_not_be_written_never_runs_again(place: Place) -> None:
    """Its slot says that it started until the ending is in the file, not until the run is over."""
    job = place.app.once(place.gate())
    assert job is not None
    consumer = place.consumer(workers=1)
    place.wait_for_runs(1)
    with place.write_lock():
        place.open_gate()
        place.wait_for_runs(1, "end")
        seq = place.job(job.id).seq
        kept = stays_true(
            lambda: [pair[1] for row in place.workers() for pair in row.running] == [seq], 0.3
        )
        consumer.kill()
    assert kept, "the slot was cleared before the ending was kept"
    place.drain()

    assert (place.job(job.id).state, place.job(job.id).reason) == (State.DEAD, "crashed")
    assert place.ran("start")[job.id] == 1

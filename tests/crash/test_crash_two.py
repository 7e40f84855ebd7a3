"""Two consumers of one file: what a dead one ran comes back, what a living one runs does not."""

from __future__ import annotations

import time
from signal import SIGCONT, SIGTERM

import pytest

from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, Ledger, Place, every_kind, overlaps
from tests.helpers import stays_true, wait_until

#: Longer than the janitor's round.
ROUNDS = 2.5
#: A session that breaks is made anew, and nobody is taken for dead by it.
LOST = "the lock of a worker is lost by a bug of its process"


@pytest.mark.parametrize(
    "kinds",
    [("thread", "thread"), ("process", "thread"), ("greenlet", "asyncio")],
    ids=lambda kinds: "+".join(kinds),
)
def test_two_consumers_share_the_work_and_run_each_job_once(
    place: Place, kinds: tuple[str, str]
) -> None:
    ledger = Ledger(place)
    first, second = (place.consumer("-q", "-k", kind) for kind in kinds)
    first.wait_ready(), second.wait_ready()

    for _ in range(4):
        ledger.enqueue(place.app.work.s(0.002) for _ in range(250))
    wait_until(lambda: place.states() == {"done": 1000}, DEADLINE, "1,000 jobs done")

    assert set(place.ran("start").values()) == {1}
    pids = {line.pid for line in place.lines()}
    assert pids & {row.pid for row in first.rows()}
    assert second.pid in pids
    for consumer in (first, second):
        consumer.signal(SIGTERM)
        assert consumer.wait() == 0
    ledger.check()
    assert {job.attempt for job in place.jobs()} == {1}
    # What a loop had no time for was given back, which is another claim and no attempt.
    assert "greenlet" in kinds or {job.claim for job in place.jobs()} == {1}


def test_what_a_killed_consumer_was_running_runs_again_in_the_other_within_two_seconds(
    place: Place,
) -> None:
    ledger = Ledger(place)
    ledger.enqueue([place.app.gated.s(place.gate())])
    dying = place.consumer(workers=1)
    place.wait_for_runs(1)
    other = place.consumer(workers=4)
    other.wait_ready()
    ledger.enqueue(place.app.gated.s(place.gate()) for _ in range(2))
    place.wait_for_runs(3)

    dying.kill()
    killed = time.monotonic()
    ledger.note_kill()
    place.wait_for_runs(4)

    assert time.monotonic() - killed < 2.0
    place.open_gate()
    wait_until(lambda: place.states() == {"done": 3}, DEADLINE)
    ledger.check()
    assert sorted(place.ran("start").values()) == [1, 1, 2]
    assert sorted(job.crashes for job in place.jobs()) == [0, 0, 1]
    assert overlaps(place.lines()) == []


def test_a_consumer_that_is_stopped_for_long_is_not_dead(place: Place) -> None:
    """SIGSTOP, as a suspended machine or a debugger does it, while another janitor looks on."""
    ledger = Ledger(place)
    ledger.enqueue(place.app.gated.s(place.gate()) for _ in range(4))
    ledger.enqueue(place.app.plain.s(f"k{n}", 0.002) for n in range(50))
    held = place.consumer()
    place.wait_for_runs(4)
    held.stop_and_hold()
    other = place.consumer()
    other.wait_ready()
    wait_until(lambda: place.states() == {"running": 4, "done": 50}, DEADLINE)

    untouched = stays_true(lambda: place.states() == {"running": 4, "done": 50}, ROUNDS)
    held.signal(SIGCONT)
    place.open_gate()

    assert untouched
    wait_until(lambda: place.states() == {"done": 54}, DEADLINE)
    assert set(place.ran("start").values()) == {1}
    assert all((job.claim, job.crashes) == (1, 0) for job in place.jobs())
    place.app.plain("after")
    wait_until(lambda: place.states() == {"done": 55}, DEADLINE)
    for consumer in (held, other):
        consumer.signal(SIGTERM)
        assert consumer.wait() == 0
    place.check_rows()


SIBLINGS = """
import os, sys, threading
from tests.crash.app import App, app
same = App(os.environ["CRASH_DB"], os.environ["CRASH_LOG"])
strange = App(os.environ["CRASH_DB"], os.environ["CRASH_LOG"], name="other")
siblings = [each.huey.create_consumer(workers=2) for each in (same, strange)]
for sibling in siblings:
    sibling.start()
code = app.huey.create_consumer(workers=2).run()
for sibling in siblings:
    sibling.stop(graceful=True, timeout=5)
sys.exit(code)
"""


def test_janitors_of_one_process_never_take_what_their_siblings_run(place: Place) -> None:
    """POSIX locks of one process do not conflict with each other: every janitor here could take
    the byte of every other consumer of its own process."""
    jobs = place.huey.enqueue_many(place.app.gated.s(place.gate()) for _ in range(4))
    other = place.sibling("other")
    others = other.huey.enqueue_many(other.gated.s(place.gate()) for _ in range(2))
    process = place.process("-c", SIBLINGS)
    place.wait_for_runs(6)
    assert len(place.workers()) == 3

    def untouched() -> bool:
        rows = [*place.jobs(), *place.jobs(queue="other")]
        return all(row.state is State.RUNNING for row in rows) and len(place.workers()) == 3

    assert stays_true(untouched, ROUNDS)
    assert all(row.alive for row in place.workers())
    place.open_gate()
    wait_until(lambda: place.states() == {"done": 4}, DEADLINE)
    wait_until(lambda: {row.state for row in place.jobs(queue="other")} == {State.DONE}, DEADLINE)
    ran = place.ran("start")
    assert {handle.id: 1 for handle in (*jobs, *others)} == ran
    process.signal(SIGTERM)
    assert process.wait() == 0
    assert place.workers() == []
    place.check_rows()


def test_a_killed_process_of_several_queues_gives_back_the_jobs_of_each(place: Place) -> None:
    place.huey.enqueue_many(place.app.gated.s(place.gate()) for _ in range(4))
    other = place.sibling("other")
    other.huey.enqueue_many(other.gated.s(place.gate()) for _ in range(2))
    process = place.process("-c", SIBLINGS)
    place.wait_for_runs(6)
    place.wait_known(6)
    process.kill()

    again = place.process("-c", SIBLINGS)
    place.wait_for_runs(6 + 3)  # what was running at a crash is run one by one in a process
    place.open_gate()
    wait_until(lambda: place.states() == {"done": 4}, DEADLINE)
    wait_until(lambda: {row.state for row in place.jobs(queue="other")} == {State.DONE}, DEADLINE)
    again.signal(SIGTERM)
    assert again.wait() == 0
    assert set(place.ran("end").values()) == {1}
    assert {row.crashes for row in (*place.jobs(), *place.jobs(queue="other"))} == {1}
    place.check_rows()


@pytest.mark.sqlite_only(LOST)
@every_kind
def test_the_ending_of_a_run_that_was_taken_away_is_refused(place: Place) -> None:
    """A process that lost its lock byte through a bug of its own goes on as a zombie. The other
    run's ending is the one that counts."""
    job = place.app.lose_the_byte(place.gate())
    assert job is not None
    zombie = place.consumer(workers=1)
    place.wait_for_runs(1)
    other = place.consumer(workers=1)
    other.wait_ready()
    place.wait_for_runs(2)

    place.open_gate("gate1")
    place.wait_for_runs(1, "end")
    wait_until(lambda: "its claim was lost" in zombie.text(), DEADLINE, "a refused ending")
    held = place.job(job.id)
    assert (held.state, held.claim) == (State.RUNNING, 2)
    zombie.kill()
    place.open_gate("gate2")

    assert job.get(blocking=True, timeout=DEADLINE) == "attempt 2"
    other.signal(SIGTERM)
    assert other.wait() == 0
    place.check_rows()


@pytest.mark.sqlite_only(LOST)
@pytest.mark.parametrize("kind", ["thread", "greenlet", "asyncio"], indirect=True)
def test_a_consumer_that_was_taken_for_dead_takes_no_more_jobs(place: Place) -> None:
    """What it claimed would belong to nobody: no janitor could ever give it back."""
    place.app.lose_the_byte(place.gate())
    zombie = place.consumer("-q", workers=2)
    place.wait_for_runs(1)
    other = place.consumer(workers=1)
    other.wait_ready()
    place.wait_for_runs(2)

    late = place.app.gated(place.gate())
    assert late is not None
    assert zombie.wait() == 69

    assert place.job(late.id).state is State.PENDING
    place.check_rows()
    for gate in ("gate", "gate1", "gate2"):
        place.open_gate(gate)
    wait_until(lambda: place.states() == {"done": 2}, DEADLINE)
    assert place.ran("start")[late.id] == 1


@pytest.mark.sqlite_only(LOST)
def test_a_worker_process_that_was_taken_for_dead_takes_no_more_jobs(place: Place) -> None:
    job = place.app.lose_the_byte(place.gate())
    assert job is not None
    zombie = place.consumer("-q", "-k", "process", workers=1)
    place.wait_for_runs(1)
    other = place.consumer(workers=1)
    other.wait_ready()
    place.wait_for_runs(2)
    late = place.app.gated(place.gate())
    assert late is not None

    place.open_gate("gate1")
    assert zombie.wait() == 69

    assert (place.job(late.id).state, place.job(job.id).claim) == (State.PENDING, 2)
    place.open_gate("gate")
    place.open_gate("gate2")
    assert job.get(blocking=True, timeout=DEADLINE) == "attempt 2"
    wait_until(lambda: place.states() == {"done": 2}, DEADLINE)
    assert place.ran("start")[late.id] == 1
    place.check_rows()

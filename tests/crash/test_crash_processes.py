"""Worker processes, real ones, and what may befall each of them."""

from __future__ import annotations

import os
import time
from collections import Counter
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM

import pytest

from hueycore.model.jobs import Selector
from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, ConsumerProcess, Ledger, Place, hold, overlaps
from tests.crash.tablekit import is_gone
from tests.helpers import stays_true, wait_until

PROCESS = ("-k", "process")


def everybody(consumer: ConsumerProcess) -> list[int]:
    """The processes of a supervisor, by number; itself last."""
    maintenance = consumer.maintenance()
    assert maintenance is not None
    return [*(row.pid for row in consumer.children()), maintenance.pid, consumer.pid]


@pytest.mark.feature("process workers")
def test_four_processes_run_each_job_once(place: Place) -> None:
    ledger = Ledger(place)
    consumer = place.consumer(*PROCESS, "-q", workers=4)
    children = consumer.wait_children(4)
    for _ in range(3):
        ledger.enqueue(place.app.work.s(0.002) for _ in range(150))
        ledger.enqueue(place.app.plain.s(f"k{n}-{_}") for n in range(100))
    wait_until(lambda: place.states() == {"done": 750}, DEADLINE, "750 jobs done")

    assert set(place.ran("start").values()) == {1}
    assert {line.pid for line in place.lines()} <= {row.pid for row in children}
    assert len({line.pid for line in place.lines()}) > 1
    assert {row.kind for row in place.workers()} == {"process"}
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    assert place.workers() == []
    ledger.check()
    # A claim that waited too long in a busy process was given back.
    assert {(job.attempt, job.crashes) for job in place.jobs()} == {(1, 0)}


def test_a_killed_process_is_replaced_and_its_job_back_at_once_and_only_it_is_charged(
    place: Place,
) -> None:
    jobs = place.huey.enqueue_many(place.app.gated.s(place.gate()) for _ in range(3))
    consumer = place.consumer(*PROCESS, workers=3)
    consumer.wait_children(3)
    place.wait_for_runs(3)
    place.wait_known(3)
    (victim,) = (row for row in consumer.children() if row.name.endswith("/2"))
    (_, seq) = victim.running[0]

    os.kill(victim.pid, SIGKILL)
    killed = time.monotonic()
    place.wait_for_runs(4)

    assert time.monotonic() - killed < 1.0
    assert [row.pid for row in consumer.wait_children(3)].count(victim.pid) == 0
    place.open_gate()
    wait_until(lambda: place.states() == {"done": 3}, DEADLINE)
    assert {job.seq: job.crashes for job in place.jobs()} == {
        **dict.fromkeys((place.job(handle.id).seq for handle in jobs), 0), seq: 1,
    }  # fmt: skip
    assert overlaps(place.lines()) == []
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    place.check_rows()


def test_the_maintenance_process_is_replaced_as_well(place: Place) -> None:
    consumer = place.consumer(*PROCESS, workers=1)
    consumer.wait_children(1)
    first = consumer.maintenance()
    assert first is not None

    os.kill(first.pid, SIGKILL)

    wait_until(lambda: (row := consumer.maintenance()) and row.pid != first.pid, DEADLINE)
    place.huey.enqueue(place.app.work.s(0.0, delay=0.1))
    place.wait_for_runs(1, "end")
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    assert place.workers() == []


def test_poison_dies_of_three_processes_and_its_neighbours_of_none(place: Place) -> None:
    poison = place.app.poison("exit")
    assert poison is not None
    calm = place.huey.enqueue_many(place.app.work.s(0.01) for _ in range(50))
    consumer = place.consumer(*PROCESS, workers=2)
    wait_until(lambda: place.states() == {"done": 50, "dead": 1}, DEADLINE)

    row = place.job(poison.id)
    assert (row.reason, row.crashes, row.attempt) == ("crashed", 3, 3)
    assert {place.job(handle.id).crashes for handle in calm} == {0}
    consumer.wait_children(2)
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    assert consumer.text().count("exited 3") - 3 in place.uncounted


def test_processes_that_die_one_after_the_other_are_replaced_ever_more_slowly(
    place: Place,
) -> None:
    consumer = place.consumer(*PROCESS, workers=1)

    def kill_next(before: int) -> int:
        (row,) = wait_until(
            lambda: [row for row in consumer.children() if row.pid != before], DEADLINE
        )
        os.kill(row.pid, SIGKILL)
        return row.pid

    pid = 0
    for _ in range(3):
        pid = kill_next(pid)
    wait_until(lambda: "again in 2 s" in consumer.text(), DEADLINE)

    lines = [line for line in consumer.text().splitlines() if "was killed by SIGKILL" in line]
    assert ["another one takes its place" in lines[0], *(line[-11:] for line in lines[1:])] == [
        True, "gain in 1 s", "gain in 2 s",
    ]  # fmt: skip
    # Who takes a dead worker's jobs back holds its lock meanwhile, as a living one does.
    wait_until(lambda: not [row for row in place.workers() if row.slots], DEADLINE)
    assert stays_true(lambda: not consumer.children(), 1.0)
    consumer.wait_children(1)


def test_children_of_a_killed_supervisor_finish_their_job_and_leave(place: Place) -> None:
    place.huey.enqueue_many(place.app.gated.s(place.gate()) for _ in range(5))
    consumer = place.consumer(*PROCESS, workers=2)
    consumer.wait_children(2)
    place.wait_for_runs(2)
    pids = everybody(consumer)

    consumer.kill()
    wait_until(lambda: is_gone(pids[2]), DEADLINE, "the maintenance process gone")
    assert stays_true(lambda: not any(map(is_gone, pids[:2])), 0.3)
    place.open_gate()
    wait_until(lambda: all(map(is_gone, pids)), DEADLINE, "no orphans left")

    assert place.states() == {"done": 2, "pending": 3}
    assert place.workers() == []
    assert all(job.attempt == (job.state is State.DONE) for job in place.jobs())
    place.drain()
    assert set(place.ran("start").values()) == {1}
    assert {job.crashes for job in place.jobs()} == {0}
    place.check_rows()


@pytest.mark.parametrize("phase", ["idle", "running"])
@pytest.mark.parametrize(
    ("numbers", "options", "code"),
    [
        ((SIGTERM,), ("-t", "0.3"), 1),
        ((SIGINT,), ("-t", "0.3"), 1),
        ((SIGTERM, SIGTERM), ("-t", "30"), 143),
        ((SIGINT, SIGINT), ("-t", "30"), 130),
        ((SIGTERM,), ("-t", "30", "-g", "INT"), 143),
        ((SIGSTOP, SIGCONT, SIGTERM), ("-t", "0.3"), 1),
    ],
    ids=["TERM", "INT", "TERM-TERM", "INT-INT", "TERM-of-g-INT", "STOP-CONT-TERM"],
)
def test_a_signal_to_the_supervisor(
    place: Place, numbers: tuple[int, ...], options: tuple[str, ...], code: int, phase: str
) -> None:
    """What runs is interrupted and given back uncounted; nothing is charged."""
    consumer = place.consumer(*PROCESS, *options, workers=2)
    consumer.wait_children(2)
    jobs = []
    if phase == "running":
        jobs = place.huey.enqueue_many(place.app.gated.s(place.gate()) for _ in range(2))
        place.wait_for_runs(2)
    pids = everybody(consumer)

    for number in numbers:
        consumer.signal(number)
        if numbers[-1] != number or len(numbers) > len(set(numbers)):
            time.sleep(0.05)  # two of a kind that are pending are one
    # With nothing to interrupt the second signal may find it gone from Python.
    assert consumer.wait() in ((code,) if jobs else (0, -numbers[-1]))

    assert all(map(is_gone, pids))
    assert place.workers() == []
    assert place.states() == ({"pending": 2} if jobs else {})
    assert all((job.attempt, job.crashes, job.errors) == (0, 0, []) for job in place.jobs())
    place.open_gate()
    place.drain()
    assert [place.job(handle.id).state for handle in jobs] == [State.DONE] * len(jobs)
    place.check_rows()


def test_a_signal_to_the_whole_group_arrives_once(place: Place) -> None:
    """^C in a terminal, TERM of a service manager: everybody gets it, and the jobs their time."""
    jobs = place.huey.enqueue_many(place.app.gated.s(place.gate()) for _ in range(2))
    consumer = place.consumer(*PROCESS, "-t", "30", workers=2)
    consumer.wait_children(2)
    place.wait_for_runs(2)

    os.killpg(consumer.pid, SIGINT)
    wait_until(lambda: all(row.state == "stopping" for row in consumer.children()), DEADLINE)
    assert stays_true(lambda: place.states() == {"running": 2}, 0.5)
    place.open_gate()

    assert consumer.wait() == 0
    assert [place.job(handle.id).state for handle in jobs] == [State.DONE] * 2
    assert set(place.ran("start").values()) == {1}


def test_hup_starts_the_same_command_again_with_fresh_processes(place: Place) -> None:
    consumer = place.consumer(*PROCESS, "-t", "0.2", workers=2)
    before = {row.pid for row in consumer.wait_children(2)}
    job = place.app.gated(place.gate())
    assert job is not None
    place.wait_for_runs(1)

    consumer.signal(SIGHUP)
    wait_until(
        lambda: len(rows := consumer.children()) == 2 and not before & {row.pid for row in rows},
        DEADLINE,
        "other processes",
    )

    assert all(map(is_gone, before))
    place.wait_for_runs(2)
    place.open_gate()
    wait_until(lambda: place.states() == {"done": 1}, DEADLINE)
    assert (place.job(job.id).attempt, place.job(job.id).crashes) == (1, 0)
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    assert place.workers() == []


@pytest.mark.feature("several consumers")
def test_a_killed_supervisor_beside_another_consumer_loses_nothing(place: Place) -> None:
    """Killed with all its processes: what they ran runs again in the other within two seconds."""
    place.huey.enqueue_many(place.app.gated.s(place.gate()) for _ in range(2))
    dying = place.consumer(*PROCESS, workers=2)
    dying.wait_children(2)
    place.wait_for_runs(2)
    pids = everybody(dying)
    other = place.consumer(*PROCESS, workers=2)
    other.wait_children(2)

    dying.stop_and_hold()  # so that it does not tell them, nor they see that it is gone
    for pid in pids:
        os.kill(pid, SIGKILL)
    killed = time.monotonic()
    place.wait_for_runs(4)

    assert time.monotonic() - killed < 2.0
    place.open_gate()
    wait_until(lambda: place.states() == {"done": 2}, DEADLINE)
    assert {job.crashes for job in place.jobs()} == {1}
    assert Counter(place.ran("start").values()) == {2: 2}
    assert overlaps(place.lines()) == []


def test_at_most_once_that_a_stop_interrupts_never_runs_again(place: Place) -> None:
    job = place.app.once(place.gate())
    assert job is not None
    consumer = place.consumer(*PROCESS, "-t", "0.2", workers=1)
    place.wait_for_runs(1)

    consumer.signal(SIGTERM)
    assert consumer.wait() == 1

    row = place.job(job.id)
    assert (row.state, row.reason, row.crashes) == (State.DEAD, "interrupted", 0)
    place.drain()
    assert place.ran("start")[job.id] == 1


@pytest.mark.feature("revoke")
def test_revoke_terminate_from_the_shell_interrupts_a_running_job(place: Place) -> None:
    job = place.app.gated(place.gate())
    assert job is not None
    consumer = place.consumer(*PROCESS, workers=1)
    place.wait_for_runs(1)
    told = place.process("-m", "hueyctl", "-u", place.path, "revoke", "--terminate", job.id)
    assert told.wait() == 0
    asked = time.monotonic()
    wait_until(lambda: place.job(job.id).state is State.REVOKED, DEADLINE)

    assert time.monotonic() - asked < 1.0
    assert "cannot interrupt" not in told.text()
    assert place.job(job.id).crashes == 0
    (pid,) = {line.pid for line in place.lines()}
    assert [row.pid for row in consumer.children()] == [pid]


def test_revoke_terminate_of_a_thread_says_that_it_only_asks(place: Place) -> None:
    job = place.app.gated(place.gate())
    assert job is not None
    place.consumer(workers=1)
    place.wait_for_runs(1)

    told = place.process("-m", "hueyctl", "-u", place.path, "revoke", "--terminate", job.id)

    assert told.wait() == 0
    assert "(thread) cannot interrupt a job" in told.text()
    assert place.job(job.id).cancel_requested
    assert place.storage.count(Selector(states=(State.RUNNING,))) == 1


def test_burst_and_max_time_end_all_processes(place: Place) -> None:
    place.huey.enqueue_many(place.app.work.s(0.001) for _ in range(100))
    assert place.consumer(*PROCESS, "--burst", workers=3).wait() == 0
    assert place.states() == {"done": 100}

    timed = place.consumer(*PROCESS, "--max-time", "0.5s", workers=2)
    assert timed.wait() == 0
    assert "the time is over" in timed.text()
    assert place.workers() == []


@pytest.mark.slow
def test_a_kill_sweep_over_all_processes_loses_nothing(place: Place) -> None:
    """Any process but the supervisor, at any moment, ten times."""
    ledger = Ledger(place)
    ledger.enqueue(place.app.work.s(0.01) for _ in range(400))
    consumer = place.consumer(*PROCESS, "-q", workers=3)
    consumer.wait_children(3)
    hit: Counter[str] = Counter()
    for turn in range(10):
        before = sum(place.ran("start").values())
        wait_until(lambda n=before: sum(place.ran("start").values()) > n + 5, DEADLINE)  # type: ignore[misc]
        # Who is dead and not taken back yet may hold its lock.
        rows = [row for row in place.workers() if row.alive and not is_gone(row.pid)]
        victim = rows[turn % len(rows)]
        hold(victim.pid)
        hit.update(job.id for job in place.jobs(State.RUNNING) if job.worker == victim.id)
        os.kill(victim.pid, SIGKILL)
    wait_until(lambda: place.states() == {"done": 400}, DEADLINE)
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    ended = place.ran("end")
    assert ended.keys() == set(ledger.acked.values())
    assert [key for key, times in ended.items() if times > 1 + hit[key]] == []
    place.check_rows()

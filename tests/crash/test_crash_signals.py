"""Every signal in every phase of a consumer: its exit code, what it leaves, and that a second
consumer finishes it, each job once."""

from __future__ import annotations

import random
import signal
import time
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGTERM
from typing import NamedTuple

import pytest

from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, ConsumerProcess, Ledger, Place
from tests.helpers import WHOLE, wait_until

WORKERS = 4


class Blow(NamedTuple):
    """What strikes the consumer. ``code``: its exit code when jobs are running and do not end."""

    numbers: tuple[int, ...]
    code: int
    options: tuple[str, ...] = ()

    @property
    def now(self) -> bool:
        """Whether running jobs get no time."""
        return self.code >= 128 or SIGKILL in self.numbers


SHORT, LONG = ("-t", "0.3"), ("-t", "30")
BLOWS = {
    "INT": Blow((SIGINT,), 1, SHORT),
    "TERM": Blow((SIGTERM,), 1, SHORT),
    "TERM-TERM": Blow((SIGTERM, SIGTERM), 143, LONG),
    "INT-INT": Blow((SIGINT, SIGINT), 130, LONG),
    "TERM-of-g-INT": Blow((SIGTERM,), 143, (*LONG, "-g", "INT")),
    "HUP": Blow((SIGHUP,), 0, SHORT),
    "KILL": Blow((SIGKILL,), -9),
    "STOP-CONT": Blow((signal.SIGSTOP, SIGCONT), 0, SHORT),
}
PHASES = ("idle", "claiming", "running", "ending")
#: What ``make test`` plays: every blow in the middle of runs, and each phase; CI plays all.
QUICK = {
    *((blow, "running") for blow in BLOWS),
    *(("TERM", phase) for phase in PHASES),
    *(("KILL", phase) for phase in ("claiming", "ending")),
    ("TERM-TERM", "claiming"), ("INT-INT", "ending"), ("TERM-of-g-INT", "ending"),
    ("HUP", "idle"), ("HUP", "claiming"), ("INT", "ending"), ("STOP-CONT", "idle"),
}  # fmt: skip
TABLE = [
    pytest.param(blow, phase, marks=() if (blow, phase) in QUICK else pytest.mark.slow)
    for blow in BLOWS
    for phase in PHASES
    if WHOLE or (blow, phase) in QUICK
]


@pytest.mark.parametrize(("name", "phase"), TABLE)
def test_a_signal_loses_nothing_charges_nothing_and_exits_with_its_code(
    place: Place, chance: random.Random, name: str, phase: str
) -> None:
    blow = BLOWS[name]
    ledger = Ledger(place)
    consumer = place.consumer(*blow.options, workers=WORKERS)
    row = consumer.wait_ready()
    enter(phase, place, ledger, chance)

    strike(consumer, blow, phase)

    if name == "HUP":
        again = wait_until(
            lambda: (now := consumer.row()) and now.started_at != row.started_at and now,
            DEADLINE,
            "the consumer again, in the same process",
        )
        assert again
        assert (again.pid, again.slots, again.kind) == (row.pid, row.slots, row.kind)
    if name in ("HUP", "STOP-CONT"):
        place.open_gate()
        wait_until(lambda: place.states().keys() <= {"done"}, DEADLINE, "everything done")
        consumer.signal(SIGTERM)
        assert consumer.wait() == 0
    else:
        code = consumer.wait()
        if phase == "running" or name == "KILL":
            assert code == blow.code
        elif blow.now:
            # The last signal may find it with nothing left to interrupt, or gone from Python.
            assert code in (0, blow.code, -blow.numbers[-1])
        else:
            assert code == 0
        if blow.now:
            ledger.note_kill()
        if code == 0:
            assert not place.running()
            assert not place.workers()
        check_what_never_began(place)
        place.check_rows()
        place.open_gate()
        place.drain(workers=WORKERS)

    ledger.check()
    crashed = {ledger.acked[job.id]: job.crashes for job in place.jobs() if job.crashes}
    assert crashed.keys() <= (ledger.in_flight if name == "KILL" else set())
    assert set(crashed.values()) <= {1}
    if phase == "running" and name in ("KILL", "TERM", "INT", "HUP"):
        assert len(place.ran("start")) == 6
        assert sorted(place.ran("start").values()) == [1, 1, 2, 2, 2, 2]


def enter(phase: str, place: Place, ledger: Ledger, chance: random.Random) -> None:
    """Bring the consumer into a phase."""
    app = place.app
    if phase == "claiming":
        ledger.enqueue(app.plain.s(f"k{n}") for n in range(2500))
        place.wait_for_runs(20, "end")
        time.sleep(chance.random() * 0.05)
    elif phase == "running":
        ledger.enqueue(app.gated.s(place.gate()) for _ in range(WORKERS + 2))
        place.wait_for_runs(WORKERS)
    elif phase == "ending":
        ledger.enqueue(app.plain.s(f"k{n}", 0.005) for n in range(400))
        place.wait_for_runs(WORKERS, "end")
        time.sleep(chance.random() * 0.05)


def strike(consumer: ConsumerProcess, blow: Blow, phase: str) -> None:
    first, *rest = blow.numbers
    if first == signal.SIGSTOP:
        consumer.stop_and_hold()
        time.sleep(0.1)
    else:
        consumer.signal(first)
    if phase == "running" and rest and first != signal.SIGSTOP:
        consumer.wait_stopping()
    if not consumer.ended:
        consumer.signal(*rest)


def check_what_never_began(place: Place) -> None:
    """What had not started is pending again, and not counted."""
    begun = place.ran("start")
    for job in place.jobs(State.PENDING):
        assert job.crashes == 0
        if job.id not in begun and "plain" not in job.task:
            assert job.attempt == 0


def test_unstarted_claims_are_pending_again_within_200_ms_of_a_stop(place: Place) -> None:
    """Best of three: the machine may be busy with something else for a moment."""
    waits = []
    for turn in range(3):
        consumer = place.consumer("-t", "0.2", workers=WORKERS)
        consumer.wait_ready()
        # Known to be quick, so that a large group is claimed; then they all hold.
        place.huey.enqueue_many(place.app.until.s() for _ in range(50))
        wait_until(lambda: place.states().keys() <= {"done"}, DEADLINE)
        jobs = place.huey.enqueue_many(
            place.app.until.s(place.gate(f"gate{turn}")) for _ in range(100)
        )
        place.wait_for_runs(WORKERS, among=jobs)

        consumer.signal(SIGTERM)
        told = time.monotonic()
        wait_until(lambda: len(place.running()) == WORKERS, DEADLINE, "the rest given back")
        waits.append(time.monotonic() - told)

        assert not consumer.ended
        place.open_gate(f"gate{turn}")
        assert consumer.wait() in (0, 1)
        assert sum(place.job(job.id).attempt for job in jobs) <= WORKERS
        place.drain()
    assert min(waits) < 0.2
    place.check_rows()


def test_hup_starts_the_same_command_again_in_the_same_process(place: Place) -> None:
    consumer = place.consumer("--name", "phoenix", "-t", "0.3", workers=2)
    first = consumer.wait_ready()
    place.check_lock(first)
    place.app.work(0.0)
    place.wait_for_runs(1, "end")

    consumer.signal(SIGHUP)

    second = wait_until(
        lambda: (row := consumer.row()) and row.started_at != first.started_at and row,
        DEADLINE,
        "a new worker row",
    )
    assert (second.name, second.slots, second.pid) == ("phoenix", first.slots, consumer.pid)
    place.check_lock(second)
    place.app.work(0.0)
    place.wait_for_runs(2, "end")
    assert [line.pid for line in place.lines()] == [consumer.pid] * 4
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    assert place.workers() == []
    place.check_rows()

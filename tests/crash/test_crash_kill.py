"""kill -9: nothing is lost, nothing that had ended runs again, and poison harms nobody else."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from hueycore.model.states import State
from hueycore.tasks.task import Task
from tests.crash.crashkit import Ledger, Place
from tests.helpers import wait_until

JOBS = 2000
KILLS = 10


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("thread", ("-q",), id="unwatched"),
        pytest.param("thread", (), id="logging", marks=pytest.mark.slow),
        pytest.param("greenlet", ("-q",), id="greenlet", marks=pytest.mark.slow),
        pytest.param("asyncio", ("-q",), id="asyncio", marks=pytest.mark.slow),
    ],
    indirect=["kind"],
)
@pytest.mark.feature("crash")
def test_kill_minus_9_loses_no_job_and_repeats_only_what_was_in_flight(
    place: Place, chance: random.Random, options: tuple[str, ...]
) -> None:
    ledger = Ledger(place)
    app = place.app

    for turn in range(KILLS):
        ledger.enqueue(
            app.work.s(chance.random() / 300) if n % 2 else app.plain.s(f"{turn}-{n}", 0.002)
            for n in range(JOBS // KILLS)
        )
        consumer = place.consumer(*options)
        if chance.random() < 0.8:
            consumer.wait_ready()
            time.sleep(chance.random() * 0.08)
        else:
            time.sleep(chance.random() * 0.3)
        consumer.kill()
        ledger.note_kill()
        place.check_rows()
    assert ledger.in_flight, "no kill met a run: this proved nothing"
    place.drain()

    ledger.check()
    assert all(job.crashes <= job.claim for job in place.jobs())


def test_what_a_killed_producer_had_acknowledged_is_there(
    place: Place, chance: random.Random
) -> None:
    script = """
import itertools
from tests.crash.app import app
for n in itertools.count():
    handle = app.plain(f"n{n}")
    print(handle.id, flush=True)
"""
    producer = place.process("-c", script)
    wait_until(lambda: len(producer.text().splitlines()) > 20)
    time.sleep(chance.random() * 0.1)
    producer.kill()

    acknowledged = {line for line in producer.text().splitlines(keepends=True) if "\n" in line}
    ids = {job.id for job in place.jobs(State.PENDING)}
    assert {line.strip() for line in acknowledged} <= ids
    assert len(ids) <= len(acknowledged) + 1
    place.check_rows()


@pytest.mark.parametrize(
    ("kind", "how"),
    [("thread", "exit"), ("thread", "kill"), ("greenlet", "exit"), ("asyncio", "exit")],
    indirect=["kind"],
)
def test_poison_ends_dead_after_three_crashes_and_no_other_job_is_charged_twice(
    place: Place, how: str
) -> None:
    def good(number: int) -> Iterator[Task]:
        """Tiny ones, which are claimed in groups, and some that last."""
        return (
            place.app.work.s(0.003) if n % 10 == 0 else place.app.plain.s(f"{number}-{n}")
            for n in range(250)
        )

    ledger = Ledger(place)
    ledger.enqueue(good(1))
    bad = place.app.poison(how)
    ledger.enqueue(good(2))
    assert bad is not None

    codes = []
    while not codes or codes[-1] != 0:
        assert len(codes) < 10, codes
        codes.append(place.consumer("--burst").wait())

    dead = place.job(bad.id)
    assert (dead.state, dead.reason, dead.crashes) == (State.DEAD, "crashed", 3)
    assert [error["type"] for error in dead.errors] == ["Crashed"] * 3
    assert set(codes[:-1]) == {3 if how == "exit" else -9}
    assert len(codes[:-1]) - 3 in place.uncounted
    assert place.states() == {"done": 500, "dead": 1}
    charged = {ledger.acked[job.id]: job.crashes for job in place.jobs(State.DONE) if job.crashes}
    assert set(charged.values()) <= {1}
    assert len(charged) <= 3 * 3, "only what ran on the other three threads may be charged"
    ended = place.ran("end")
    assert ended.keys() == set(ledger.acked.values())
    place.check_rows()

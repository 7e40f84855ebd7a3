"""Keys, locks and rates while a consumer works."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from hueycore import Huey
from hueycore.consumer.janitor import Janitor
from hueycore.model.states import State
from tests.helpers import PYTHONPATH, Gate, consuming, job, jobs, states, wait_until
from tests.storage.engines import lab_of


class Crowd:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1


@pytest.mark.parametrize(
    ("options", "most"), [({"lock": True}, 1), ({"max_concurrent": 2}, 2), ({"rate": "200/s"}, 8)]
)
@pytest.mark.feature("lock=True", "max_concurrent")
def test_runs_take_turns_and_none_is_lost(huey: Huey, options: dict[str, Any], most: int) -> None:
    crowd = Crowd()

    @huey.task(**options)
    def work() -> None:
        with crowd:
            time.sleep(0.002)

    with consuming(huey, workers=8):
        huey.enqueue_many(work.s() for _ in range(60))
        wait_until(lambda: states(huey) == {"done": 60}, what="all done")

    assert 1 <= crowd.most <= most
    assert all(row.claim == 1 for row in jobs(huey))
    assert huey.storage.mend() == []


def test_jobs_of_other_keys_pass_by_those_that_wait(huey: Huey) -> None:
    gate = Gate()

    @huey.task(max_concurrent=2)
    def slow() -> None:
        gate.pass_through()

    @huey.task()
    def quick() -> None: ...

    huey.enqueue_many(slow.s() for _ in range(50))
    with consuming(huey, workers=4):
        gate.wait_entered(2)
        huey.enqueue_many(quick.s() for _ in range(100))
        wait_until(lambda: states(huey).get("done") == 100, what="the quick ones done")
        assert states(huey) == {"done": 100, "running": 2, "blocked": 48}
        assert gate.entered == 2
        gate.open.set()
        wait_until(lambda: states(huey) == {"done": 150}, what="all done")


HOLD = """
import sys
from hueycore import Huey

with Huey("app", url=sys.argv[1]).lock_task("name"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(("end", "within"), [("free", 0.5), ("kill", 2.5)])
@pytest.mark.feature("lock_task")
def test_a_job_that_waits_for_another_programs_lock_runs_when_that_is_gone(
    huey: Huey, path: str, end: str, within: float
) -> None:
    work = huey.lock_task("name")(huey.task()(lambda: None))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": PYTHONPATH},
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        with consuming(huey):
            handle = work()
            wait_until(lambda: job(huey, handle).state is State.BLOCKED, what="it waits")

            gone = time.time()
            if end == "free":
                holder.stdin.close()
            else:
                holder.kill()
            wait_until(lambda: job(huey, handle).state is State.DONE, what="it ran")

    assert (job(huey, handle).started_at or 0) - gone < within


def test_a_consumer_frees_locks_when_it_is_told_to(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    huey.lock_task("mine").acquire()
    huey.storage.lock("extra", huey._lock_holder.number(), b"token")
    huey.storage.lock("kept", huey._lock_holder.number(), b"token")

    with consuming(huey, flush_locks=True, extra_locks="extra,unknown"):
        assert [lock.name for lock in huey.storage.locks()] == ["kept"]

    assert "freed locks: extra, mine" in caplog.text


def test_a_consumer_puts_the_limits_of_its_code_in_force(huey: Huey) -> None:
    work = huey.task(max_concurrent=3)(lambda: None)

    with consuming(huey):
        assert huey.storage.limits() == [work.limit]


def test_runs_of_a_periodic_task_are_held_back_too(huey: Huey) -> None:
    with consuming(huey):
        # Also one that is declared while the consumer runs.
        tick = huey.periodic_task("1s", lock=True)(lambda: None)
        wait_until(lambda: jobs(huey), what="a run")

    assert jobs(huey)[0].key_name == tick.name
    assert huey.storage.limits() == [tick.limit]


def test_the_janitor_mends_what_a_key_blocks_without_need_and_calls_it_a_bug(
    huey: Huey, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = huey.task(lock="name")(lambda: None)()
    lab_of(huey.storage).set(handle.seq, state="blocked")
    janitor = Janitor(huey)
    janitor._keep_at = 0.0

    with caplog.at_level(logging.ERROR):
        janitor.step()

    assert "key name blocked jobs without need: a bug" in caplog.text
    assert job(huey, handle).state is State.PENDING

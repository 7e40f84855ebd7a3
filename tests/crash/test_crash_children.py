"""A child process of a job: it is not a worker, and neither its end nor its life is the consumer's.

Nothing of the consumer lives on in it: no handler of a signal, no lock, no other job."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hueycore import Result, State
from tests.crash.crashkit import ConsumerProcess, Place, every_kind, own_namespace
from tests.crash.forkapp import EXITS, Tasks
from tests.helpers import wait_until

#: The kinds that run coroutines in the process whose child is forked.
coroutines = pytest.mark.parametrize("kind", ("thread", "asyncio", "process"), indirect=True)


class ForkPlace(Place):
    def __init__(self, folder: Path, path: str, kind: str) -> None:
        super().__init__(folder, path, kind=kind)
        self.tasks = Tasks(self.huey, str(self.log))
        self.log.touch()

    def consumer(self, *options: str, workers: int = 4, under: Any = ()) -> ConsumerProcess:
        words = ("-m", "hueyctl", "consume", "tests.crash.forkapp:huey", "-k", self.kind)
        return self.process(*words, "-w", str(workers), *options, under=under)

    def said(self, what: str) -> list[int]:
        """The processes that said it."""
        whole, _, _ = self.log.read_text().rpartition("\n")  # one may be half written
        lines = (line.split() for line in whole.splitlines())
        return [int(pid) for word, pid in lines if word == what]


@pytest.fixture
def place(tmp_path: Path, path: str, kind: str) -> Iterator[ForkPlace]:
    made = ForkPlace(tmp_path, path, kind)
    yield made
    made.close()


def value(handle: Result[Any]) -> Any:
    return handle.get(blocking=True, timeout=40)


def is_gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@every_kind
def test_a_child_is_terminated_like_any_other_process(place: ForkPlace) -> None:
    """Also one that has just begun: the signal is not lost."""
    handles = [place.tasks.terminate(pause) for pause in (0.0, 0.3)]
    consumer = place.consumer()

    assert [value(handle) for handle in handles] == [[-signal.SIGTERM] * 2] * 2
    consumer.signal(signal.SIGTERM)
    assert consumer.wait() == 0


# multiprocessing.Pool hangs wherever gevent has patched.
@pytest.mark.parametrize("kind", ("thread", "asyncio", "process"), indirect=True)
def test_a_job_leaves_its_pool_of_processes(place: ForkPlace) -> None:
    pool = place.tasks.pool()
    consumer = place.consumer("--burst")

    assert value(pool) == "left"
    assert consumer.wait() == 0


@every_kind
def test_a_child_that_leaves_its_job_ends_alone(place: ForkPlace) -> None:
    handles = {how: place.tasks.fork(how) for how in EXITS}
    consumer = place.consumer("--burst")

    assert {how: value(handle) for how, handle in handles.items()} == EXITS
    assert consumer.wait() == 0
    assert place.states() == {"done": len(EXITS)}
    assert {job.attempt for job in place.jobs()} == {1}
    children = place.said("child")
    assert len(set(children)) == len(EXITS)
    assert all(is_gone(pid) for pid in children)
    assert "LookupError: in a child" in consumer.text()
    assert "the end of a child" in consumer.text()


@coroutines
def test_a_child_of_a_coroutine_ends_alone(place: ForkPlace) -> None:
    handles = {how: place.tasks.afork(how) for how in EXITS}
    place.tasks.aticks(20)
    consumer = place.consumer("--burst")

    assert {how: value(handle) for how, handle in handles.items()} == EXITS
    assert consumer.wait() == 0
    assert place.states() == {"done": len(EXITS) + 1}
    assert len(place.said("tick")) == 20


@pytest.mark.parametrize("kind", ["asyncio"], indirect=True)
def test_a_child_cannot_wait_on_the_loop_of_its_parent(place: ForkPlace) -> None:
    handle, ticks = place.tasks.afork("await"), place.tasks.aticks(20)
    consumer = place.consumer("--burst")

    assert value(handle) == 1
    assert value(ticks) is None
    assert consumer.wait() == 0
    assert len(place.said("tick")) == 20
    assert "it awaited on the event loop of its parent" in consumer.text()


@every_kind
def test_no_other_job_goes_on_in_a_child(place: ForkPlace) -> None:
    ticks, forks = place.tasks.ticks(30), [place.tasks.fork("return") for _ in range(2)]
    consumer = place.consumer("--burst")

    assert [value(handle) for handle in (ticks, *forks)] == [None, 0, 0]
    assert consumer.wait() == 0
    assert len(place.said("tick")) == 30
    assert not set(place.said("tick")) & set(place.said("child"))


@every_kind
def test_a_child_of_a_hook_ends_with_the_hook(place: ForkPlace) -> None:
    handle = place.tasks.quick()
    consumer = place.consumer("--burst")

    assert value(handle) == "done"
    assert consumer.wait() == 0
    assert place.job(handle.id).attempt == 1
    wait_until(lambda: all(is_gone(pid) for pid in place.said("child")), 10, "no child")


@every_kind
def test_orphans_are_reaped_in_a_container_and_no_child_of_a_job(place: ForkPlace) -> None:
    """As its first process a consumer inherits what the programs of jobs leave behind."""
    handles = [place.tasks.orphan() for _ in range(3)]
    box = place.consumer(under=own_namespace())

    assert [value(handle) for handle in handles] == [[3, 7]] * 3
    (first,) = children(box.pid)
    wait_until(lambda: not any(map(is_gone, children(first))), 20, "no zombie")
    os.kill(first, signal.SIGTERM)
    assert box.wait() == 0
    assert place.states() == {"done": 3}
    assert place.workers() == []


@every_kind
def test_a_child_that_outlives_a_killed_consumer_holds_nothing_of_it(place: ForkPlace) -> None:
    handle = place.tasks.outlive()
    killed = place.consumer("--pidfile", "worker.pid")
    wait_until(lambda: place.said("child") and place.said("outlived"), 20, "both")
    place.wait_known()
    (child,) = place.said("child")
    for pid in {killed.pid, *place.said("outlived")}:
        os.kill(pid, signal.SIGKILL)
    killed.wait()

    after = place.consumer("--pidfile", "worker.pid")
    wait_until(lambda: len(place.said("outlived")) == 2, 20, "a second run")
    assert not is_gone(child)
    job = place.job(handle.id)
    assert (job.state, job.crashes) == (State.RUNNING, 1)
    after.kill_all()
    os.kill(child, signal.SIGKILL)

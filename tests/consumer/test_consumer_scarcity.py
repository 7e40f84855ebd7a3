"""A system without free descriptors or threads: a line now and then, and no job is to blame."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import Any

import pytest

from hueycore import Huey
from hueycore.consumer.service import Service
from hueycore.model.jobs import Selector
from hueycore.system import native
from tests.helpers import consuming, run_python, wait_until

CONSUMER = """
import sys
kind, path, is_felt = sys.argv[1:]
if kind == "greenlet":
    from gevent import monkey
    monkey.patch_all()
import logging, os, resource, time
from hueycore import Huey
from hueycore.model.jobs import Selector

def unraisable(what):
    # Half a loop, which Python could not make, complains when it is collected.
    if "BaseEventLoop" not in repr(what.object):
        sys.__unraisablehook__(what)

sys.unraisablehook = unraisable
logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
huey = Huey("app", url=path)
taken, gone, felt = [], [], []

class Listener(logging.Handler):
    def emit(self, record):
        if "Too many open files" in record.getMessage():
            felt.append(record)

logging.getLogger().addHandler(Listener())

@huey.task()
def take_all():
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        gone.append(True)
    time.sleep(2)
    while is_felt == "True" and not felt:
        time.sleep(0.01)
    while taken:
        os.close(taken.pop())

@huey.task()
def plain():
    while kind != "process" and not gone:
        time.sleep(0.01)  # else all could be over while there are some
    return "done"

@huey.task()
async def coroutine():
    return "done"

first = take_all()
handles = [task() for task in (plain, coroutine) for _ in range(3)]
resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
# A burst is over as well when all that is left was put off.
while [str(job.state) for job in huey.storage.jobs(Selector())] != ["done"] * 7:
    consumer = huey.create_consumer(workers=2, worker_type=kind, burst=True, max_time=40)
    assert consumer.run() == 0
assert {job.attempt for job in huey.storage.jobs(Selector())} == {1}
"""


@pytest.mark.parametrize("kind", ["thread", "asyncio", "greenlet", "process"])
def test_without_descriptors_a_consumer_waits_and_says_so_now_and_then(
    kind: str, path: str
) -> None:
    if kind == "greenlet":
        pytest.importorskip("gevent")
    # Worker processes have descriptors of their own; a loop that runs, and a connection that is
    # open, need no others.
    is_felt = kind != "process" and (kind != "asyncio" or "://" not in path)
    said = run_python(CONSUMER, kind, path, str(is_felt))

    assert "Traceback" not in said
    lines = said.splitlines()
    # Each try of the feed, and each of the three coroutines, within two seconds.
    assert len(lines) <= 25, said
    if is_felt:
        assert any("Too many open files" in line for line in lines)


class Refused:
    """A thread that the system does not start."""

    def __init__(self, thread: native.AnyThread) -> None:
        self._thread = thread

    def start(self) -> None:
        raise RuntimeError("can't start new thread")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._thread, name)


def test_a_worker_that_cannot_be_started_is_tried_again(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refusing = True
    thread = native.Thread

    def made(target: Any, name: str) -> Any:
        found = thread(target, name)
        return Refused(found) if refusing and name == "huey-worker-2" else found

    monkeypatch.setattr(native, "Thread", made)

    @huey.task()
    def quick(n: int) -> int:
        return n

    with consuming(huey, workers=2, max_tasks=1) as consumer:
        assert "worker 2 cannot be started: can't start new thread" in caplog.text
        assert quick(1).get(blocking=True, timeout=10) == 1
        refusing = False
        assert quick(2).get(blocking=True, timeout=10) == 2
        wait_until(lambda: len(consumer._pool._workers) == 2)
        assert quick(3).get(blocking=True, timeout=10) == 3
    assert "Traceback" not in caplog.text


def test_a_service_waits_however_often_it_is_poked(caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    def step() -> float:
        tries.append(1)
        raise OSError(24, "Too many open files")

    service = Service("huey-janitor", step, lambda error: None)
    service.start()
    wait_until(lambda: "Too many open files" in caplog.text)
    for _ in range(100):
        service.poke()
    service.stop()

    assert len(tries) == 1
    assert [record.exc_info for record in caplog.records] == [None]
    assert caplog.messages == ["huey-janitor: [Errno 24] Too many open files; next try in 1 s"]


def test_an_event_loop_that_could_not_be_made_is_made_for_the_next_run(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    @huey.task()
    async def coroutine() -> str:
        return "done"

    tries: list[int] = []
    make = asyncio.new_event_loop

    def scarce() -> asyncio.AbstractEventLoop:
        tries.append(1)
        if len(tries) < 4:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return make()

    monkeypatch.setattr(asyncio, "new_event_loop", scarce)
    handles = [coroutine() for _ in range(3)]
    with consuming(huey, workers=1):
        assert [handle.get(blocking=True, timeout=30) for handle in handles] == ["done"] * 3

    assert {job.attempt for job in huey.storage.jobs(Selector())} == {1}

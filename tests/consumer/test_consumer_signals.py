"""Unix signals and the exit code, of a consumer that runs in the main thread of this process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hueycore import Huey, State
from hueycore.consumer.consumer import Consumer
from tests.helpers import Gate, states, wait_until

TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP


@pytest.fixture
def restarts(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the process would have become."""
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, argv: seen.append(argv))
    return seen


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("huey-worker")])


@pytest.fixture
def work(huey: Huey, gate: Gate) -> Any:
    @huey.task()
    def work() -> str:
        gate.pass_through()
        return "done"

    return work


def run(consumer: Consumer, script: Callable[[], None]) -> int:
    """Run in this thread, while another one lives through the script."""
    failed: list[BaseException] = []

    def play() -> None:
        try:
            wait_until(lambda: consumer._worker is not None)
            script()
        except BaseException as error:
            failed.append(error)
            consumer.stop()

    player = threading.Thread(target=play)
    player.start()
    code = consumer.run()
    player.join(10)
    assert not failed, failed
    return code


def send(*numbers: signal.Signals) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


def forget(huey: Huey, consumer: Consumer) -> None:
    """What the end of the process does for a consumer that left jobs running."""
    consumer._feed.leave()
    huey.storage.unregister(consumer._worker)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [TERM, INT])
def test_an_idle_consumer_ends_with_0_at_the_first_signal(
    huey: Huey, number: signal.Signals, restarts: list[list[str]]
) -> None:
    consumer = huey.create_consumer(workers=2)

    assert run(consumer, lambda: send(number)) == 0
    assert huey.storage.workers() == []
    assert restarts == []


def test_any_number_of_signals_ends_an_idle_consumer_with_0(huey: Huey) -> None:
    consumer = huey.create_consumer(workers=2)

    assert run(consumer, lambda: send(TERM, TERM, INT, TERM, TERM)) == 0
    assert huey.storage.workers() == []


@pytest.mark.parametrize("number", [TERM, INT])
def test_the_first_signal_lets_jobs_finish(
    huey: Huey, gate: Gate, work: Any, number: signal.Signals
) -> None:
    handles = [work() for _ in range(3)]
    consumer = huey.create_consumer(workers=2)

    def script() -> None:
        gate.wait_entered(2)
        send(number)
        wait_until(lambda: [row.state for row in huey.storage.workers()] == ["stopping"])
        assert states(huey) == {"running": 2, "pending": 1}
        gate.open.set()

    assert run(consumer, script) == 0
    assert [str(handle.state) for handle in handles] == ["done", "done", "pending"]


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(TERM, TERM, 143), (INT, INT, 130), (TERM, INT, 130), (HUP, TERM, 143)],
)
def test_the_second_signal_interrupts_now(
    huey: Huey, gate: Gate, work: Any, restarts: list[list[str]],
    first: signal.Signals, second: signal.Signals, code: int,
) -> None:  # fmt: skip
    handle = work()
    consumer = huey.create_consumer()

    def script() -> None:
        gate.wait_entered()
        send(first)
        wait_until(lambda: [row.state for row in huey.storage.workers()] == ["stopping"])
        send(second)

    assert run(consumer, script) == code
    assert handle.state is State.RUNNING
    assert restarts == []
    gate.open.set()
    assert handle.get(blocking=True, timeout=10) == "done"
    forget(huey, consumer)


def test_after_the_shutdown_timeout_the_code_says_that_jobs_were_left(
    huey: Huey, gate: Gate, work: Any
) -> None:
    handle = work()
    consumer = huey.create_consumer(shutdown_timeout=0.05)

    def script() -> None:
        gate.wait_entered()
        send(TERM)

    assert run(consumer, script) == 1
    assert handle.state is State.RUNNING
    gate.open.set()
    handle.get(blocking=True, timeout=10)
    forget(huey, consumer)


@pytest.mark.parametrize(
    ("graceful", "number", "code"),
    [("INT", INT, 0), ("INT", TERM, 143), ("TERM", TERM, 0), ("TERM", INT, 130)],
)
def test_one_signal_may_be_graceful_and_the_other_not_as_in_huey(
    huey: Huey, gate: Gate, work: Any, graceful: str, number: signal.Signals, code: int
) -> None:
    handle = work()
    consumer = huey.create_consumer(graceful_signal=graceful)

    def script() -> None:
        gate.wait_entered()
        send(number)
        if code == 0:
            wait_until(lambda: [row.state for row in huey.storage.workers()] == ["stopping"])
            gate.open.set()

    assert run(consumer, script) == code
    gate.open.set()
    assert handle.get(blocking=True, timeout=10) == "done"
    if code:
        forget(huey, consumer)


def test_hup_restarts_with_the_same_arguments_when_the_jobs_are_done(
    huey: Huey, gate: Gate, work: Any, restarts: list[list[str]]
) -> None:
    handle = work()
    consumer = huey.create_consumer()

    def script() -> None:
        gate.wait_entered()
        send(HUP, HUP)
        wait_until(lambda: [row.state for row in huey.storage.workers()] == ["stopping"])
        gate.open.set()

    run(consumer, script)

    assert handle.get() == "done"
    assert restarts == [[sys.executable, *sys.orig_argv[1:]]]
    assert huey.storage.workers() == []


@pytest.mark.sqlite_only("a file is removed")
def test_a_consumer_that_lost_its_file_does_not_restart(
    huey: Huey, path: str, restarts: list[list[str]]
) -> None:
    consumer = huey.create_consumer()

    def script() -> None:
        os.remove(path)
        send(HUP)

    assert run(consumer, script) == 1
    assert restarts == []

"""What a consumer says of itself to a probe."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hueycore import Huey, StorageBusy, StorageFull
from hueycore.consumer import health as health_module
from hueycore.consumer.health import Health
from hueycore.consumer.processes.channel import Board, Limit
from hueycore.consumer.processes.children import Children
from hueycore.consumer.processes.heartbeat import Heartbeat
from hueycore.consumer.processes.slot import Slot
from hueycore.consumer.workers.pool import Pool
from tests.helpers import Clock, Gate, consuming, running, wait_until

#: Seconds; what runs late by it on a busy machine is not taken for hung.
GRACE = 0.6


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "LEAST_GRACE", 0.0)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], threading.Event]]:
    """Let a method hang from its next call on, until the event is set."""
    events = []

    def hang(owner: Any, name: str) -> threading.Event:
        original, free = getattr(owner, name), threading.Event()

        def method(*args: Any, **kwargs: Any) -> Any:
            assert free.wait(60)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, method)
        events.append(free)
        return free

    yield hang
    for event in events:
        event.set()


def health(grace: float) -> Health:
    return Health(Pool(1, lambda number, on_left: None, lambda: None), grace)  # type: ignore[arg-type,return-value]


# --- by itself ------------------------------------------------------------------------------------


def test_a_loop_is_late_when_it_is_not_back_in_time_and_grace(short_grace: None) -> None:
    found = health(0.05)
    found.beat("feed", pause=-0.04)
    assert found.ill() == []
    found.beat("feed", pause=-3)
    (reason,) = found.ill()
    assert reason.startswith("the feed hangs: 3 s late, at health.py:")
    assert found.lateness()["feed"] == pytest.approx(3, abs=0.5)
    found.beat("feed", pause=60)
    assert found.ill() == []
    assert found.lateness() == {"feed": 0.0}


def test_the_line_that_a_loop_hangs_at_is_told(short_grace: None) -> None:
    found, free, there = health(0.05), threading.Event(), threading.Event()

    def hanging_step() -> float:
        there.set()
        return 0.0 if free.wait(60) else 1.0

    thread = threading.Thread(target=found.follow("janitor", hanging_step), daemon=True)
    thread.start()
    assert there.wait(10)
    try:
        wait_until(found.ill)
        assert found.ill()[0].rpartition(", at ")[2].startswith("threading.py:")
    finally:
        free.set()
        thread.join(10)
    # Nobody is at any line any more.
    found.beat("janitor", pause=-3)
    found.beat("scheduler", pause=math.inf)
    assert found.lateness()["scheduler"] == 0.0
    assert len(found.ill()) == 1


def test_a_tiny_interval_does_not_make_every_pause_a_hang() -> None:
    found = health(0.001)
    found.beat("feed", pause=-1.5)

    assert found.ill() == []


def test_a_step_that_fails_makes_it_unready_until_one_succeeds() -> None:
    found = health(10)
    errors: list[Exception] = [StorageFull("no space"), StorageBusy("locked")]

    def step() -> float:
        if errors:
            raise errors.pop()
        return 1.0

    watched = found.follow("janitor", step)
    for text in ("locked", "no space"):
        with pytest.raises((StorageFull, StorageBusy)):
            watched()
        assert f"the storage fails: {text}" in found.unready()
    assert watched() == 1.0

    assert found.unready() == ["starting"]
    assert found.ill() == []


# --- of a consumer --------------------------------------------------------------------------------


@pytest.mark.feature("metrics")
def test_it_is_starting_then_ready_then_stopping(huey: Huey, short_grace: None) -> None:
    gate = Gate()

    @huey.task()
    def hold() -> None:
        gate.pass_through()

    consumer = huey.create_consumer(workers=2, health_check_interval=GRACE)
    seen: list[str] = []
    consumer.health.on_phase = seen.append
    assert consumer.health.unready() == ["starting"]

    thread = threading.Thread(target=consumer.run, daemon=True)
    thread.start()
    hold()
    gate.wait_entered()
    wait_until(lambda: consumer.health.phase == "running")
    assert consumer.health.ill() == consumer.health.unready() == []
    assert consumer.health.figures()[:3] == (2, 1, 0)

    stopper = threading.Thread(target=consumer.stop, args=(True,), daemon=True)
    stopper.start()
    wait_until(lambda: consumer.health.phase == "stopping")
    assert consumer.health.unready() == ["stopping: stopped by the program"]
    # The scheduler and the janitor have ended: that is no illness, however long the job takes.
    wait_until(lambda: consumer.health.lateness()["janitor"] > 1 + GRACE)
    assert consumer.health.ill() == []

    gate.open.set()
    stopper.join(10)
    thread.join(10)
    assert seen == ["running", "stopping"]


@pytest.mark.parametrize(
    ("loop", "owner", "verb"),
    [
        ("scheduler", "storage", "promote"),
        ("janitor", "storage", "verify"),
        ("feed", "storage", "wait"),
        ("limits", "timeouts", "step"),
        ("main loop", "pool", "check"),
    ],
)
def test_a_loop_that_hangs_makes_it_ill_until_it_goes_on(
    huey: Huey,
    short_grace: None,
    stuck: Callable[[Any, str], threading.Event],
    loop: str,
    owner: str,
    verb: str,
) -> None:
    consumer = huey.create_consumer(health_check_interval=GRACE)
    parts = {"storage": huey.storage, "timeouts": consumer._timeouts, "pool": consumer._pool}
    free: list[threading.Event] = []
    if owner != "pool":
        free.append(stuck(parts[owner], verb))
    thread = threading.Thread(target=consumer.run, daemon=True)
    thread.start()
    wait_until(lambda: consumer.health.phase == "running")
    if owner == "pool":  # which has to begin the workers first
        free.append(stuck(parts[owner], verb))

    wait_until(lambda: any(loop in reason for reason in consumer.health.ill()))
    assert any(f"the {loop} hangs" in reason for reason in consumer.health.unready())

    free[0].set()
    wait_until(lambda: consumer.health.ill() == [])
    consumer.stop(graceful=True, timeout=5)
    thread.join(10)


def test_a_coroutine_that_blocks_the_loop_makes_it_ill_and_is_named(
    huey: Huey, short_grace: None
) -> None:
    free = threading.Event()

    @huey.task()
    async def block() -> None:
        free.wait(60)

    with running(huey, worker_type="asyncio", health_check_interval=GRACE) as (consumer, _):
        wait_until(lambda: "event loop" in consumer.health.lateness())
        handle = block()
        wait_until(consumer.health.ill)
        free.set()
        assert consumer.health.ill()[0].startswith("the event loop hangs: ")
        assert handle.get(blocking=True, timeout=10) is None
        wait_until(lambda: consumer.health.ill() == [])
    # It is over, which is no illness.
    assert consumer.health.lateness()["event loop"] == 0.0


def test_a_clock_that_is_set_harms_nobody(huey: Huey, clock: Clock, short_grace: None) -> None:
    with running(huey, health_check_interval=GRACE) as (consumer, _):
        wait_until(lambda: consumer.health.phase == "running")
        for seconds in (86400, -3 * 86400):
            clock.jump(seconds)
            wait_until(lambda: consumer.health.ill() == consumer.health.unready() == [])


def test_a_storage_that_fails_makes_it_unready_and_not_ill(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    @huey.task()
    def add(a: int) -> int:
        return a

    original, healed = huey.storage.exchange, threading.Event()

    def exchange(*args: Any) -> Any:
        if not healed.is_set():
            raise StorageFull("no space left")
        return original(*args)

    with consuming(huey) as consumer:
        monkeypatch.setattr(huey.storage, "exchange", exchange)
        handle = add(1)
        reason = "the storage fails: no space left"
        wait_until(lambda: reason in consumer.health.unready())
        assert consumer.health.ill() == []

        healed.set()
        assert handle.get(blocking=True, timeout=20) == 1
        wait_until(lambda: consumer.health.unready() == [])


def test_too_many_threads_that_hang_make_it_unready_and_then_end_it(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hueycore.tasks.options.GRACE", 0.05)
    let_go = threading.Event()

    @huey.task(timeout=0.05)
    def stubborn() -> None:
        while not let_go.is_set():
            try:
                time.sleep(0.05)
            except BaseException:  # which is what its timeout is
                continue

    with running(huey) as (consumer, thread):
        stubborn()
        wait_until(lambda: consumer.health.figures().overdue == 1)
        wait_until(lambda: "no spare worker" in "".join(consumer.health.unready()))
        assert consumer.health.ill() == []

        stubborn()
        wait_until(lambda: "too many workers hang" in "".join(consumer.health.ill()))
        thread.join(10)
        let_go.set()


def test_what_worker_processes_hold_is_counted_across_them() -> None:
    board = Board(3)
    cells = [board.cell(number) for number in range(3)]
    for number, cell in enumerate(cells):
        cell.feed = (number, 10 * number)
        cell.write(Limit(1.0, 2, 3))
        cell.begin()
    slots = [
        Slot(f"w/{n}", lambda: lambda *given: 0, Heartbeat("feed"), cell)
        for n, cell in enumerate(cells)
    ]
    children = Children(Slot("m", lambda: lambda *given: 0, Heartbeat("janitor")), slots)
    figures = Health(board, GRACE, children).figures()

    assert (figures.busy, figures.held, figures.unwritten) == (3, 3, 30)
    assert [cell.read() for cell in cells] == [Limit(1.0, 2, 3)] * 3

"""How jobs come to workers and endings to the file."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from hueycore import Huey, State, StorageBusy, StorageError, StorageFull
from hueycore.consumer import feed as feed_module
from hueycore.consumer import outbox, pace, trouble
from hueycore.consumer.consumer import Consumer
from hueycore.consumer.pace import GROUP_LIMIT, STAGGER
from hueycore.model.endings import Done
from hueycore.model.jobs import Ended, Exchange, Selector, Want
from hueycore.runs.finished import Finished
from tests.helpers import (
    Gate,
    Signals,
    consuming,
    give_up_after,
    job,
    jobs,
    run_python,
    states,
    wait_until,
    write_lock_of,
)
from tests.storage.engines import lab_of


def watch_exchanges(huey: Huey, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(endings, claims) of each exchange that wrote something."""
    seen: list[tuple[int, int]] = []
    original = huey.storage.exchange

    def exchange(worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        got = original(worker, endings, want)
        if endings or got.claims:
            seen.append((len(endings), len(got.claims)))
        return got

    monkeypatch.setattr(huey.storage, "exchange", exchange)
    return seen


def fail_exchanges(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> threading.Event:
    """Every exchange that would write raises, until the event is set."""
    healed = threading.Event()
    original = huey.storage.exchange

    def exchange(worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        if not healed.is_set() and (endings or huey.pending_count()):
            raise error
        return original(worker, endings, want)

    monkeypatch.setattr(huey.storage, "exchange", exchange)
    return healed


def make_short(huey: Huey, consumer: Consumer, task: Any) -> None:
    """Call a task until the feed has learned that it may be taken in groups."""

    def short() -> bool:
        huey.enqueue_many(task.s() for _ in range(100))
        wait_until(lambda: not {"pending", "running"} & set(states(huey)))
        return consumer._feed._pace.quick.get(task.name, 0) >= 40

    wait_until(short, 30)


# --- coming ---------------------------------------------------------------------------------------


def test_an_idle_consumer_starts_a_job_of_this_process_within_milliseconds(
    huey: Huey,
) -> None:
    started: dict[int, float] = {}

    @huey.task()
    def note(n: int) -> None:
        started[n] = time.monotonic()

    waits = []
    with consuming(huey, workers=2):
        for n in range(20):
            called = time.monotonic()
            note(n)
            wait_until(lambda n=n: n in started)  # type: ignore[misc]
            waits.append(started[n] - called)

    assert sorted(waits)[5] < 0.025, waits


def test_an_idle_consumer_starts_a_job_of_another_process_within_milliseconds(
    huey: Huey, path: str
) -> None:
    started: list[float] = []

    def note(called: float) -> None:
        started.append(time.monotonic() - called)

    note.__module__ = "__main__"
    huey.task()(note)
    with consuming(huey):
        run_python(
            """
            import sys, time
            from hueycore import Huey
            huey = Huey("app", url=sys.argv[1], allow_paths=["__main__.*"])
            note = huey.task(name="note")(lambda called: None)
            for _ in range(20):
                note(time.monotonic())
                time.sleep(0.02)
            """,
            path,
        )
        wait_until(lambda: len(started) == 20)

    assert sorted(started)[5] < 0.025, started


def test_one_worker_runs_in_the_order_of_the_queue(huey: Huey) -> None:
    order: list[str] = []

    @huey.task()
    def note(what: str) -> None:
        order.append(what)

    names = [f"{priority}-{n:03}" for n in range(30) for priority in (1, 2, 3)]
    huey.enqueue_many(note.s(name, priority=int(name[0])) for name in names)
    with consuming(huey, workers=1):
        wait_until(lambda: len(order) == 90)

    assert order == sorted(names, key=lambda name: (-int(name[0]), name))


def test_every_job_runs_once_on_many_threads(huey: Huey) -> None:
    runs: Counter[int] = Counter()
    lock = threading.Lock()

    @huey.task()
    def note(n: int) -> int:
        with lock:
            runs[n] += 1
        return n

    handles = huey.enqueue_many(note.s(n) for n in range(1500))
    with consuming(huey, workers=8):
        assert [handle.get(blocking=True, timeout=30) for handle in handles] == list(range(1500))

    assert set(runs.values()) == {1}
    assert {row.attempt for row in jobs(huey)} == {1}


def test_short_jobs_share_commits(huey: Huey, monkeypatch: pytest.MonkeyPatch) -> None:
    @huey.task()
    def short() -> None: ...

    huey.enqueue_many(short.s() for _ in range(2000))
    seen = watch_exchanges(huey, monkeypatch)
    with consuming(huey, workers=2):
        wait_until(lambda: states(huey) == {"done": 2000})

    assert len(seen) < 200, len(seen)
    assert max(claims for _, claims in seen) <= GROUP_LIMIT


def test_jobs_of_an_unknown_or_slow_task_are_claimed_by_free_workers_only(
    huey: Huey,
) -> None:
    gate = Gate()

    @huey.task()
    def slow() -> None:
        gate.pass_through()

    huey.enqueue_many(slow.s() for _ in range(20))
    with consuming(huey, workers=3):
        gate.wait_entered(3)
        assert states(huey) == {"running": 3, "pending": 17}
        gate.open.set()
        wait_until(lambda: states(huey) == {"done": 20})


def test_a_task_that_becomes_slow_is_no_longer_claimed_in_groups(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    @huey.task()
    def work(seconds: float = 0) -> None:
        if seconds:
            time.sleep(seconds)

    seen = watch_exchanges(huey, monkeypatch)
    with consuming(huey, workers=1) as consumer:
        make_short(huey, consumer, work)
        assert max(claims for _, claims in seen) > 10
        slow = huey.enqueue_many(work.s(0.02) for _ in range(3))
        wait_until(lambda: all(handle.is_complete() for handle in slow))
        seen.clear()
        slow = huey.enqueue_many(work.s(0.005) for _ in range(10))
        wait_until(lambda: all(handle.is_complete() for handle in slow))

    assert max(claims for _, claims in seen) == 1


def test_the_jobs_of_a_group_do_not_wait_for_a_long_one_while_a_worker_is_free(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "CLAIM_AGE", 60.0)  # nothing is given back
    gate = Gate()

    @huey.task()
    def work(hold: bool = False) -> None:
        if hold:
            gate.pass_through()

    seen = watch_exchanges(huey, monkeypatch)
    with consuming(huey, workers=2) as consumer:
        make_short(huey, consumer, work)
        seen.clear()
        huey.enqueue_many(work.s(n == 0, priority=-n) for n in range(40))
        gate.wait_entered()
        wait_until(lambda: states(huey).get("running") == 1 and "pending" not in states(huey))
        assert max(claims for _, claims in seen) > 10
        gate.open.set()


# --- waiting in vain ------------------------------------------------------------------------------


def test_what_no_worker_can_start_is_given_back(huey: Huey) -> None:
    gates = [Gate(), Gate(), Gate()]

    @huey.task()
    def work(number: int | None = None) -> None:
        if number is not None:
            gates[number].pass_through()

    waits = []
    with consuming(huey, workers=2) as consumer:
        for number, gate in enumerate(gates):
            make_short(huey, consumer, work)
            # A group of them is claimed at once, because the task is known to be short.
            held = huey.enqueue_many(work.s(number if n < 2 else None) for n in range(60))
            gate.wait_entered(2)
            entered = time.monotonic()
            wait_until(lambda: states(huey).get("running") == 2)
            waits.append(time.monotonic() - entered)
            pending = jobs(huey, State.PENDING)
            assert len(pending) == 58
            assert {row.attempt for row in pending} == {0}
            gate.open.set()
            wait_until(lambda: "pending" not in states(huey) and "running" not in states(huey))
            assert {job(huey, handle).attempt for handle in held} == {1}

    assert max(row.claim for row in jobs(huey)) > 1
    assert min(waits) < 0.2, waits


def test_what_no_worker_has_started_is_given_back_at_once_by_a_stop(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "CLAIM_AGE", 60.0)
    gate = Gate()

    @huey.task()
    def work(hold: bool = False) -> None:
        if hold:
            gate.pass_through()

    with consuming(huey, workers=1) as consumer:
        make_short(huey, consumer, work)
        huey.enqueue_many(work.s(n < 1, priority=-n) for n in range(30))
        gate.wait_entered()
        wait_until(lambda: consumer._feed.held > 0)
        stopper = threading.Thread(target=consumer.stop, kwargs={"graceful": True})
        stopper.start()
        wait_until(lambda: states(huey)["running"] == 1, 2)
        gate.open.set()
        stopper.join(10)

    assert states(huey)["pending"] == 29
    assert {row.attempt for row in jobs(huey, State.PENDING)} == {0}


def test_an_ending_is_visible_while_every_worker_is_busy(huey: Huey) -> None:
    gates = [Gate(), Gate(), Gate()]

    @huey.task()
    def work(number: int | None = None) -> None:
        if number is not None:
            gates[number].pass_through()

    waits = []
    with consuming(huey, workers=1) as consumer:
        for number, gate in enumerate(gates):
            make_short(huey, consumer, work)
            # One group again: the worker goes from the first to the second without an exchange.
            first, _ = huey.enqueue_many([work.s(priority=1), work.s(number)])
            gate.wait_entered()
            entered = time.monotonic()
            wait_until(lambda first=first: first.state is State.DONE)  # type: ignore[misc]
            waits.append(time.monotonic() - entered)
            gate.open.set()

    assert min(waits) < 0.1, waits


# --- suspects -------------------------------------------------------------------------------------


def test_of_jobs_that_the_next_crash_would_kill_one_runs_at_a_time(huey: Huey) -> None:
    inside = Counter[bool]()
    most = Counter[bool]()
    lock = threading.Lock()

    @huey.task()
    def work(suspect: bool) -> None:
        with lock:
            inside[suspect] += 1
            most[suspect] = max(most[suspect], inside[suspect])
        time.sleep(0.002)
        with lock:
            inside[suspect] -= 1

    huey.enqueue_many(work.s(n % 3 == 0) for n in range(60))
    suspects = [job.seq for job in huey.storage.jobs(Selector()) if job.preview == "True"]
    lab_of(huey.storage).set(*suspects, crashes=2)
    with consuming(huey, workers=4):
        wait_until(lambda: states(huey) == {"done": 60})

    assert most[True] == 1
    assert most[False] > 1


def test_jobs_that_were_there_at_one_crash_start_apart_and_run_side_by_side(
    huey: Huey,
) -> None:
    gate = Gate()
    task = huey.task(name="long")(gate.pass_through)
    handles = [task() for _ in range(4)]
    lab_of(huey.storage).set(*(job.seq for job in huey.storage.jobs(Selector())), crashes=1)
    with consuming(huey, workers=4):
        gate.wait_entered(4)
        claimed = sorted(job.claimed_at or 0 for job in huey.storage.jobs(Selector()))
        gate.open.set()
        for handle in handles:
            handle.wait(timeout=10)

    assert all(later - earlier >= STAGGER * 0.9 for earlier, later in pairwise(claimed))


def test_quick_jobs_that_were_there_at_one_crash_run_one_after_the_other_at_once(
    huey: Huey,
) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    @huey.task()
    def quick() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1

    huey.enqueue_many(quick.s() for _ in range(100))
    lab_of(huey.storage).set(*(job.seq for job in huey.storage.jobs(Selector())), crashes=1)
    began = time.monotonic()
    with consuming(huey, workers=4):
        wait_until(lambda: states(huey) == {"done": 100})

    assert time.monotonic() - began < 100 * STAGGER / 2
    assert most == 1


def test_a_job_with_its_last_chance_waits_for_the_other_suspects(huey: Huey) -> None:
    first, second = Gate(), Gate()
    huey.task(name="first")(first.pass_through)()
    last = huey.task(name="second")(second.pass_through)()
    for waiting in huey.storage.jobs(Selector()):
        lab_of(huey.storage).set(waiting.seq, crashes=waiting.seq)
    with consuming(huey, workers=4):
        first.wait_entered(1)
        longer_than_apart = time.monotonic() + 3 * STAGGER
        wait_until(lambda: time.monotonic() > longer_than_apart)
        assert last.state is State.PENDING
        first.open.set()
        second.wait_entered(1)
        second.open.set()
        last.wait(timeout=10)


# --- bytes ----------------------------------------------------------------------------------------


def test_an_exchange_carries_only_so_many_bytes_of_results(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried: list[int] = []
    original = huey.storage.exchange

    def exchange(worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        carried.append(sum(len(one.ending.result or b"") for one in endings))  # type: ignore[union-attr]
        assert want.bytes + carried[-1] <= 100_000 or want.free == 0
        return original(worker, endings, want)

    monkeypatch.setattr(pace, "EXCHANGE_BYTES", 100_000)
    monkeypatch.setattr(huey.storage, "exchange", exchange)
    gate = Gate()

    @huey.task()
    def large() -> bytes:
        gate.pass_through()
        return bytes(40_000)

    handles = [large() for _ in range(8)]
    with consuming(huey, workers=8) as consumer:
        gate.wait_entered(8)
        with consumer._feed._lock:
            gate.open.set()
            wait_until(lambda: consumer._feed.unwritten == 8)
        values = [handle.get(blocking=True, timeout=10) for handle in handles]

    assert values == [bytes(40_000)] * 8
    assert max(carried) < 100_000 and len([size for size in carried if size]) == 4


@pytest.mark.parametrize("kind", ["thread", "asyncio"])
def test_idle_workers_do_not_wait_for_a_job_that_did_not_fit_into_a_group(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(pace, "EXCHANGE_BYTES", 1000)
    nudged = threading.Event()

    def wait(timeout: float) -> bool:
        """Hears no bell."""
        nudged.wait(30)
        nudged.clear()
        return False

    monkeypatch.setattr(huey.storage, "wait", wait)
    monkeypatch.setattr(huey.storage, "nudge", nudged.set)
    gate = Gate()

    @huey.task()
    def take(data: bytes) -> None:
        gate.pass_through()

    with consuming(huey, workers=6, worker_type=kind) as consumer:
        wait_until(lambda: consumer._feed._waiting == 6 and not nudged.is_set())
        huey.enqueue_many(take.s(bytes(800)) for _ in range(6))
        huey.storage.nudge()
        gate.wait_entered(6)
        gate.open.set()


def test_receivers_that_are_slow_keep_only_so_many_bytes_waiting(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "EXCHANGE_BYTES", 50_000)
    monkeypatch.setattr(outbox, "LIMIT_BYTES", 100_000)
    gate = Gate()

    @huey.signal("complete")
    def receive(signal: str, task: Any) -> None:
        gate.pass_through()

    @huey.task()
    def take(data: bytes) -> None: ...

    huey.enqueue_many(take.s(bytes(40_000)) for _ in range(20))
    with consuming(huey, workers=1) as consumer:
        wait_until(lambda: consumer._feed._outbox.is_full())
        assert states(huey)["done"] <= 4
        gate.open.set()
        wait_until(lambda: states(huey) == {"done": 20})


def test_what_finds_no_memory_together_is_done_job_by_job(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = huey.storage.exchange

    def exchange(worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        results = [len(one.ending.result or b"") for one in endings]  # type: ignore[union-attr]
        if (want.free and want.bytes > 200_000) or sum(results) > 60_000:
            raise MemoryError
        return original(worker, endings, want)

    monkeypatch.setattr(huey.storage, "exchange", exchange)

    @huey.task()
    def give(data: bytes) -> bytes:
        return data

    handles = [give(bytes(40_000)) for _ in range(20)]
    with consuming(huey, workers=4):
        values = [handle.get(blocking=True, timeout=20) for handle in handles]

    assert values == [bytes(40_000)] * 20
    assert {row.attempt for row in jobs(huey)} == {1}


def test_endings_are_parted_by_their_bytes() -> None:
    def parts(*sizes: int) -> list[tuple[list[int], int]]:
        batch = [Finished(Ended(None, Done(bytes(size) if size else None))) for size in sizes]  # type: ignore[arg-type]
        return [([pace.weight(done) for done in part], size) for part, size in load.parts(batch)]

    load = pace.Load()
    load.bytes = 10

    assert parts() == [([], 0)]
    assert parts(0, 4, 6, 0) == [([0, 4, 6, 0], 10)]
    assert parts(0, 4, 7, 3, 0, 11, 0) == [([0, 4], 4), ([7, 3, 0], 10), ([11], 11), ([0], 0)]
    load.shrink()
    assert parts(0, 4, 0, 6) == [([0], 0), ([4], 4), ([0], 0), ([6], 6)]


# --- trouble --------------------------------------------------------------------------------------


@pytest.mark.sqlite_only("a file may not grow")
def test_a_full_disk_keeps_endings_in_memory_and_work_goes_on_when_there_is_room(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    @huey.task()
    def large() -> bytes:
        gate.pass_through()
        return bytes(400_000)

    handles = [large() for _ in range(8)]
    with consuming(huey, workers=2) as consumer:
        gate.wait_entered(2)
        set_limit(huey, spare=50)
        gate.open.set()
        wait_until(lambda: "no space left" in caplog.text)
        assert consumer.error is None
        set_limit(huey, spare=1_000_000)
        values = [handle.get(blocking=True, timeout=20) for handle in handles]

    assert all(value is not None and len(value) == 400_000 for value in values)
    assert gate.entered == 8
    assert {row.attempt for row in jobs(huey)} == {1}
    assert "the storage works again" in caplog.text


def set_limit(huey: Huey, spare: int) -> None:
    """How many pages the file may still grow."""
    db = huey.storage.db  # type: ignore[attr-defined]
    with db._lock:
        con = db._writer()
        pages = con.execute("pragma page_count").fetchone()[0]
        con.execute(f"pragma max_page_count={pages + spare}")


class OfAnEngine(StorageError):
    """As one that does not know what became of a commit."""


@pytest.mark.parametrize(
    "error",
    [StorageFull(), StorageBusy(), OfAnEngine()],
    ids=["full", "busy", "of an engine"],
)
def test_a_consumer_that_is_stopped_in_trouble_writes_its_endings_at_the_last_moment(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    gate = Gate()

    @huey.task()
    def work() -> int:
        gate.pass_through()
        return huey.incr("ran")

    handle = work()
    monkeypatch.setattr(trouble, "FIRST", 30.0)
    monkeypatch.setattr(trouble, "LONGEST", 30.0)
    consumer = huey.create_consumer()
    consumer.start()
    gate.wait_entered()
    healed = fail_exchanges(huey, monkeypatch, error)
    gate.open.set()
    wait_until(lambda: consumer._feed.unwritten == 1 and consumer._feed.trouble)
    healed.set()

    assert consumer.stop(graceful=True) == 0
    assert handle.get() == 1


def test_endings_that_cannot_be_written_at_a_stop_are_not_taken_for_given_back(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()

    @huey.task()
    def work() -> int:
        gate.pass_through()
        return 1

    handle = work()
    consumer = huey.create_consumer()
    consumer.start()
    gate.wait_entered()
    fail_exchanges(huey, monkeypatch, StorageFull())
    gate.open.set()
    wait_until(lambda: consumer._feed.unwritten)

    assert consumer.stop(graceful=True) == 1
    assert handle.state is State.RUNNING
    assert "1 endings could not be written" in str(consumer.error)


def test_an_idle_consumer_that_met_a_lock_takes_the_job_when_it_is_gone(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    @huey.task()
    def work() -> int:
        return 1

    handle = work()
    healed = fail_exchanges(huey, monkeypatch, StorageBusy())
    with consuming(huey) as consumer:
        wait_until(lambda: consumer._feed.trouble)
        healed.set()
        assert handle.get(blocking=True, timeout=10) == 1


@pytest.mark.sql_only("a writer holds a lock")
def test_a_lock_held_by_another_connection_delays_and_loses_nothing(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    runs = Counter[int]()

    @huey.task()
    def work(n: int) -> int:
        runs[n] += 1
        time.sleep(0.001)
        return n

    give_up_after(monkeypatch, 0.02)
    handles = huey.enqueue_many(work.s(n) for n in range(200))
    with consuming(huey, workers=3):
        for _ in range(5):
            with write_lock_of(path):
                time.sleep(0.05)
        wait_until(lambda: states(huey) == {"done": 200}, 20)
    assert [handle.get() for handle in handles] == list(range(200))

    assert set(runs.values()) == {1}


def test_an_ending_that_no_row_can_hold_kills_its_job_and_no_other(huey: Huey) -> None:
    @huey.task(context=True, retries=1)
    def work(how: str, task: Any = None) -> int:
        if how == "negative":
            task.retry_delay = -5
        elif how == "huge":
            task.retries = 10**30
        elif how == "text":
            task.retry_delay = "soon"
        elif how == "nan":
            task.retry_delay = float("nan")
        elif how == "half":
            task.retries = 0.5
        elif how == "fine":
            return 1
        raise ValueError(how)

    bad = [work(how) for how in ("negative", "huge", "text", "nan", "half")]
    good = work("fine")
    with consuming(huey, workers=2):
        assert good.get(blocking=True, timeout=10) == 1
        wait_until(lambda: all(handle.is_complete() for handle in bad))
        assert work("fine").get(blocking=True, timeout=10) == 1

    assert {str(handle.state) for handle in bad} == {"dead"}


# --- telling --------------------------------------------------------------------------------------


def test_signals_of_a_consumer_are_sent_after_the_commit_and_in_order(huey: Huey) -> None:
    @huey.task()
    def work(fail: bool) -> int:
        if fail:
            raise ValueError
        return 1

    seen = Signals(huey)
    values: list[Any] = []
    huey.signal("complete")(lambda signal, task: values.append(huey.result(task.id, preserve=True)))
    handles = huey.enqueue_many(work.s(n % 5 == 0) for n in range(100))
    with consuming(huey, workers=3):
        wait_until(lambda: len(seen.of("complete")) == 80 and len(seen.of("error")) == 20)

    assert {state for _, state, _ in seen.of("complete")} == {"done"}
    assert {state for _, state, _ in seen.of("error")} == {"dead"}
    assert values == [1] * 80
    for handle in handles:
        assert seen.names(handle.id)[:2] == ["enqueued", "executing"]


def test_a_receiver_that_is_slow_holds_up_one_worker_only(huey: Huey) -> None:
    gate = Gate()

    @huey.task()
    def work() -> int:
        return 1

    @huey.signal("complete")
    def slow(signal: str, task: Any) -> None:
        gate.pass_through()

    with consuming(huey, workers=3):
        work()
        gate.wait_entered()
        others = [work() for _ in range(20)]
        assert [other.get(blocking=True, timeout=10) for other in others] == [1] * 20
        assert gate.entered == 1
        gate.open.set()
        wait_until(lambda: gate.entered == 21)


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_receiver_that_raises_or_exits_ends_no_worker(
    huey: Huey, error: type[BaseException]
) -> None:
    @huey.task()
    def work() -> int:
        return 1

    @huey.signal("complete", "revoked")
    def bad(signal: str, task: Any) -> None:
        raise error("receiver")

    with consuming(huey, workers=1):
        for _ in range(5):
            assert work().get(blocking=True, timeout=10) == 1
        assert len([t for t in threading.enumerate() if t.name == "huey-worker-1"]) == 1


def test_a_claim_that_was_lost_is_told_and_its_ending_dropped(huey: Huey) -> None:
    gate = Gate()

    @huey.task()
    def work() -> str:
        gate.pass_through()
        return "zombie"

    handle = work()
    seen = Signals(huey)
    with consuming(huey):
        gate.wait_entered()
        ended = {"state": "done", "worker": None, "claimed_at": None, "finished_at": 1.0}
        lab_of(huey.storage).set(handle.seq, claim=2, **ended)
        gate.open.set()
        wait_until(lambda: seen.of("claim-lost"))

    assert job(huey, handle).finished_at == 1
    assert handle.get() is None
    assert "complete" not in seen.names()

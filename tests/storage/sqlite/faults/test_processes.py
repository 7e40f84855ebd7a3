"""Many processes, and many threads, on one file: each job runs once, and nobody starves."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from hueycore.model.jobs import Want
from hueycore.storage.sqlite import SqliteStorage
from tests.storage.kit import ended, new, worker
from tests.storage.sqlite.faults.rig import Crew, rows
from tests.storage.sqlite.invariants import check_invariants

PRODUCERS, CONSUMERS, JOBS = 4, 6, 1000


@pytest.mark.slow
def test_ten_processes_run_each_of_four_thousand_jobs_exactly_once(
    memory_path: str, crew: Crew
) -> None:
    path = memory_path
    SqliteStorage(path).close()
    producers = [crew.start("produce", path, JOBS, f"p{n}") for n in range(PRODUCERS)]
    consumers = [crew.start("consume", path, PRODUCERS * JOBS) for _ in range(CONSUMERS)]
    members = producers + consumers
    for member in members:
        assert member.hear() == "ready"

    for member in members:
        member.tell()

    acknowledged = [one for member in producers for one in member.hear(60)]
    ran = [(one, attempt) for member in consumers for one, attempt in member.hear(60)]
    for member in members:
        assert member.process.wait(10) == 0
    assert len(acknowledged) == PRODUCERS * JOBS
    assert Counter(one for one, _ in ran) == Counter(acknowledged)
    assert {attempt for _, attempt in ran} == {1}
    assert rows(path, "select state, count(*), max(attempt) from huey_job group by state") == [
        ("done", PRODUCERS * JOBS, 1)
    ]
    assert rows(path, "select sum(done) from huey_metric") == [(PRODUCERS * JOBS,)]
    assert rows(path, "select count(*) from huey_worker") == [(0,)]
    check_invariants(path)


@pytest.mark.slow
def test_eight_processes_that_write_all_the_time_get_a_fair_share(path: str, crew: Crew) -> None:
    SqliteStorage(path).close()
    members = [crew.start("contend", path, 3.0) for _ in range(8)]
    for member in members:
        assert member.hear() == "ready"

    for member in members:
        member.tell()

    counts, waits = zip(*[member.hear() for member in members], strict=True)
    fair = sum(counts) / len(counts)
    assert min(counts) > fair / 4, counts
    assert max(waits) < 2, waits
    # No increment was lost either.
    stored = rows(path, "select number from huey_value where kind = 'counter'")
    assert sorted(number for (number,) in stored) == sorted(counts)


@pytest.mark.slow
def test_threads_that_share_one_storage_run_each_job_exactly_once(
    memory_file: SqliteStorage,
) -> None:
    file = memory_file
    ran: Counter[str] = Counter()
    acknowledged: list[str] = []
    failures: list[BaseException] = []
    over = threading.Event()

    def guarded(work: object, *args: object) -> threading.Thread:
        def run() -> None:
            try:
                work(*args)  # type: ignore[operator]
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def produce(number: int) -> None:
        for n in range(JOBS // 4):
            acknowledged.append(file.enqueue([new(id=f"t{number}-{n}")])[0].id)

    def consume(number: int) -> None:
        while True:
            last = over.is_set()
            claims = file.exchange(number, [], Want(3)).claims
            ran.update(claim.id for claim in claims)
            assert file.exchange(number, [ended(claim) for claim in claims], Want(0)).lost == []
            if last and not claims:
                return

    number = worker(file)
    producers = [guarded(produce, n) for n in range(4)]
    consumers = [guarded(consume, number) for _ in range(6)]
    for thread in producers:
        thread.join(60)
    over.set()
    for thread in consumers:
        thread.join(60)

    assert failures == []
    assert not any(thread.is_alive() for thread in producers + consumers)
    assert len(acknowledged) == 4 * JOBS // 4
    assert ran == Counter(acknowledged)
    assert rows(file.db.path, "select state, count(*) from huey_job group by 1") == [("done", JOBS)]
    file.unregister(number)


@pytest.mark.slow
def test_no_thread_of_eight_starves(file: SqliteStorage) -> None:
    counts, longest = [0] * 8, [0.0] * 8
    end = time.monotonic() + 1.5

    def write(place: int) -> None:
        while (begun := time.monotonic()) < end:
            file.incr(f"counter {place}")
            longest[place] = max(longest[place], time.monotonic() - begun)
            counts[place] += 1

    threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert min(counts) > sum(counts) / 8 / 4, counts
    assert max(longest) < 2, longest

"""The file beside the database: numbers of workers, their slots, the bell that cannot ring."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Selector
from hueycore.model.limits import Limit, Rate
from hueycore.model.states import State
from hueycore.storage.sqlite import SqliteStorage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import born, new, one, state, take, worker
from tests.storage.sql.lab import sql, write
from tests.storage.sqlite.lab import SqliteLab

NOW = 2_000_000_000.0

# --- slots ----------------------------------------------------------------------------------------


def test_an_at_most_once_job_that_had_not_started_when_its_worker_died_runs(
    storage: SqliteStorage, make: Maker
) -> None:
    """What has started is in the slots, and nothing else."""
    storage.enqueue([new(at_most_once=True), new(at_most_once=True)])
    number = worker(storage)
    ran, held = take(storage, number, 2)
    storage.slots(number).start(0, *ran[:2])

    make.lab(storage).bury(number)

    assert state(storage, ran) is State.DEAD
    assert one(storage, worker(storage)).seq == held.seq


# --- numbers of workers ---------------------------------------------------------------------------


def test_a_number_is_free_again_when_its_worker_left(storage: SqliteStorage) -> None:
    first, second = worker(storage), worker(storage)
    storage.unregister(first)

    assert [found.id for found in storage.workers()] == [second]
    assert worker(storage) == first


def test_slots_are_clean_for_the_next_worker_of_a_number(storage: SqliteStorage) -> None:
    number = worker(storage)
    storage.slots(number).start(3, 12, 1)
    storage.unregister(number)

    assert worker(storage) == number
    assert storage.workers()[0].running == []


def test_an_at_most_once_job_that_no_slot_has_runs_again(file: SqliteStorage) -> None:
    file.enqueue([new(at_most_once=True), new(at_most_once=True)])
    number = worker(file)
    ran, held = take(file, number, 2)
    file.slots(number).start(0, ran.seq, ran.claim)

    SqliteLab(file).bury(number)

    assert state(file, ran) is State.DEAD
    assert one(file, worker(file)).seq == held.seq


def test_a_process_has_at_most_4096_slots(file: SqliteStorage) -> None:
    with pytest.raises(StorageError, match="4096"):
        file.register(name="w", kind="thread", slots=4097)

    assert file.workers() == []
    assert file.register(name="w", kind="thread", slots=4096)


def test_the_last_number_is_4095(storage: SqliteStorage) -> None:
    last = worker(storage)
    write(
        storage,
        """
        with recursive n(n) as (select 2 union all select n + 1 from n where n < 4095)
        insert into huey_worker select n, queue, name, host, pid, boot_id, kind, slots, state,
            started_at, side from n, huey_worker
        """,
    )

    with pytest.raises(StorageError, match="4095"):
        worker(storage)

    assert len(sql(storage, "select id from huey_worker")) == 4095
    storage.unregister(last)
    assert worker(storage) == last


# --- the bell -------------------------------------------------------------------------------------


@pytest.fixture
def switch_often() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_side_file_that_cannot_be_made_is_no_reason_to_refuse_a_job(
    make_file: Maker, path: str
) -> None:
    """The bell is rung after the commit: whoever is told of an error would enqueue again."""
    storage = make_file()
    os.unlink(path + "-huey")
    os.mkdir(path + "-huey")

    assert state(storage, born(storage)) is State.PENDING
    storage.revoke(Selector())
    assert storage.requeue(Selector()).changed


def test_threads_that_ring_for_the_first_time_together_attach_one_side_file(
    make_file: Maker, switch_often: None
) -> None:
    for _ in range(60):
        storage = make_file()
        barrier = threading.Barrier(4)

        def ring(_: int, storage: SqliteStorage = storage, barrier: Any = barrier) -> None:
            barrier.wait()
            storage.ring()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ring, range(4)))
        side = storage.side()
        storage.close()
        assert side is not None and side._users == 0


def due(storage: SqliteStorage, clock: Clock) -> None:
    born(storage, run_at=clock.now() + 5)


def due_with_a_key(storage: SqliteStorage, clock: Clock) -> None:
    storage.declare_limits([Limit("task", "k", None, Rate(1, 5.0))])
    storage.enqueue([new(key_name="k") for _ in range(2)])
    one(storage, worker(storage))


@pytest.mark.parametrize("prepare", [due, due_with_a_key])
def test_what_time_makes_ready_rings(
    make_file: Maker, clock: Clock, prepare: Callable[[SqliteStorage, Clock], None]
) -> None:
    clock.freeze(NOW)
    storage = make_file()
    prepare(storage, clock)
    assert not rings(storage, storage.promote)
    clock.jump(5)

    assert rings(storage, storage.promote)
    assert not rings(storage, storage.promote)


def rings(storage: SqliteStorage, verb: Callable[[], object]) -> bool:
    """Whether a verb rings for the consumers of other processes."""
    side = storage.side()
    assert side is not None
    os.utime(side.path, (1, 1))
    verb()
    return os.stat(side.path).st_mtime != 1

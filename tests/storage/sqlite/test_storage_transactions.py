"""What rolls back, and what threads share a commit."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import pytest

from hueycore.exceptions import DuplicateJob, StorageError
from hueycore.model.endings import Done
from hueycore.model.jobs import NewJob, Selector, Want
from hueycore.model.states import State
from hueycore.storage.sql import done
from hueycore.storage.sqlite import SqliteStorage
from tests.helpers import wait_until
from tests.storage.conftest import Maker
from tests.storage.kit import born, by_seq, ended, new, state, take, worker
from tests.storage.sql.lab import sql


def test_what_a_trigger_wrote_goes_with_the_transaction(make: Maker) -> None:
    recorded: SqliteStorage = make(events=True)
    lab = make.lab(recorded)
    before = lab.snapshot()

    with pytest.raises(ZeroDivisionError):
        recorded.db.transact(
            lambda con: [
                con.execute(
                    "insert into huey_job (id, queue, task, state, run_at, enqueued_at)"
                    " values ('x', 'huey', 't', 'pending', 1, 1)"
                ),
                1 / 0,
            ]
        )

    assert lab.snapshot() == before


def test_who_records_no_events_pays_for_no_trigger(storage: SqliteStorage) -> None:
    triggers = "select name from sqlite_master where type = 'trigger'"
    assert sql(storage, triggers) == []
    storage.record_events(True)
    assert sql(storage, triggers)

    storage.record_events(False)

    assert sql(storage, triggers) == []


def keyed(**fields: Any) -> NewJob:
    return new(unique_key="key", unique_until="end", **fields)


def test_a_refused_duplicate_takes_no_other_thread_with_it(storage: SqliteStorage) -> None:
    storage.enqueue([keyed()])
    answers: list[Any] = []
    start = threading.Barrier(8)

    def enqueue(job: NewJob) -> None:
        start.wait(10)
        try:
            answers.append(storage.enqueue([job])[0].fresh)
        except DuplicateJob:
            answers.append("refused")

    threads = [
        threading.Thread(target=enqueue, args=(keyed(on_conflict="fail") if n % 2 else new(),))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers, key=str) == [True] * 4 + ["refused"] * 4
    assert storage.count(Selector()) == 5


def test_a_refused_birth_takes_no_number_of_a_file(storage: SqliteStorage) -> None:
    (before,) = storage.enqueue([new()])
    with pytest.raises(StorageError):
        storage.enqueue([new(retries=-1)])
    (replaced,) = storage.enqueue([new(id=before.id)])
    (after,) = storage.enqueue([new()])

    assert (replaced.seq, after.seq) == (before.seq, before.seq + 1)


def test_threads_that_come_together_share_a_commit(storage: SqliteStorage) -> None:
    before = storage.db.commits
    with storage._rounds.alone:
        threads = [threading.Thread(target=storage.enqueue, args=([new()],)) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(storage._tickets) == 8, 20, "eight at the door")
    for thread in threads:
        thread.join()

    assert storage.count(Selector()) == 8
    assert storage.db.commits == before + 1


def test_a_result_over_the_limit_of_sqlite_keeps_no_other_ending_waiting(
    storage: SqliteStorage,
) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    bad, good = take(storage, number, 2)
    storage.db.transact(lambda con: con.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000))

    endings = [ended(bad, Done(bytes(100_001))), ended(good, Done(b"1"))]
    got = storage.exchange(number, endings, Want(0))

    assert [state(storage, claim) for claim in (bad, good)] == [State.DEAD, State.DONE]
    assert [why for _, why in got.unwritable] == ["DataError: string or blob too big"]


def test_an_error_of_the_disk_is_no_fault_of_an_ending(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    claims = take(storage, number, 2)
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = 10

    def fail(*args: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(done, "store_results", fail)
        with pytest.raises(StorageError, match="disk I/O"):
            storage.exchange(number, [ended(claim, Done(b"1")) for claim in claims], Want(0))
    assert [state(storage, claim) for claim in claims] == [State.RUNNING] * 2

    got = storage.exchange(number, [ended(claim, Done(b"1")) for claim in claims], Want(0))

    assert (got.lost, got.unwritable) == ([], [])
    assert [state(storage, claim) for claim in claims] == [State.DONE] * 2


def test_a_statement_of_the_users_own_is_run_and_committed_when_it_says_so(
    file: SqliteStorage,
) -> None:
    assert file.sql("select 1 + ?", (1,), results=True) == [(2,)]
    assert file.sql("create table mine (n integer)", commit=True) is None
    assert file.sql("insert into mine values (?)", (7,), commit=True) is None
    assert file.sql("select n from mine", results=True) == [(7,)]
    with pytest.raises(StorageError, match="task"):
        file.sql("delete from task", commit=True)


def test_the_version_stays_the_same_until_somebody_commits(storage: SqliteStorage) -> None:
    storage.version()  # the first look opens a connection, which is news as well
    before = storage.version()
    storage.count(Selector())

    assert storage.version() == before


def test_no_number_is_left_out(make: Maker) -> None:
    """The numbers are people's names for jobs: short ones."""
    storage = make()
    first = born(storage, id="first")
    with pytest.raises(StorageError):
        storage.enqueue([new(retries=-1)])
    storage.revoke(by_seq(first))

    assert born(storage, id="first").seq == first.seq + 1
    storage.flush()
    assert born(storage).seq == first.seq + 2

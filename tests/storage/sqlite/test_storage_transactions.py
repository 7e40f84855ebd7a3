"""What rolls back, and what threads share a commit."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from hueycore.exceptions import DuplicateJob
from hueycore.model.jobs import NewJob, Selector
from hueycore.storage.sqlite import SqliteStorage
from tests.storage.conftest import Maker
from tests.storage.kit import new
from tests.storage.sqlite.lab import sql


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

    def enqueue(job: NewJob) -> None:
        try:
            answers.append(storage.enqueue([job])[0].fresh)
        except DuplicateJob:
            answers.append("refused")

    # They come together while the door is shut, so that they share a commit.
    with storage._door:
        threads = [
            threading.Thread(target=enqueue, args=(keyed(on_conflict="fail") if n % 2 else new(),))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        while len(storage._tickets) < 8:
            pass
    for thread in threads:
        thread.join()

    assert sorted(answers, key=str) == [True] * 4 + ["refused"] * 4
    assert storage.count(Selector()) == 5

"""Events in the order in which they can be followed: none is missed, whoever commits when."""

from __future__ import annotations

import threading

import pytest

from hueycore.model.events import Event, EventQuery
from hueycore.model.jobs import Selector
from hueycore.storage.postgres import PostgresStorage, events
from tests.helpers import stays_true, wait_until
from tests.storage.kit import born, new
from tests.storage.postgres.conftest import Connect, Open

WRITERS, EACH = 4, 60


def settled(storage: PostgresStorage, after: int = 0) -> list[Event]:
    return storage.events(EventQuery(after=after, settled=True))


def test_an_event_that_is_committed_late_is_not_missed(open_: Open, connect: Connect) -> None:
    storage = open_(events=True)
    first, second = connect(), connect()
    (early,) = storage.on(first).enqueue([new()])
    (late,) = storage.on(second).enqueue([new()])

    second.commit()
    before = settled(storage)
    first.commit()
    wait_until(lambda: len(settled(storage)) == 2)

    assert before == []
    assert [event.seq for event in settled(storage)] == [early.seq, late.seq]


def test_a_transaction_that_writes_events_is_waited_for_as_long_as_it_is_open(
    open_: Open, connect: Connect
) -> None:
    storage = open_(events=True)
    first, second = connect(), connect()
    (one,) = storage.on(first).enqueue([new()])
    (other,) = storage.on(second).enqueue([new()])
    (last,) = storage.on(first).enqueue([new()])
    first.commit()

    assert stays_true(lambda: settled(storage) == [], 0.2)
    second.commit()
    wait_until(lambda: len(settled(storage)) == 3)

    assert [event.seq for event in settled(storage)] == [one.seq, other.seq, last.seq]


def test_a_transaction_that_writes_no_event_is_not_waited_for(
    open_: Open, connect: Connect
) -> None:
    storage = open_(events=True)
    old = connect()
    old.execute("insert into account values ('ann', 1)")

    job = born(storage)
    wait_until(lambda: [event.seq for event in settled(storage)] == [job.seq])
    (late,) = storage.on(old).enqueue([new()])
    next_one = born(storage)
    assert stays_true(lambda: len(settled(storage)) == 1, 0.2)
    old.commit()
    wait_until(lambda: len(settled(storage)) == 3)

    assert [event.seq for event in settled(storage)] == [job.seq, late.seq, next_one.seq]


def test_who_begins_to_follow_while_somebody_writes_begins_shortly_before(
    open_: Open, connect: Connect
) -> None:
    storage = open_(events=True)
    early = born(storage)
    storage.db.transact(lambda con: con.execute("update huey_event set at = at - 60"))
    con = connect()
    (late,) = storage.on(con).enqueue([new()])
    (before,) = settled(follower := open_())
    con.commit()

    wait_until(lambda: len(settled(follower, before.event)) == 1)

    assert [before.seq, settled(follower, before.event)[0].seq] == [early.seq, late.seq]


def test_on_a_standby_all_who_write_are_waited_for(
    open_: Open, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not told who has locks."""
    as_standby = events._WRITERS.replace("pg_is_in_recovery()", "true").replace("pg_locks", "none")
    monkeypatch.setattr(
        events, "_WRITERS", f"with none as (select * from pg_locks where false) {as_standby}"
    )
    storage = open_(events=True)
    born(storage)
    wait_until(lambda: len(settled(storage)) == 1)
    writer = connect()
    (late,) = storage.on(writer).enqueue([new()])
    job = born(storage)
    assert stays_true(lambda: len(settled(storage)) == 1, 0.2)
    writer.commit()
    wait_until(lambda: len(settled(storage)) == 3)

    assert [event.seq for event in settled(storage)[1:]] == [late.seq, job.seq]


def test_who_goes_on_after_a_deleted_event_misses_none(open_: Open) -> None:
    storage = open_(events=True)
    storage.enqueue([new() for _ in range(3)])
    wait_until(lambda: len(settled(storage)) == 3)
    *_, deleted, last = settled(storage)
    storage.db.transact(
        lambda con: con.execute("delete from huey_event where event = ?", (deleted.event,))
    )

    assert settled(storage, deleted.event) == [last]


def test_a_follower_beside_many_writers_sees_each_event_once(open_: Open) -> None:
    storage = open_(events=True)
    writers = [open_() for _ in range(WRITERS)]

    def write(own: PostgresStorage) -> None:
        for _ in range(EACH):
            own.enqueue([new()])

    threads = [threading.Thread(target=write, args=(own,)) for own in writers]
    for thread in threads:
        thread.start()
    seen: list[Event] = []

    def follow() -> bool:
        seen.extend(settled(storage, seen[-1].event if seen else 0))
        return len(seen) >= WRITERS * EACH

    wait_until(follow, 60)
    for thread in threads:
        thread.join()

    born = sorted(event.seq for event in seen if event.seq is not None)
    assert born == [job.seq for job in storage.jobs(Selector())]

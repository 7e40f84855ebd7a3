"""Events in the order in which they can be followed: none is missed, whoever commits when."""

from __future__ import annotations

import threading

from hueycore.model.events import Event, EventQuery
from hueycore.model.jobs import Selector
from hueycore.storage.postgres import PostgresStorage
from tests.helpers import wait_until
from tests.storage.kit import new
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


def test_the_order_is_that_of_the_transactions_and_not_of_the_numbers(
    open_: Open, connect: Connect
) -> None:
    storage = open_(events=True)
    first, second = connect(), connect()
    storage.on(first).enqueue([new()])  # its transaction begins first
    (other,) = storage.on(second).enqueue([new()])
    (last,) = storage.on(first).enqueue([new()])
    first.commit()
    wait_until(lambda: len(settled(storage)) == 2)
    seen = settled(storage)

    second.commit()
    wait_until(lambda: len(settled(storage)) == 3)

    assert seen[-1].seq == last.seq
    assert [event.seq for event in settled(storage, seen[-1].event)] == [other.seq]
    assert settled(storage)[-1].event < seen[-1].event


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

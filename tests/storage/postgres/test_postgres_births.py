"""Jobs are born without the lock of the queue, and many of them at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hueycore.exceptions import StorageBusy, StorageError
from hueycore.model.jobs import NewJob, Selector
from hueycore.model.limits import Limit
from hueycore.model.plan import Edge, Plan
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage
from hueycore.storage.postgres.births import COPIED
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.enqueue import Ticket
from tests.helpers import stays_true
from tests.proxy import Proxy
from tests.storage.kit import born, new, one, row, state, worker
from tests.storage.postgres.conftest import Open
from tests.storage.postgres.trace import traced


@contextmanager
def held(storage: PostgresStorage) -> Iterator[None]:
    """Somebody has the lock of the queue meanwhile."""
    inside, over = threading.Event(), threading.Event()

    def body(_: Connection) -> None:
        inside.set()
        assert over.wait(30)

    thread = threading.Thread(target=storage.db.transact, args=(body,))
    thread.start()
    assert inside.wait(30)
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("count", [1, 3, COPIED])
def test_a_birth_waits_for_no_lock_of_the_queue(
    storage: PostgresStorage, open_: Open, count: int
) -> None:
    born(storage)
    with held(open_()):
        jobs = storage.enqueue([new() for _ in range(count)])

        assert state(storage, jobs[-1]) is State.PENDING


def test_a_keyed_job_is_born_blocked_while_somebody_has_the_lock(open_: Open) -> None:
    storage = open_(timeout=0.2)
    storage.declare_limits([Limit("task", "k", 1)])
    born(storage)
    with held(open_()):
        job = born(storage, key_name="k")
        assert job.state is State.BLOCKED

    assert storage.next_run_at() == 0.0, "somebody has to settle the key"
    assert storage.promote() == []
    assert state(storage, job) is State.PENDING


def test_a_keyed_job_that_has_room_is_pending_when_it_is_born(storage: PostgresStorage) -> None:
    storage.declare_limits([Limit("task", "k", 1)])
    born(storage, key_name="k")

    assert state(storage, 1) is State.PENDING
    assert born(storage, key_name="k").state is State.BLOCKED


@pytest.mark.parametrize(
    ("jobs", "plan"),
    [([new("a"), new("b")], Plan([Edge(0, 1)])), ([new(id="known")], None)],
    ids=["stages", "a known id"],
)
def test_what_looks_at_other_jobs_waits_for_the_lock(
    open_: Open, jobs: list[NewJob], plan: Plan | None
) -> None:
    storage = open_(timeout=0.2)
    born(storage, id="known")

    with held(open_()), pytest.raises(StorageBusy):
        storage.enqueue(jobs, plan)


def test_one_job_is_one_statement_and_the_bell_with_one_answer_to_wait_for(
    storage: PostgresStorage, tmp_path: Path
) -> None:
    for _ in range(2):
        born(storage)

    with traced(storage.db._write.connection, tmp_path) as seen:
        born(storage)

    assert seen.synced == [["INSERT 0 1"], ["SELECT 1"]]
    assert seen.rounds == 1


def test_a_job_whose_preview_no_text_can_hold_is_born_with_a_readable_one(
    storage: PostgresStorage,
) -> None:
    born(storage)

    job = born(storage, preview="a\0b \ud800")

    assert row(storage, job).preview == "a\\0b \\ud800"


def test_a_job_that_the_server_refuses_leaves_the_connection_as_it_was(
    storage: PostgresStorage,
) -> None:
    born(storage)
    before = storage.db._write.connection

    with pytest.raises(StorageError, match="index row"):
        born(storage, id="".join(map(chr, range(0x4E00, 0x9000))))

    assert born(storage).fresh
    assert storage.db._write.connection is before
    assert storage.sql("select count(*) from huey_job", results=True) == [(2,)]


def test_who_is_interrupted_while_he_waits_for_the_answer_enqueues_again_as_before(
    postgres: str, open_: Open
) -> None:
    class Struck(Exception):
        pass

    def strike(*_: object) -> None:
        raise Struck

    with Proxy(postgres) as proxy:
        storage = open_(dsn=proxy.url)
        born(storage)
        proxy.hold()
        before = signal.signal(signal.SIGALRM, strike)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(Struck):
                born(storage)
        finally:
            signal.signal(signal.SIGALRM, before)
        proxy.release()

        assert born(storage).fresh
        assert born(storage).fresh


def test_threads_that_share_a_commit_wait_for_one_answer(
    storage: PostgresStorage, tmp_path: Path
) -> None:
    born(storage)
    waiting = [Ticket([new() for _ in range(n + 1)], None) for n in range(8)]

    with traced(storage.db._write.connection, tmp_path) as seen:
        storage._commit(waiting)

    assert seen.rounds == 3, "begin, the jobs of all, commit"
    for ticket in waiting:
        assert [one.id for one in ticket.answer or ()] == [job.id for job in ticket.jobs]


@pytest.mark.parametrize("options", [{}, {"retries": 3, "expires_in": 60.0, "priority": 2}])
def test_copied_jobs_keep_their_order_and_what_they_are(
    storage: PostgresStorage, options: dict[str, float]
) -> None:
    wanted = [new("tab\tand \\N", b"\0\t\n", preview=None, **options) for _ in range(COPIED)]

    found = storage.enqueue(wanted)

    assert [one.id for one in found] == [job.id for job in wanted]
    assert [one.seq for one in found] == sorted(one.seq for one in found)
    last = row(storage, found[-1])
    assert (last.id, last.task, last.preview) == (wanted[-1].id, "tab\tand \\N", None)
    assert last.retries == options.get("retries", 0)
    query = "select payload from huey_payload where seq = ?"
    assert storage.sql(query, (last.seq,), results=True) == [(b"\0\t\n",)]


def test_copied_jobs_of_which_some_are_known_are_born_once(storage: PostgresStorage) -> None:
    wanted = [new() for _ in range(COPIED + 1)]
    before = storage.enqueue(wanted[7:9])

    found = storage.enqueue([*wanted, wanted[3]])

    assert [one.id for one in found] == [job.id for job in [*wanted, wanted[3]]]
    assert found[7:9] == [one._replace(fresh=False, enqueued_at=None) for one in before]
    assert [one.fresh for one in found].count(False) == 3
    assert storage.sql("select count(*) from huey_job", results=True) == [(len(wanted),)]


def test_a_unique_job_among_the_copied_stands_for_the_next(storage: PostgresStorage) -> None:
    first = born(storage, unique_key="u", unique_until="end")
    jobs = [new() for _ in range(COPIED)]
    jobs[5] = new(unique_key="u", unique_until="end")

    found = storage.enqueue(jobs)

    assert found[5] == first._replace(fresh=False, enqueued_at=None)


def test_a_large_job_gets_through_to_a_server_that_takes_its_time(
    postgres: str, open_: Open
) -> None:
    with Proxy(postgres) as proxy:
        storage = open_(dsn=proxy.url)
        born(storage)
        proxy.hold()
        job = new(payload=bytes(40_000_000))
        birth = threading.Thread(target=storage.enqueue, args=([job],), daemon=True)
        birth.start()
        assert stays_true(birth.is_alive, 0.5)
        proxy.release()
        birth.join(20)
        assert not birth.is_alive()
        assert len(storage.jobs(Selector())) == 2


def test_a_connection_that_has_forgotten_what_was_prepared_is_made_anew(
    storage: PostgresStorage,
) -> None:
    number = worker(storage)
    born(storage)
    one(storage, number)
    for link in (storage.db._write, storage.db._hot):
        assert link.connection is not None
        link.connection.pgconn.exec_(b"discard all")

    job = born(storage)

    assert job.fresh
    assert one(storage, number).seq == job.seq

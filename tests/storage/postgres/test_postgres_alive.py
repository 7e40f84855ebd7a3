"""Who lives: sessions that end, break and come back, while their processes live or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.model.jobs import Want
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage, alive, session
from tests.helpers import stays_true, wait_until
from tests.servers import Server
from tests.storage.kit import born, end, new, one, row, state, take, worker
from tests.storage.postgres.conftest import Connect, Open
from tests.storage.sql.lab import sql, write
from tests.storage.sqlite.faults.rig import Crew, Member, fork, forked


def is_alive(storage: PostgresStorage, number: int) -> bool:
    return {found.id: found.alive for found in storage.workers()}[number]


def backend(storage: PostgresStorage) -> int:
    """The server's process behind the session of a storage."""
    connection = storage.alive.session()._connection
    assert connection is not None
    return connection.info.backend_pid


def break_session(storage: PostgresStorage) -> None:
    """The server ends it, and it is back, or not, in its own time."""
    with psycopg.connect(storage.db.dsn, autocommit=True) as con:
        con.execute("select pg_terminate_backend(%s)", (backend(storage),))


def recovered(storage: PostgresStorage) -> list[int]:
    return [one.job.seq for one in storage.recover()]


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is on this machine: it is not seen that one is gone. The server is an old one."""
    monkeypatch.setattr(alive, "boot_id", lambda: "")
    monkeypatch.setattr(alive, "SERVER_UP", 0.0)


@pytest.fixture
def victim(
    crew: Crew, storage: PostgresStorage, postgres: str
) -> Callable[..., tuple[Member, int, list[int]]]:
    """Starts a worker in a process of its own that claims jobs and begins some."""

    def start(free: int = 1, begun: int = 1) -> tuple[Member, int, list[int]]:
        member = crew.start("work", postgres, storage.db.schema, free, begun)
        number, seqs = member.hear()
        noted = f"select started from huey_worker where id = {number}"
        if begun:
            wait_until(lambda: (sql(storage, noted)[0][0] or "").count("[") == begun + 1)
        return member, number, seqs

    return start


# --- a process that dies --------------------------------------------------------------------------


@pytest.mark.feature("crash")
def test_a_killed_worker_is_dead_at_once_and_its_jobs_come_back(
    storage: PostgresStorage, victim: Callable[..., tuple[Member, int, list[int]]]
) -> None:
    storage.enqueue([new(), new()])
    member, number, seqs = victim(free=2, begun=1)
    assert is_alive(storage, number)
    assert recovered(storage) == []

    member.kill()

    wait_until(lambda: not is_alive(storage, number), deadline=2)
    assert wait_until(lambda: recovered(storage), deadline=2) == seqs
    assert [(row(storage, seq).state, row(storage, seq).crashes) for seq in seqs] == [
        (State.PENDING, 1),
        (State.PENDING, 0),
    ]
    assert storage.workers() == []


def test_one_that_cannot_be_seen_is_dead_when_it_was_missing_twice(
    storage: PostgresStorage,
    victim: Callable[..., tuple[Member, int, list[int]]],
    far_away: None,
) -> None:
    born(storage)
    member, number, seqs = victim()
    member.kill()
    wait_until(lambda: not is_alive(storage, number))
    first = time.monotonic()

    assert recovered(storage) == [], "it may come back"
    assert wait_until(lambda: recovered(storage), deadline=5) == seqs

    assert time.monotonic() - first >= alive.MISSING


def test_another_process_finishes_the_count_of_one_that_looked_once(
    storage: PostgresStorage,
    open_: Open,
    victim: Callable[..., tuple[Member, int, list[int]]],
    far_away: None,
) -> None:
    born(storage)
    member, number, seqs = victim()
    member.kill()
    wait_until(lambda: not is_alive(storage, number))
    assert forked(lambda: recovered(open_())) == []
    write(storage, "update huey_worker set lost_at = lost_at - 3 where id = ?", number)

    assert recovered(storage) == seqs


def test_a_server_that_has_just_started_calls_nobody_dead(
    storage: PostgresStorage,
    victim: Callable[..., tuple[Member, int, list[int]]],
    far_away: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    born(storage)
    member, number, _ = victim()
    member.kill()
    wait_until(lambda: not is_alive(storage, number))
    monkeypatch.setattr(alive, "SERVER_UP", 1e6)
    recovered(storage)
    write(storage, "update huey_worker set lost_at = lost_at - 100 where id = ?", number)

    assert recovered(storage) == []


def test_a_server_that_has_just_crashed_calls_nobody_dead(
    postgres_server: Server, far_away: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its postmaster lived on. All sessions broke, and that one was missed before and came back is
    undone."""
    dsn = postgres_server.dsn
    with closing(PostgresStorage(dsn)) as storage, closing(PostgresStorage(dsn)) as other:
        number = worker(other)
        before = other.alive.session()._connection
        os.kill(backend(other), signal.SIGKILL)
        session = other.alive.session()
        wait_until(lambda: session._connection not in (None, before), deadline=20)
        other.alive.session().release(number)
        write(storage, "update huey_worker set lost_at = 1.0")
        ((age,),) = sql(
            storage, "select extract(epoch from clock_timestamp() - pg_postmaster_start_time())"
        )
        monkeypatch.setattr(alive, "SERVER_UP", age)

        assert recovered(storage) == []
        assert [row.id for row in storage.workers()] == [number]


def test_a_lock_of_a_killed_process_is_free(
    storage: PostgresStorage, crew: Crew, postgres: str
) -> None:
    member = crew.start("lock", postgres, storage.db.schema, "door")
    number, taken = member.hear()
    mine = worker(storage)
    assert taken and not storage.lock("door", mine, b"mine") and storage.is_locked("door")

    member.kill()

    wait_until(lambda: not is_alive(storage, number))
    assert wait_until(lambda: storage.lock("door", mine, b"mine"), deadline=5)


def test_a_lock_of_a_process_that_cannot_be_seen_is_free_a_moment_later(
    storage: PostgresStorage, crew: Crew, postgres: str, far_away: None
) -> None:
    member = crew.start("lock", postgres, storage.db.schema, "door")
    number, _ = member.hear()
    mine = worker(storage)
    member.kill()
    wait_until(lambda: not is_alive(storage, number))

    assert not storage.lock("door", mine, b"mine"), "it may come back"
    assert storage.is_locked("door")
    assert wait_until(lambda: storage.lock("door", mine, b"mine"), deadline=5)


# --- a session that breaks ------------------------------------------------------------------------


def test_a_worker_whose_session_broke_takes_its_lock_again(
    storage: PostgresStorage, open_: Open
) -> None:
    born(storage)
    number, other = worker(storage), open_()
    claim = one(storage, number)
    before = backend(storage)

    break_session(storage)

    wait_until(lambda: storage.alive.session()._connection is not None)
    wait_until(lambda: is_alive(other, number), deadline=2)
    assert backend(storage) != before
    assert stays_true(lambda: recovered(other) == [], alive.MISSING + 0.5)
    assert end(storage, number, claim).lost == []


def test_who_comes_back_is_missed_no_more(storage: PostgresStorage) -> None:
    number = worker(storage)
    write(storage, "update huey_worker set lost_at = 1.0")

    break_session(storage)

    wait_until(lambda: sql(storage, "select lost_at from huey_worker") == [(None,)])
    assert is_alive(storage, number)


def test_without_a_session_a_worker_claims_nothing_and_ends_what_it_runs(
    storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    claim = one(storage, number)

    def refuse() -> psycopg.Connection[tuple[object, ...]]:
        raise psycopg.OperationalError("no")

    with monkeypatch.context() as patch:
        patch.setattr(storage.db, "connect", refuse)
        break_session(storage)
        wait_until(lambda: storage.alive.session()._connection is None)
        assert take(storage, number) == []
        assert end(storage, number, claim).lost == []

    wait_until(lambda: take(storage, number))


def test_who_has_no_session_for_long_says_why(
    storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = worker(storage)

    def refuse() -> psycopg.Connection[tuple[object, ...]]:
        raise psycopg.OperationalError("the door is closed")

    with monkeypatch.context() as patch:
        patch.setattr(session, "TROUBLE", 0.0)
        patch.setattr(storage.db, "connect", refuse)
        storage.verify()
        break_session(storage)
        wait_until(lambda: storage.alive.session().trouble())
        with pytest.raises(StorageError, match=r"no session: .*the door is closed"):
            storage.verify()

    wait_until(lambda: storage.alive.session().holds(number))
    storage.verify()


def test_a_program_that_ends_without_a_close_ends_without_a_word(
    postgres: str, postgres_schema: str
) -> None:
    program = f"""
from hueycore.storage.postgres import PostgresStorage
from tests.storage.kit import born, worker

storage = PostgresStorage({postgres!r}, schema={postgres_schema!r})
born(storage)
worker(storage)
storage.workers()
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_worker_that_was_taken_for_dead_meanwhile_must_start_again(
    storage: PostgresStorage, open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = born(storage)
    number, other = worker(storage), open_()
    claim = one(storage, number)
    write(other, "delete from huey_worker where id = ?", number)

    break_session(storage)

    wait_until(lambda: storage.alive.session().lost == {number})
    with pytest.raises(StorageMoved, match=f"worker {number} was taken for dead"):
        storage.verify()
    with pytest.raises(StorageMoved, match="must start again"):
        storage.exchange(number, [], Want(1))
    storage.unregister(number)
    storage.verify()
    assert worker(storage) > number
    assert (claim.seq, state(storage, job)) == (job.seq, State.RUNNING)


def test_the_lock_is_waited_for_while_the_server_believes_in_the_old_session(
    storage: PostgresStorage, connect: Connect
) -> None:
    number = worker(storage)
    other = connect(autocommit=True)
    locks = (storage.db.worker_locks, number)
    break_session(storage)
    # Whoever gets it first: the point is a lock that is held when the session comes back.
    other.execute("select pg_advisory_lock(%s, %s)", locks)
    wait_until(lambda: not storage.alive.session().holds(number))
    assert take(storage, number) == []

    other.execute("select pg_advisory_unlock(%s, %s)", locks)

    wait_until(lambda: storage.alive.session().holds(number))


def test_all_go_on_when_the_server_has_restarted(postgres_server: Server) -> None:
    storage = PostgresStorage(postgres_server.dsn)
    try:
        job = born(storage)
        number = worker(storage)
        claim = one(storage, number)

        postgres_server.restart()

        wait_until(lambda: storage.alive.session().holds(number), deadline=5)
        assert is_alive(storage, number)
        assert recovered(storage) == []
        assert end(storage, number, claim).lost == []
        assert state(storage, job) is State.DONE
    finally:
        storage.close()


def test_a_session_gives_up_a_silent_host_after_half_a_minute(postgres_server: Server) -> None:
    """On the server's side too: by default it would wait for two hours."""
    storage = PostgresStorage(postgres_server.dsn)
    try:
        worker(storage)
        with storage.alive.session().using() as con:
            rows = con.execute(
                """
                select name, setting from pg_settings
                where name like 'tcp_keepalives%' or name = 'tcp_user_timeout'
                """
            ).fetchall()
            ours = con.pg.info.get_parameters()
        assert dict(rows) == {
            "tcp_keepalives_idle": "15",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": "30000",
        }
        assert (ours["keepalives_idle"], ours["tcp_user_timeout"]) == ("15", "30000")
    finally:
        storage.close()


def test_a_session_is_not_ended_for_being_idle(storage: PostgresStorage, connect: Connect) -> None:
    worker(storage)
    with storage.alive.session().using() as con:
        assert con.execute("show idle_session_timeout").fetchone() == ("0",)


# --- what had begun -------------------------------------------------------------------------------


def test_a_run_that_lasts_is_written_down_by_itself(storage: PostgresStorage, open_: Open) -> None:
    born(storage)
    number = worker(storage)
    claim = one(storage, number)
    assert open_().workers()[0].running == []

    storage.slots(number).start(3, claim.seq, claim.claim)

    other = open_()
    wait_until(lambda: other.workers()[0].running == [(3, claim.seq)], deadline=2)
    end(storage, number, claim)
    assert other.workers()[0].running == []


def test_an_exchange_writes_down_what_runs(storage: PostgresStorage, open_: Open) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    first, second = take(storage, number, 2)
    storage.slots(number).start(0, second.seq, second.claim)

    end(storage, number, first)

    assert open_().workers()[0].running == [(0, second.seq)]


def test_a_run_that_may_have_begun_is_uncounted_and_next_time_claimed_alone(
    storage: PostgresStorage, victim: Callable[..., tuple[Member, int, list[int]]]
) -> None:
    jobs = storage.enqueue([new(), new(), new()])
    member, _, seqs = victim(free=2, begun=0)
    member.kill()
    wait_until(lambda: recovered(storage) == seqs)
    assert [(row(storage, seq).attempt, row(storage, seq).crashes) for seq in seqs] == [(0, 0)] * 2

    number = worker(storage)
    assert [claim.seq for claim in take(storage, number, 8)] == seqs[:1]
    assert [claim.seq for claim in take(storage, number, 8)] == seqs[1:]
    assert [claim.seq for claim in take(storage, number, 8)] == [jobs[2].seq]


def test_a_suspect_that_dies_again_is_charged(
    storage: PostgresStorage, victim: Callable[..., tuple[Member, int, list[int]]]
) -> None:
    job = born(storage)
    for crashes in (0, 1, 2):
        member, _, seqs = victim(begun=0)
        member.kill()
        wait_until(lambda: recovered(storage) == [job.seq])
        assert seqs == [job.seq]
        assert row(storage, job).crashes == crashes


def test_a_run_that_a_failed_exchange_wrote_down_is_written_down_by_the_next(
    storage: PostgresStorage, open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    first, second = take(storage, number, 2)
    with monkeypatch.context() as patch:
        patch.setattr(alive, "LOOK", 1e6)  # the thread does not do it
        storage.slots(number).start(0, second.seq, second.claim)
        patch.setattr(storage.db, "_check_fork", fail)
        with pytest.raises(StorageError):
            end(storage, number, first)
        patch.undo()
        patch.setattr(alive, "LOOK", 1e6)
        end(storage, number, first)

        assert open_().workers()[0].running == [(0, second.seq)]


def test_nobody_waits_while_a_worker_connects(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, other = open_(), open_(timeout=0.5)
    connect = storage.db.connect

    def slow() -> psycopg.Connection[Any]:
        other.db.transact(lambda con: None)
        return connect()

    monkeypatch.setattr(storage.db, "connect", slow)

    assert worker(storage)


def test_who_runs_no_jobs_has_no_connection_for_exchanges(storage: PostgresStorage) -> None:
    storage.register(name="maintenance", kind="process", slots=0)
    assert storage.db._hot.connection is None

    worker(storage)
    assert storage.db._hot.connection is not None


def fail(*_: object) -> None:
    raise StorageError("no")


def test_what_runs_at_most_once_waits_in_no_group(storage: PostgresStorage) -> None:
    storage.enqueue([new("once", at_most_once=True) for _ in range(4)])
    number = worker(storage)

    claims = take(storage, number, 2, quick={"once": 100})

    assert len(claims) == 2, "one for each worker that is free"


def test_what_runs_at_most_once_counts_as_begun(
    storage: PostgresStorage, victim: Callable[..., tuple[Member, int, list[int]]]
) -> None:
    job = born(storage, at_most_once=True)
    member, _, _ = victim(begun=0)

    member.kill()

    wait_until(lambda: recovered(storage) == [job.seq])
    assert (state(storage, job), row(storage, job).reason) == (State.DEAD, "crashed")


# --- forks ----------------------------------------------------------------------------------------


def test_a_child_is_no_worker_and_has_a_session_of_its_own(storage: PostgresStorage) -> None:
    number, parent = worker(storage), backend(storage)
    born(storage)

    def child() -> list[object]:
        mine = worker(storage)
        return [mine, backend(storage) != parent, one(storage, mine).seq, recovered(storage)]

    other, own, seq, found = forked(child)

    assert (other != number, own, found) == (True, True, [])
    assert (backend(storage), is_alive(storage, number)) == (parent, True)
    assert wait_until(lambda: recovered(storage)) == [seq]


def test_a_child_that_lives_on_does_not_keep_its_parent_alive(
    storage: PostgresStorage, open_: Open
) -> None:
    def parent() -> list[int]:
        """Registers, forks, and is killed while its child goes on."""
        opened = open_()
        number = worker(opened)
        return [number, fork(lambda: time.sleep(20))[0]]

    number, grandchild = forked(parent)

    try:
        wait_until(lambda: not is_alive(storage, number), deadline=2)
    finally:
        os.kill(grandchild, 9)


def test_a_child_closes_its_parents_connections_without_a_word(storage: PostgresStorage) -> None:
    born(storage)
    number, parent = worker(storage), backend(storage)

    assert forked(lambda: storage.close() or "closed") == "closed"

    assert (backend(storage), is_alive(storage, number)) == (parent, True)
    assert one(storage, number).seq == 1


def test_a_process_that_closes_is_no_worker_any_more(storage: PostgresStorage, open_: Open) -> None:
    other = open_()
    number = worker(other)

    other.close()

    wait_until(lambda: not is_alive(storage, number), deadline=2)

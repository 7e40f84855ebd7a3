"""A commit whose answer is lost on the way: it was carried out, or not, and nobody knows. And one
that was answered, and is gone after a crash of the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from hueycore.exceptions import StorageError
from hueycore.model.endings import Dead, Ending, Released, Retry, Snoozed
from hueycore.model.jobs import Selector, Want
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage
from hueycore.storage.postgres.connections import Link
from hueycore.storage.postgres.database import Database
from hueycore.storage.postgres.hot import Hot, _PlainPick
from hueycore.storage.postgres.statements import Connection, Cursor
from hueycore.storage.sql.exchange import Exchanges
from tests.helpers import wait_until
from tests.proxy import Proxy
from tests.storage.kit import (
    FAILURE,
    born,
    end,
    ended,
    new,
    one,
    pipeline,
    row,
    run,
    state,
    take,
    worker,
)
from tests.storage.postgres.conftest import Open
from tests.storage.sql.lab import write


class Wire:
    """Cuts the connection after a commit, or before it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def cut(self, *, after: bool, answered: int = 0) -> None:
        """At the next commit, or after so many that are ``answered``; all later ones are, too."""
        original, left = Database._commit, answered

        def commit(db: Database, link: Link, con: Connection, bell: str = "") -> Cursor:
            nonlocal left
            if left:
                left -= 1
                return original(db, link, con, bell)
            self._patch.setattr(Database, "_commit", original)
            if after:
                con.execute("commit")
            with psycopg.connect(db.dsn, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s)", (con.pg.info.backend_pid,))
            return original(db, link, con, bell)

        self._patch.setattr(Database, "_commit", commit)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The exchange takes the statements of every engine, whose commit is a message of its own."""
    monkeypatch.setattr(Hot, "_together", Exchanges._together)
    return Wire(monkeypatch)


@pytest.mark.parametrize("after", [True, False], ids=["carried out", "not"])
def test_claims_of_which_the_worker_has_not_heard_run_all_the_same(
    storage: PostgresStorage, wire: Wire, after: bool
) -> None:
    storage.enqueue([new() for _ in range(4)])
    number = worker(storage)
    first = one(storage, number)
    wire.cut(after=after)

    claims = take(storage, number, 8)

    assert [claim.seq for claim in claims] == [first.seq + n for n in (1, 2, 3)]
    assert {claim.attempt for claim in claims} == {1}
    answer = storage.exchange(number, [ended(claim) for claim in (first, *claims)], Want(1))
    assert answer.lost == []
    assert {job.state for job in storage.jobs(Selector())} == {State.DONE}


@pytest.mark.parametrize("after", [True, False], ids=["carried out", "not"])
def test_what_runs_at_most_once_runs_though_nobody_heard_of_its_claim(
    storage: PostgresStorage, wire: Wire, after: bool
) -> None:
    job = born(storage, at_most_once=True)
    number = worker(storage)
    wire.cut(after=after, answered=1)  # the first one has found that it must be synced

    claim = one(storage, number)

    assert (claim.seq, claim.attempt) == (job.seq, 1)
    assert end(storage, number, claim).lost == []
    assert state(storage, job) is State.DONE


def test_an_ending_that_a_crash_of_the_server_has_undone_leaves_no_job_behind(
    storage: PostgresStorage,
) -> None:
    """Its worker lives, and believes that it is written: it runs again, unless it must not."""
    again, never = born(storage), born(storage, at_most_once=True)
    number = worker(storage)
    claims = [one(storage, number) for _ in range(2)]
    for claim in claims:
        end(storage, number, claim)
    write(
        storage,
        "update huey_job set state = 'running', worker = ?, claimed_at = 1.0, finished_at = null,"
        " reason = null",
        number,
    )
    with psycopg.connect(storage.db.dsn, autocommit=True) as con:
        con.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'hueycore'"
        )

    def found() -> list[int]:
        return [claim.seq for claim in take(storage, number, 8)]

    assert wait_until(found) == [again.seq]
    assert row(storage, again).attempt == 1
    assert (row(storage, never).state, row(storage, never).reason) == (State.DEAD, "crashed")


@pytest.mark.parametrize("after", [True, False], ids=["carried out", "not"])
def test_endings_of_a_commit_without_an_answer_are_written_once(
    storage: PostgresStorage, wire: Wire, after: bool
) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    claim = one(storage, number)
    wire.cut(after=after)

    assert end(storage, number, claim).lost == []

    assert (state(storage, first), state(storage, second)) == (State.DONE, State.PENDING)
    assert sum(line.done for line in storage.metrics(0)) == 1, "counted once"
    run(storage, number)
    assert state(storage, second) is State.DONE


@pytest.mark.parametrize("after", [True, False], ids=["carried out", "not"])
@pytest.mark.parametrize(
    ("ending", "then"),
    [
        (Retry(None, 2, 0.0, FAILURE), State.PENDING),
        (Retry(2e9, 2, 0.0, FAILURE), State.SCHEDULED),
        (Snoozed(2e9), State.SCHEDULED),
        (Released(), State.PENDING),
        (Dead("failed", FAILURE), State.DEAD),
    ],
    ids=["retry", "later", "snoozed", "released", "dead"],
)
def test_a_run_that_did_not_return_has_not_lost_its_claim_by_a_commit_without_an_answer(
    storage: PostgresStorage, wire: Wire, ending: Ending, then: State, after: bool
) -> None:
    """Else its signals would say so, in place of what has become of the job."""
    job = born(storage)
    number = worker(storage)
    claim = one(storage, number)
    wire.cut(after=after)

    answer = end(storage, number, claim, ending, started=not isinstance(ending, Released))

    assert answer.lost == []
    found = row(storage, job)
    assert found.state is then
    assert len(found.errors) == (getattr(ending, "failure", None) is not None)


@pytest.mark.parametrize("after", [True, False], ids=["carried out", "not"])
def test_births_of_a_commit_without_an_answer_are_tried_again_and_there_once(
    storage: PostgresStorage, wire: Wire, after: bool
) -> None:
    born(storage)
    jobs = [new(id=f"mine-{n}") for n in range(3)]
    wire.cut(after=after)
    with pytest.raises(StorageError, match="did not answer a commit"):
        storage.enqueue(jobs)

    again = storage.enqueue(jobs)

    assert [one.fresh for one in again] == [not after] * 3
    assert [job.id for job in storage.jobs(Selector())][1:] == [job.id for job in jobs]


# --- the exchange of two messages -----------------------------------------------------------------


@pytest.fixture
def proxy(postgres: str) -> Iterator[Proxy]:
    with Proxy(postgres) as made:
        yield made


@pytest.fixture
def strike(
    proxy: Proxy, storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Has the next plain exchange that claims lose its connection between its two messages, or with
    the answer to the second one."""
    threads: list[threading.Thread] = []

    def kill(connection: psycopg.Connection[Any]) -> None:
        pid = connection.info.backend_pid
        gone = "select from pg_stat_activity where pid = %s"
        with psycopg.connect(storage.db.dsn, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", (pid,))
            wait_until(lambda: other.execute(gone, (pid,)).fetchone() is None)

    def lose_the_answer(connection: psycopg.Connection[Any]) -> None:
        before = storage.version()
        proxy.lose_answers()
        threads.append(threading.Thread(target=cut, args=(before,)))
        threads[-1].start()

    def cut(before: int) -> None:
        wait_until(lambda: storage.version() != before)
        proxy.cut()
        proxy.mend()

    def strike_once(how: str) -> None:
        original = _PlainPick.write

        def write(pick: _PlainPick, worker: int, since: float | None) -> Any:
            monkeypatch.setattr(_PlainPick, "write", original)
            (kill if how == "killed" else lose_the_answer)(pick.con.pg)  # type: ignore[attr-defined]
            return original(pick, worker, since)

        monkeypatch.setattr(_PlainPick, "write", write)

    yield strike_once
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("how", ["killed", "carried out"])
def test_a_plain_exchange_whose_connection_breaks_gives_and_ends_each_job_once(
    open_: Open,
    proxy: Proxy,
    strike: Callable[[str], None],
    how: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = open_(dsn=proxy.url)
    storage.enqueue([new() for _ in range(9)])
    number = worker(storage)
    claims = take(storage, number, 3)
    waiting, given = list(claims), [claim.seq for claim in claims]

    def work_off() -> bool:
        answer = storage.exchange(number, [ended(claim) for claim in waiting], Want(3))
        assert answer.lost == []
        given.extend(claim.seq for claim in answer.claims)
        waiting[:] = answer.claims
        return {job.state for job in storage.jobs(Selector())} == {State.DONE}

    strike(how)
    wait_until(work_off)

    jobs = storage.jobs(Selector())
    assert sorted(given) == [job.seq for job in jobs]
    assert {job.attempt for job in jobs} == {1}
    assert sum(line.done for line in storage.metrics(0)) == 9, "counted once"
    assert "psycopg" not in {record.name for record in caplog.records}


def test_a_lock_that_could_not_be_given_back_is_given_back_when_the_server_is_there_again(
    open_: Open, proxy: Proxy
) -> None:
    """Its holder lives: it would be held for ever."""
    storage, other = open_(dsn=proxy.url, timeout=0.2), open_()
    mine, theirs = worker(storage), worker(other)
    assert storage.lock("door", mine, b"mine")
    proxy.refuse()
    with pytest.raises(StorageError):
        storage.unlock("door", b"mine")
    proxy.mend()
    assert not other.lock("door", theirs, b"theirs")

    take(storage, mine)

    assert other.lock("door", theirs, b"theirs")

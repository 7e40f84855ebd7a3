"""A guest in the application's transaction: both commit or neither."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hueycore.exceptions import (
    ConfigurationError,
    DuplicateJob,
    QueueFull,
    StorageError,
    StorageReadOnly,
)
from hueycore.model.endings import Completed, Dead, Done, Retry
from hueycore.model.jobs import Ended, Selector, Want
from hueycore.model.limits import Limit
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.storage.conftest import Maker
from tests.storage.kit import FAILURE, born, ended, new, one, pipeline, row, state, worker
from tests.storage.lab import Lab

Connect = Callable[..., Any]


@pytest.fixture
def storage(make_shared: Maker) -> Storage:
    return make_shared()


@pytest.fixture
def lab(make_shared: Maker, storage: Storage) -> Lab:
    return make_shared.lab(storage)


@pytest.fixture
def connect(lab: Lab) -> Iterator[Connect]:
    """The application's own connections, and a table of its own."""
    if not lab.transactional:
        pytest.skip("this engine has no part in transactions of the application's")
    opened: list[Any] = []

    def open_one(**how: bool) -> Any:
        opened.append(lab.connect(**how))
        return opened[-1]

    open_one(autocommit=True).execute("create table account (name text, euros int)")
    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture(params=["implicit", "begun"])
def connection(request: pytest.FixtureRequest, connect: Connect) -> Any:
    """In a transaction if it is for the caller to begin one."""
    opened = connect(autocommit=request.param == "begun")
    if request.param == "begun":
        opened.execute("begin")
    return opened


@pytest.fixture
def accounts(connect: Connect) -> Callable[[], int]:
    """How many rows of the application's everybody else sees."""
    other = connect(autocommit=True)

    def count() -> int:
        return int(other.execute("select count(*) from account").fetchone()[0])

    return count


def pay(connection: Any) -> None:
    connection.execute("insert into account values ('ann', 5)")


def ids(storage: Storage) -> list[str]:
    return [job.id for job in storage.jobs(Selector())]


def test_who_has_no_part_in_transactions_refuses_the_connection(storage: Storage, lab: Lab) -> None:
    connection = lab.connect()
    try:
        if lab.transactional:
            storage.on(connection)
            return
        with pytest.raises(ConfigurationError):
            storage.on(connection)
    finally:
        connection.close()


@pytest.mark.feature("transactional enqueue")
@pytest.mark.parametrize("job_first", [True, False], ids=["job first", "row first"])
def test_a_commit_brings_both(
    storage: Storage, connection: Any, accounts: Callable[[], int], job_first: bool
) -> None:
    guest = storage.on(connection)
    if not job_first:
        pay(connection)

    (answer,) = guest.enqueue([new(id="mine")])

    if job_first:
        pay(connection)
    assert (accounts(), ids(storage)) == (0, []), "nobody sees it before the commit"
    connection.execute("commit")
    assert (accounts(), ids(storage)) == (1, ["mine"])
    assert row(storage, answer).id == "mine"


def test_a_rollback_leaves_neither(
    storage: Storage, connection: Any, accounts: Callable[[], int]
) -> None:
    pay(connection)
    storage.on(connection).enqueue([new(), new()])

    connection.execute("rollback")

    assert (accounts(), ids(storage)) == (0, [])
    assert born(storage).fresh


def test_a_savepoint_of_the_applications_takes_its_jobs_back_alone(
    storage: Storage, connection: Any
) -> None:
    guest = storage.on(connection)
    guest.enqueue([new(id="stays")])
    connection.execute("savepoint mine")
    guest.enqueue([new(id="goes")])
    connection.execute("rollback to mine")
    connection.execute("commit")

    assert ids(storage) == ["stays"]


def test_autocommit_without_a_transaction_is_refused(storage: Storage, connect: Connect) -> None:
    connection = connect(autocommit=True)

    with pytest.raises(ConfigurationError, match="BEGIN one first"):
        storage.on(connection).enqueue([new()])

    assert ids(storage) == []


def test_a_guest_replaces_what_waits(storage: Storage, connection: Any) -> None:
    born(storage, id="old", unique_key="u", unique_until="end", payload=b"old")
    job = new(payload=b"new", unique_key="u", unique_until="end", on_conflict="replace")

    (answer,) = storage.on(connection).enqueue([job])
    connection.execute("commit")

    assert (answer.id, answer.fresh) == ("old", False)
    assert storage.payload(answer.seq) == b"new"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.usefixtures("connect")
def test_what_is_no_connection_is_refused(storage: Storage, lab: Lab) -> None:
    closed = lab.connect()
    closed.close()
    for wrong in (None, "queue", closed):
        with pytest.raises(ConfigurationError):
            storage.on(wrong)


def test_a_connection_that_only_reads_is_told_so(storage: Storage, connect: Connect) -> None:
    connection = connect(read_only=True)

    with pytest.raises(StorageReadOnly):
        storage.on(connection).enqueue([new()])


# --- when it fails --------------------------------------------------------------------------------


def test_a_refused_call_leaves_the_transaction_and_nothing_of_itself(
    storage: Storage, connect: Connect, accounts: Callable[[], int]
) -> None:
    born(storage, id="there", unique_key="k", unique_until="end")
    connection = connect()
    pay(connection)
    guest = storage.on(connection)
    duplicate = new(unique_key="k", unique_until="end", on_conflict="fail")

    with pytest.raises(DuplicateJob):
        guest.enqueue([new(), duplicate])
    with pytest.raises(StorageError):
        guest.enqueue([new(), new(retries=-1)])
    storage.max_pending = 1
    with pytest.raises(QueueFull):
        guest.enqueue([new()])

    connection.commit()
    assert (accounts(), ids(storage)) == (1, ["there"])


# --- ending a run ---------------------------------------------------------------------------------


def late(claim: Any, otherwise: Any) -> Ended:
    """What the worker says of a run that has ended itself."""
    return ended(claim, Completed(otherwise))


@pytest.mark.parametrize("otherwise", [Done(b"late"), Retry(None, 0, 0, FAILURE), Dead("failed")])
def test_what_the_application_committed_is_the_end(
    storage: Storage, connect: Connect, otherwise: Any
) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    claim = one(storage, number)
    connection = connect()
    pay(connection)

    assert storage.on(connection).end(ended(claim, Done(b"mine")))
    assert state(storage, first) is State.RUNNING
    connection.commit()

    assert state(storage, first) is State.DONE
    before = row(storage, first)
    assert storage.exchange(number, [late(claim, otherwise)], Want(0)).lost == []
    # Its value goes to what follows with the one or with the other.
    assert row(storage, first)._replace(delivered=0) == before._replace(delivered=0)
    assert state(storage, second) is State.PENDING
    found = storage.result(first.id, preserve=True)
    assert found is not None and found.result == b"mine"
    assert sum(metric.done for metric in storage.metrics(0)) == 1


@pytest.mark.parametrize(
    ("otherwise", "becomes"),
    [(Done(b"late"), State.DONE), (Dead("failed"), State.DEAD)],
)
def test_after_a_rollback_the_run_ends_as_it_ends(
    storage: Storage, connect: Connect, otherwise: Any, becomes: State
) -> None:
    first, second = pipeline(storage, 2)
    number = worker(storage)
    claim = one(storage, number)
    connection = connect()
    assert storage.on(connection).end(ended(claim, Done(b"mine")))
    connection.rollback()

    assert storage.exchange(number, [late(claim, otherwise)], Want(0)).lost == []

    assert state(storage, first) is becomes
    expected = State.PENDING if becomes is State.DONE else State.REVOKED
    assert state(storage, second) is expected


def test_a_run_whose_claim_was_lost_cannot_complete(storage: Storage, connect: Connect) -> None:
    job = born(storage)
    number = worker(storage)
    claim = one(storage, number)
    storage.unregister(number)
    connection = connect()

    assert not storage.on(connection).end(ended(claim, Done()))
    connection.rollback()
    assert storage.exchange(worker(storage), [late(claim, Done())], Want(0)).lost != []
    assert state(storage, job) is State.PENDING


def test_a_run_that_ends_in_the_applications_transaction_gives_its_slot_away(
    storage: Storage, connect: Connect
) -> None:
    storage.declare_limits([Limit("task", "k", 1)])
    number = worker(storage)
    _, second = storage.enqueue([new(key_name="k"), new(key_name="k")])
    claim = one(storage, number)
    connection = connect()

    assert storage.on(connection).end(ended(claim))
    assert state(storage, second) is State.BLOCKED
    connection.commit()
    assert storage.exchange(number, [late(claim, Done())], Want(0)).lost == []

    assert state(storage, second) is State.PENDING

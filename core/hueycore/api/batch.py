"""Calls that are stored together: in a batch, or in a transaction of the caller's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from hueycore.api.part import Part
from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import NewJob
from hueycore.model.plan import Plan
from hueycore.storage.protocol.guest import Guest
from hueycore.system import native
from hueycore.tasks.result import Result


class Calls(NamedTuple):
    """Jobs to be stored, the handles that their callers have already, and the plan by which the
    jobs depend on each other, if they do."""

    jobs: Sequence[NewJob]
    results: Sequence[Result[Any]]
    plan: Plan | None = None


class Batch:
    """Calls that are stored together: what ``with huey.batch() as batch`` gives."""

    def __init__(self) -> None:
        #: The handles so far, in the order of the calls.
        self.results: list[Result[Any]] = []
        self.open = True
        self._jobs: list[NewJob] = []
        self._plan: Plan | None = None
        self._lock = native.Lock()

    def __len__(self) -> int:
        return len(self.results)

    def _take(self, calls: Calls) -> bool:
        """False when the batch is over: a thread or coroutine that began inside outlived it."""
        with self._lock:
            if self.open:
                if calls.plan:
                    self._plan = (self._plan or Plan()).beside(calls.plan, len(self._jobs))
                self._jobs += calls.jobs
                self.results += calls.results
            return self.open

    def _close(self) -> Calls:
        with self._lock:
            self.open = False
            return Calls(self._jobs, self.results, self._plan)


class Transaction:
    """The caller's transaction, in the thread that opened it."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._thread = native.get_ident()
        self._open = True

    def _take(self, calls: Calls) -> bool:
        """Store the jobs in it; False when ``using`` was left. Raises ``ConfigurationError`` in
        another thread."""
        if not self._open:
            return False
        if self._thread != native.get_ident():
            raise ConfigurationError("huey.using() holds in the thread that entered it alone")
        stored = self._guest.enqueue(calls.jobs, calls.plan) if calls.jobs else []
        for result, answer in zip(calls.results, stored, strict=True):
            result.found(answer)
        return True

    def _close(self) -> None:
        self._open = False
        self._guest.ring()


#: The batches and transactions around the code that runs, innermost last, of all instances.
_enclosing: ContextVar[tuple[tuple[Part, Batch | Transaction], ...]] = ContextVar(
    "huey_enclosing", default=()
)


def taken(part: Part, calls: Calls) -> bool:
    """Whether a batch or a transaction around the caller took the jobs."""
    scopes = reversed(_enclosing.get())
    return any(owner is part and scope._take(calls) for owner, scope in scopes)


@contextmanager
def _enclosed(part: Part, scope: Batch | Transaction) -> Iterator[None]:
    before = _enclosing.get()
    _enclosing.set((*before, (part, scope)))
    try:
        yield
    finally:
        _enclosing.set(before)


class Batches(Part):
    """Part of ``Huey``: calls that are stored together, or together with the caller's rows."""

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Store every call inside in one transaction at the end; after an exception, none of them.

        The handles may be kept; until the end no job is behind them. An inner batch becomes part of
        the outer one when it ends. All of it is written while nobody else writes: for more than
        some ten thousand jobs use ``enqueue_many``.

        Raises at the end what ``enqueue`` raises."""
        batch = Batch()
        try:
            with _enclosed(self, batch):
                yield batch
        finally:
            calls = batch._close()
        if calls.jobs:
            self._producer.send(calls)

    @contextmanager
    def using(self, connection: Any) -> Iterator[None]:
        """Calls inside write their jobs on ``connection``, in the transaction that is open there:
        when you commit, your rows and the jobs are there, when you roll back, neither is. It never
        commits or rolls back for you. It is a ``sqlite3.Connection`` to the queue's own file, or a
        ``psycopg.Connection`` (also an ``AsyncConnection``, in the thread of its event loop) to
        the queue's own database.

        Nobody else can write to a file, and no consumer can claim, from the first call until your
        commit: keep it short. In PostgreSQL that is so only for jobs with a key, a unique key or
        stages. The job is as durable as your commit (``pragma synchronous``, or the server's
        ``synchronous_commit``). No ``enqueued`` signal is sent, as signals tell of what is
        committed. In other threads nothing changes. A queue in memory has no data to share: there
        the jobs are stored at once.

        Raises ``ConfigurationError`` for a connection to other data, here or at the first call, for
        a file that is only attached (two files are two commits), or in autocommit mode when nothing
        was begun."""
        guest = self.storage.on(connection)
        if not guest.shares:
            yield
            return
        transaction = Transaction(guest)
        try:
            with _enclosed(self, transaction):
                yield
        finally:
            transaction._close()

"""Where a call goes: to the queue at once, into a batch, or into a transaction of the caller's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore import signals as S
from hueycore.exceptions import ClaimLost, ConfigurationError
from hueycore.model.jobs import Ended, Enqueued, NewJob
from hueycore.model.plan import Plan
from hueycore.storage.base import Storage
from hueycore.storage.protocol.guest import Guest
from hueycore.system import native
from hueycore.tasks.result import Result

if TYPE_CHECKING:
    from hueycore.signals import Signal


class Parcel(NamedTuple):
    """Jobs on their way, the handles that their callers have already, and how the jobs hang
    together if they do."""

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

    def _take(self, parcel: Parcel) -> bool:
        """False when the batch is over: a thread or coroutine that began inside outlived it."""
        with self._lock:
            if self.open:
                if parcel.plan:
                    self._plan = (self._plan or Plan()).beside(parcel.plan, len(self._jobs))
                self._jobs += parcel.jobs
                self.results += parcel.results
            return self.open

    def _close(self) -> Parcel:
        with self._lock:
            self.open = False
            return Parcel(self._jobs, self.results, self._plan)


class Joined:
    """The caller's transaction, in the thread that opened it."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.thread = native.get_ident()
        self.open = True


#: The batches and transactions around the code that runs, innermost last, of all instances.
_around: ContextVar[tuple[tuple[Any, Batch | Joined], ...]] = ContextVar("huey_around", default=())


class Sending:
    """Part of ``Huey``."""

    signals: Signal
    _immediate: bool

    if TYPE_CHECKING:

        @property
        def storage(self) -> Storage: ...
        def _run_now(self, stored: Sequence[Enqueued]) -> None: ...

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Store every call inside in one transaction at the end; after an exception, none of them.

        The handles may be kept; until the end no job is behind them. An inner batch becomes part of
        the outer one when it ends. All of it is written while nobody else writes: for more than
        some ten thousand jobs use ``enqueue_many``.

        Raises at the end what ``enqueue`` raises."""
        batch = Batch()
        try:
            with self._inside(batch):
                yield batch
        finally:
            parcel = batch._close()
        if parcel.jobs:
            self._send(parcel)

    @contextmanager
    def using(self, connection: Any) -> Iterator[None]:
        """Calls inside write their jobs on ``connection``, a ``sqlite3.Connection`` to the queue's
        own file, in the transaction that is open there: when you commit, your rows and the jobs
        are there, when you roll back, neither is. It never commits or rolls back for you.

        Nobody else can write to the file, and no consumer can claim, from the first call until your
        commit: keep it short. The job is as durable as your commit (``pragma synchronous``). No
        ``enqueued`` signal is sent, as signals tell of what is committed. In other threads nothing
        changes. A queue in memory has no file to share: there the jobs are stored at once.

        Raises ``ConfigurationError`` for a connection to another file, one that has the queue only
        attached (two files are two commits), or one in autocommit mode when nothing was begun."""
        guest = self.storage.on(connection)
        if not guest.shares:
            yield
            return
        joined = Joined(guest)
        try:
            with self._inside(joined):
                yield
        finally:
            joined.open = False
            guest.ring()

    def complete_job(self, connection: Any, ended: Ended) -> None:
        """Write the ending of a run in the caller's transaction; see ``Task.complete_in``."""
        if not self.storage.on(connection).end(ended):
            claim = ended.claim
            raise ClaimLost(f"this run does not hold job {claim.seq} of {claim.task} any more")

    @contextmanager
    def _inside(self, one: Batch | Joined) -> Iterator[None]:
        before = _around.get()
        _around.set((*before, (self, one)))
        try:
            yield
        finally:
            _around.set(before)

    def _send(self, parcel: Parcel) -> None:
        """Store jobs, or hand them to what surrounds the call."""
        if not self._hand_over(parcel):
            self._store(parcel)

    def _store(self, parcel: Parcel) -> None:
        stored = self.storage.enqueue(parcel.jobs, parcel.plan) if parcel.jobs else []
        self._stored(parcel, stored)
        if self._immediate:
            self._run_now(stored)

    def _hand_over(self, parcel: Parcel) -> bool:
        """Whether a batch or a transaction of the caller's took the jobs."""
        for owner, one in reversed(_around.get()):
            if owner is not self or not one.open:
                continue
            if not isinstance(one, Batch):
                self._join(one, parcel)
                return True
            if one._take(parcel):
                return True
        return False

    def _join(self, joined: Joined, parcel: Parcel) -> None:
        if joined.thread != native.get_ident():
            raise ConfigurationError("huey.using() holds in the thread that entered it alone")
        stored = joined.guest.enqueue(parcel.jobs, parcel.plan) if parcel.jobs else []
        for result, answer in zip(parcel.results, stored, strict=True):
            result.found(answer)

    def _stored(self, parcel: Parcel, stored: Sequence[Enqueued]) -> None:
        """Jobs are in the queue: their handles learn of it, and whoever listens."""
        telling = self.signals.wanted(S.SIGNAL_ENQUEUED, S.SIGNAL_SCHEDULED)
        for result, answer in zip(parcel.results, stored, strict=True):
            result.found(answer)
            if telling and answer.fresh:
                self.signals.send(S.SIGNAL_ENQUEUED, result.task)
                if answer.state == "scheduled":
                    self.signals.send(S.SIGNAL_SCHEDULED, result.task)

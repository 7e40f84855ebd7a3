"""What the rules ask of a database, and the words in which one differs from another.

Statements are SQL that every engine understands, with ``?`` or ``:name`` for their values, and with
words of the ``Dialect`` where there is no such SQL. A truth value is compared with, or stored as, a
number; a ``bool`` among the values is a condition of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeVar

from hueycore.constants import MAX_WORKERS
from hueycore.model.jobs import Claim, Enqueued, NewJob
from hueycore.storage.protocol.workers import Slots

T = TypeVar("T")
Body = Callable[["Connection"], T]

#: The limit of a statement that has none.
UNLIMITED = 2**63 - 1
#: What reading a value raises that is not what it should be, or writing one that has no place.
NO_SUCH_VALUE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class Rows(Protocol):
    """What a statement brought."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Pages(Protocol):
    """Rows that are read as they are asked for."""

    def __iter__(self) -> Iterator[Any]: ...
    def close(self) -> None: ...


class Connection(Protocol):
    """A transaction, as the body that runs in it sees it."""

    @property
    def dialect(self) -> Dialect: ...
    @property
    def alone(self) -> bool:
        """Whether nobody else changes jobs of the queue until this transaction ends."""
        ...

    def be_alone(self) -> None:
        """From now on ``alone``."""
        ...

    def now(self) -> float:
        """The time (POSIX seconds) that all who share the data go by."""
        ...

    def execute(self, sql: str, parameters: Any = (), /) -> Rows: ...
    def ask(self, sql: str, parameters: Any = (), /) -> Rows:
        """As ``execute``, of what nobody waits for yet and no value can make fail: a server is told
        of it with the next statement, or with the commit. Its rows can be read any time later."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Rows: ...
    def pages(self, sql: str, parameters: Any = ()) -> Pages:
        """Like ``execute``, for what may be long and is rarely read to its end: close it."""
        ...

    def many_pages(self, sql: str, parameters: Iterable[Any], /) -> Iterator[Pages]:
        """``pages`` of one statement for each of the parameters: close them before the next."""
        ...


class Database(Protocol):
    """Transactions on the data."""

    def transact(self, body: Body[T], durable: bool = True, *, whole: bool = False) -> T:
        """Run ``body`` in one write transaction, alone in its queue, or with ``whole`` in all of
        them: all of it is committed, or nothing. A power cut cannot undo it if it is ``durable``.
        It may be run again, after all that it has written was taken back."""
        ...

    def commit(self, body: Body[T]) -> tuple[T, Callable[[], object]]:
        """As ``transact``, but alone only once the body asks for it (``Connection.be_alone``); and
        a power cut can undo it until the function that is answered was
        called and has returned, by everybody who will say that it is there to stay."""
        ...

    def read(self, body: Body[T], *, snapshot: bool = False) -> T:
        """Run ``body``, which only reads; with ``snapshot`` all its statements see the same
        moment. It must fetch all it wants before it returns."""
        ...

    def view(self) -> AbstractContextManager[Connection]:
        """What is there at this moment, until the end of the block, for who only reads. On a
        connection of its own: others read and write meanwhile."""
        ...

    def version(self) -> int:
        """See ``Results.version``."""
        ...

    def now(self) -> float:
        """See ``Connection.now``."""
        ...


class Dialect(Protocol):
    """The words of a database, and what each does in its own way.

    A statement that is asked often is put together once: by a function of the dialect, with
    ``functools.cache``."""

    def __hash__(self) -> int: ...
    @property
    def same(self) -> str:
        """Between two values: they are equal, or both null."""
        ...

    @property
    def differs(self) -> str:
        """The contrary of ``same``."""
        ...

    @property
    def greatest(self) -> str:
        """The function that tells the greatest of several values, none of which is null."""
        ...

    @property
    def adds_histograms(self) -> bool:
        """Whether ``added`` is a sum; else ``more`` has to be one."""
        ...

    def added(self, stored: str, more: str) -> str:
        """The histogram to be stored."""
        ...

    @property
    def rows_only(self) -> str:
        """After the name of a table: read its rows, and no index."""
        ...

    def unindexed(self, column: str) -> str:
        """A column whose condition is to choose no index."""
        ...

    def listed(self, values: Iterable[Any]) -> Any:
        """A list as one value, for ``among`` and ``each``."""
        ...

    def among(self, column: str, values: str = "?") -> str:
        """The condition that a column has one of the ``listed`` values."""
        ...

    def integer(self, value: str) -> str:
        """A column of ``values``, which holds whole numbers or nothing but nulls."""
        ...

    def each(self, name: str, kind: str = "text") -> str:
        """A table called ``name``, whose column ``value`` has the ``listed`` values ``?``, which
        are texts or of another ``kind``: ``bigint``."""
        ...

    def glob(self, column: str) -> str:
        """The condition that a text matches a ``pattern``."""
        ...

    def pattern(self, glob: str) -> str:
        """``*`` for any text, ``?`` for a character, ``[abc]`` for one of some, as ``glob`` takes
        it."""
        ...

    def contains(self, column: str) -> str:
        """The condition that a value, read as text, has ``?`` in it."""
        ...

    def of_last(self, column: str, key: str) -> str:
        """A field of the last object in a JSON list."""
        ...

    @property
    def put_off_at(self) -> str:
        """After a ``select`` of times: the moment of what was put off in ``:queue``."""
        ...

    def put_off(self, con: Connection, queue: str, keys: Iterable[str]) -> None:
        """Leave these keys to be settled to the next who is alone in the queue."""
        ...

    def take_up(self, con: Connection, queue: str) -> list[str]:
        """The keys that were put off, for the caller to settle."""
        ...

    def is_put_off(self, queue: str, key: str) -> str:
        """The condition that a key, by two columns, was put off."""
        ...

    @property
    def is_far(self) -> bool:
        """Whether an answer takes long enough to ask ahead what may be needed."""
        ...

    @property
    def sees_starts(self) -> bool:
        """Whether it is known of each run if it had begun when its process died."""
        ...

    @property
    def crashes(self) -> str:
        """Of a ``job``: how many of its runs have died with their process, or may have."""
        ...

    def completed(self, con: Connection, column: str, value: int) -> list[int]:
        """The jobs whose runs were ended in transactions of the application's own, and whose
        consequences the caller has to write now; of one ``worker``, or one ``seq``."""
        ...

    def others(self, con: Connection, worker: int, seqs: Iterable[int]) -> set[int]:
        """Those of the jobs that another worker runs. A claim may not say so: where a crash of
        the server undoes claims, the next worker has the same claim number."""
        ...

    def insert_jobs(
        self, con: Connection, queue: str, jobs: Sequence[NewJob], now: float
    ) -> list[Enqueued] | None:
        """Insert jobs that nobody knows, with their payloads; numbers follow their order. None, and
        nothing was inserted, if an id or a unique key is there already."""
        ...

    def numbers(self, con: Connection, count: int) -> Sequence[int]:
        """Give out ``count`` numbers for jobs, in their order. None is ever given twice, whatever
        is deleted."""
        ...

    def keep_numbers(self, con: Connection, seqs: Any) -> None:
        """Jobs of these ``listed`` numbers are about to be deleted."""
        ...

    def refuses(self, error: Exception) -> bool:
        """Whether an error of a body is about the values that it read or wrote: the same again
        would fail again, while others can be written."""
        ...

    def outlive(self, con: Connection) -> None:
        """Have the transaction wait for the disk where workers live on while a crash undoes what
        did not: without the row of a worker, a lock or a claim with a key the next one would have
        it too."""
        ...

    def record_events(self, con: Connection, on: bool) -> None:
        """From this commit on the moves of jobs are recorded in ``huey_event``, in the queues whose
        row says so; or no more."""
        ...

    def count_pending(self, con: Connection) -> None:
        """From this commit on ``huey_queue.pending`` follows the jobs, where it is not null."""
        ...


def places(slots: int) -> int:
    """Where a worker of so many slots notes what it starts: as many again for the spare workers
    that take the place of those that hang."""
    return max(1, slots, min(2 * slots, MAX_WORKERS))


class Registered(NamedTuple):
    """The row of a worker. ``boot_id`` and ``side`` say where its process, or its sign of life,
    is."""

    id: int
    queue: str
    name: str
    host: str
    pid: int
    boot_id: str
    kind: str
    slots: int
    state: str
    started_at: float
    side: int

    @property
    def places(self) -> int:
        return places(self.slots)


class Alive(Protocol):
    """Who lives. A process holds the number of each of its workers until it gives it back, or dies;
    beside it stands what the worker has started."""

    def place(self) -> tuple[str, int]:
        """``boot_id`` and ``side`` of a row that is written now."""
        ...

    def prepare(self) -> None:
        """Make what this process holds numbers with; before the transaction that takes one."""
        ...

    def numbers(self, con: Connection) -> Iterable[int]:
        """Numbers that no row of a worker has, best first. Raises ``StorageError`` when none is."""
        ...

    def take(self, number: int) -> bool:
        """Hold a number. False when somebody holds it already."""
        ...

    def open_slots(self, number: int, count: int) -> None:
        """Make room for what a worker of this process starts."""
        ...

    def free(self, number: int) -> None:
        """Give a number back; its slots are closed, if it had some here."""
        ...

    def slots(self, number: int) -> Slots:
        """Where a worker of this process notes what it starts."""
        ...

    def holds(self, number: int) -> bool:
        """Whether a worker of this process holds its number. For a moment it may not, while it
        lives; then it claims nothing. Raises ``StorageMoved`` when it was taken for dead."""
        ...

    def living(self, con: Connection, workers: Sequence[Registered]) -> set[int]:
        """The numbers of those workers whose processes hold them at this moment."""
        ...

    def dead(self, con: Connection, worker: Registered) -> bool:
        """Whether a worker does not live and will not come back."""
        ...

    def bury(self, con: Connection, worker: Registered) -> bool:
        """Hold the number of a worker that is ``dead``, for the transaction that recovers it and
        until ``free``. False when it is not, or when somebody else does the same."""
        ...

    def process(self, worker: Registered) -> int | None:
        """The number of a worker's process, as it is seen from here; None when it is out of sight
        or dead."""
        ...

    def started(self, con: Connection, worker: Registered) -> Sequence[tuple[int, int, int]]:
        """(slot, seq, claim) of every run that a worker is known to have started and not ended."""
        ...

    def began(self, con: Connection, worker: Registered, claims: Sequence[Claim]) -> set[int]:
        """The numbers of those jobs whose runs count as started, of all that a dead worker had
        claimed. Of the others, those that may have been are marked as suspects."""
        ...

    def note(self, con: Connection, number: int) -> None:
        """Write down what a worker of this process has started, where its slots are not seen by
        others."""
        ...

    def noted(self, number: int) -> None:
        """The transaction that ``note`` was called in is committed."""
        ...

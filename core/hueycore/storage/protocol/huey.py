"""What Huey's documentation asks a storage for, under Huey's names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from hueycore.constants import EmptyData
from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import Changed, Job, ResultRow, Selector
from hueycore.model.states import State

#: Jobs that leave at once when a queue is emptied.
CHUNK = 1000

_JOBS = "storage.{}: a storage holds jobs here, not bytes; use huey.{}"


class HueyNames(Protocol):
    """Part of every storage, said with the verbs that it has anyway. A key is the id of a job,
    whose value is its result, or the name of a value of the application's own."""

    queue: str
    if TYPE_CHECKING:

        def count(self, selector: Selector) -> int: ...
        def jobs(self, selector: Selector) -> list[Job]: ...
        def payload(self, seq: int, *, queue: str | None = None) -> bytes | None: ...
        def revoke(self, selector: Selector) -> Changed: ...
        def purge(self, selector: Selector) -> int: ...
        def clear(self, kind: str, *, limit: int) -> int: ...
        def result(self, id: str, *, preserve: bool) -> ResultRow | None: ...
        def wait_for(self, id: str, timeout: float | None) -> bool: ...
        def result_count(self) -> int: ...
        def values(self) -> dict[str, bytes]: ...
        def put(self, name: str, value: bytes) -> None: ...
        def get(self, name: str, *, peek: bool) -> bytes | None: ...
        def delete(self, name: str) -> bool: ...
        def flush(self) -> None: ...

    @property
    def name(self) -> str:
        """``queue``, as Huey calls it."""
        return self.queue

    # --- jobs ---------------------------------------------------------------------------------

    def queue_size(self) -> int:
        """How many jobs are ready to run."""
        return self._in(State.PENDING)

    def schedule_size(self) -> int:
        """How many jobs wait for their time."""
        return self._in(State.SCHEDULED)

    def scheduled_count(self) -> int:
        """``schedule_size``, as articles about Huey call it."""
        return self._in(State.SCHEDULED)

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        """The serialized arguments of the jobs that are ready, in running order. (In Huey these
        bytes are the whole job.)"""
        return self._items(State.PENDING, "running-order", limit)

    def scheduled_items(self, limit: int | None = None) -> list[bytes]:
        """The same of those that wait for their time, soonest first."""
        return self._items(State.SCHEDULED, "run_at", limit)

    def flush_queue(self) -> None:
        """Delete the jobs that are ready, and those that wait for a key. What waits for them is
        revoked."""
        self._delete_waiting(State.PENDING, State.BLOCKED)

    def flush_schedule(self) -> None:
        """Delete the jobs that wait for their time. What waits for them is revoked."""
        self._delete_waiting(State.SCHEDULED)

    # --- results and values -------------------------------------------------------------------

    def result_store_size(self) -> int:
        """``result_count``, as Huey calls it."""
        return self.result_count()

    def result_items(self) -> dict[str, bytes]:
        """Unread results and stored values by their keys."""
        done = Selector(queues=(self.queue,), where=(("taken", "=", False),))
        found = {job.id: self.result(job.id, preserve=True) for job in self.jobs(done)}
        results = {id_: row.result for id_, row in found.items() if row and row.result is not None}
        return results | self.values()

    def has_data_for_key(self, key: str | bytes) -> bool:
        """Whether a key has a value."""
        return self.peek_data(key) is not EmptyData

    def put_data(self, key: str | bytes, value: bytes, is_result: bool = False) -> None:
        """Store a value, replacing what was there."""
        self.put(_text(key), value)

    def peek_data(self, key: str | bytes) -> Any:
        """The bytes of a key, the class ``EmptyData`` when there are none."""
        return self._data(key, stays=True)

    def peek_many(self, keys: Iterable[str | bytes]) -> dict[str | bytes, bytes]:
        """The bytes of those keys that have some."""
        found = {key: self.peek_data(key) for key in keys}
        return {key: value for key, value in found.items() if value is not EmptyData}

    def pop_data(self, key: str | bytes) -> Any:
        """``peek_data`` that takes the value."""
        return self._data(key, stays=False)

    def delete_data(self, key: str | bytes) -> bool:
        """Take a value; False when there was none."""
        return self.pop_data(key) is not EmptyData

    def delete_counter(self, key: str | bytes) -> None:
        """Begin to count from 0 again."""
        self.delete(_text(key))

    def wait_result(
        self,
        key: str | bytes,
        timeout: float | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
    ) -> bool:
        """Sleep until a job is final; False when ``timeout`` seconds passed first. Raises
        ``UnknownJob``."""
        return self.wait_for(_text(key), timeout)

    def flush_results(self) -> None:
        """Delete unread results and stored values. Locks and revocations stay."""
        for kind in ("results", "values"):
            while self.clear(kind, limit=CHUNK):
                pass

    def flush_counters(self) -> None:
        """Delete all counters."""
        while self.clear("counters", limit=CHUNK):
            pass

    def flush_all(self) -> None:
        """``flush``, as Huey calls it."""
        self.flush()

    def dequeue(self) -> NoReturn:
        """Huey's way to the bytes of a job. Raises ``ConfigurationError``."""
        raise ConfigurationError(_JOBS.format("dequeue", "dequeue() and huey.execute(task)"))

    def add_to_schedule(self, *_: Any, **__: Any) -> NoReturn:
        """Huey's way to schedule the bytes of a job. Raises ``ConfigurationError``."""
        raise ConfigurationError(_JOBS.format("add_to_schedule", "add_schedule(task)"))

    def read_schedule(self, *_: Any, **__: Any) -> NoReturn:
        """Huey's way to the bytes of what is due. Raises ``ConfigurationError``."""
        raise ConfigurationError(_JOBS.format("read_schedule", "read_schedule()"))

    def sql(
        self, query: str, params: Sequence[Any] = (), commit: bool = False, results: bool = False
    ) -> list[tuple[Any, ...]] | None:
        """One statement of your own, as in Huey, whose tables are not those here: its rows if
        ``results``; in a transaction of its own if it is to ``commit``. Raises ``StorageError``."""
        ...

    # --- inside -------------------------------------------------------------------------------

    def _in(self, state: State) -> int:
        return self.count(Selector(queues=(self.queue,), states=(state,)))

    def _items(self, state: State, sort: str, limit: int | None) -> list[bytes]:
        rows = self.jobs(Selector(queues=(self.queue,), states=(state,), sort=sort, limit=limit))
        return [data for data in (self.payload(row.seq) for row in rows) if data is not None]

    def _delete_waiting(self, *states: State) -> None:
        some = Selector(queues=(self.queue,), states=states, limit=CHUNK)
        while rows := self.jobs(some):
            these = some._replace(keys=tuple(row.id for row in rows))
            self.revoke(these)
            self.purge(these._replace(states=(State.REVOKED,)))

    def _data(self, key: str | bytes, *, stays: bool) -> Any:
        value = self.get(_text(key), peek=stays)
        if value is not None:
            return value
        row = self.result(_text(key), preserve=stays)
        return EmptyData if row is None or row.result is None else row.result


def _text(key: str | bytes) -> str:
    return key.decode() if isinstance(key, bytes) else key

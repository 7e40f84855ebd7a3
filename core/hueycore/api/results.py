"""Results by id, and values of the application's own beside them."""

from __future__ import annotations

from typing import Any

from hueycore.api.part import Part
from hueycore.calendar.durations import Seconds, seconds
from hueycore.canvas import Error
from hueycore.model.jobs import Selector
from hueycore.model.states import FINAL, State
from hueycore.tasks.result import Result


class Results(Part):
    """Part of ``Huey``: results, values and counters."""

    def result(
        self,
        id: str,
        blocking: bool = False,
        timeout: float | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
        revoke_on_timeout: bool = False,
        preserve: bool = False,
    ) -> Any:
        """The value of a job by id; see ``Result.get``."""
        handle: Result[Any] = Result(self._huey, id)
        return handle.get(blocking, timeout, backoff, max_delay, revoke_on_timeout, preserve)

    def put(self, key: str, data: Any) -> None:
        """Store a value of your own under a key."""
        self.storage.put(key, self.serializer.serialize(data))

    def put_if_empty(self, key: str, data: Any, ttl: Seconds | None = None) -> bool:
        """Store a value unless the key has one; False if it has. Atomic. ``ttl`` seconds later it
        is gone."""
        return self.storage.put_if_empty(key, self.serializer.serialize(data), seconds(ttl))

    def get(self, key: str, peek: bool = False) -> Any:
        """The value of a key, None when there is none; removed unless ``peek``, as in Huey."""
        value = self.storage.get(key, peek=peek)
        return None if value is None else self.serializer.deserialize(value)

    def delete(self, key: str) -> bool:
        """Remove a value or counter; False when there was none."""
        return self.storage.delete(key)

    def incr(self, key: str, amount: int = 1) -> int:
        """Add to a counter, which begins at 0; returns its new value. Atomic."""
        return self.storage.incr(key, amount)

    def result_count(self) -> int:
        """Unread results and stored values."""
        return self.storage.result_count()

    def all_results(self) -> dict[str, Any]:
        """The values of the jobs that are over and whose result nobody has read, by id; of those
        that did not end well an ``Error``. They stay unread."""
        over = Selector(queues=(self.name,), states=FINAL, where=(("taken", "=", False),))
        found = {}
        for job in self.storage.jobs(over):
            row = self.storage.result(job.id, preserve=True)
            if row is not None and row.result is not None:
                value = self.serializer.deserialize(row.result)
                found[job.id] = value if job.state is State.DONE else Error(value)
        return found

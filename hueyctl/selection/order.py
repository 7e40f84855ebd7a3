"""Orders of jobs that no storage knows: by what is derived from a row, or lies inside a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl import errors
from hueyctl.answers import jobs, parts

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage

#: Columns as they are headed, and those that are another one to a storage.
_SHORT = {
    "#": "running-order", "position": "running-order", "pri": "priority", "try": "attempt",
    "tries": "attempt", "age": "enqueued_at", "in": "run_at", "args": "preview",
    "died": "finished_at", "enqueued": "enqueued_at", "started": "started_at",
    "finished": "finished_at", "expires": "expires_at", "key": "key_name", "wait": "wait_s",
    "run": "run_s",
}  # fmt: skip
_DERIVED: dict[str, Callable[[Job], Any]] = {
    "wait_s": lambda job: jobs.wait_s(job, time.time()),
    "run_s": lambda job: jobs.run_s(job, time.time()),
    "error": lambda job: jobs.error_text(job.errors[-1]) if job.errors else None,
}
#: What may be said, besides what lies inside a job.
WORDS = (*jobs.COLUMNS, *filter(str.isalpha, _SHORT), *_DERIVED, "running-order")


#: Jobs whose arguments are read at once.
_GROUP = 100


class Order(NamedTuple):
    """By ``column`` or ``path``, the largest first when it is ``down``."""

    column: str
    path: tuple[str, ...] | None
    down: bool

    def sorted(self, storage: Storage, found: Iterable[Job]) -> list[Job]:
        """All jobs are read: what is missing comes first, as in a storage."""
        rows = list(found)
        values = self._values(storage, rows)

        def key(job: Job) -> tuple[int, Any, int]:
            value = values[job.queue, job.seq]
            if value is None:
                return 0, 0, job.seq
            if isinstance(value, (int, float)):
                return 1, value, job.seq
            return 2, parts.text_of(value), job.seq

        return sorted(rows, key=key, reverse=self.down)

    def _values(self, storage: Storage, found: list[Job]) -> dict[tuple[str, int], Any]:
        """What the jobs are sorted by, by queue and number."""
        if self.path is None:
            return {(job.queue, job.seq): _DERIVED[self.column](job) for job in found}
        values: dict[tuple[str, int], Any] = {}
        for start in range(0, len(found), _GROUP):
            group = found[start : start + _GROUP]
            for job, value in zip(group, parts.read_parts(storage, group, self.path), strict=True):
                values[job.queue, job.seq] = value
        return values


def order_of(text: str) -> str | Order:
    """What ``--sort`` says: an order of the storage, or one of ours. Raises ``CliError``."""
    given = text.removeprefix("-")
    path = parts.path_of(given)
    name = given.lower().replace("-", "_")
    name = "running-order" if given == "running-order" else _SHORT.get(name, name)
    if path is not None or name in _DERIVED:
        return Order(name, path, text.startswith("-"))
    if name == "running-order" and not text.startswith("-"):
        return name
    if name not in jobs.COLUMNS and name != "preview":
        known = ", ".join((*jobs.COLUMNS, "args", *_DERIVED, "kwargs.NAME", "error.type"))
        raise errors.usage(f"cannot sort by {text!r}", f"columns are {known}, or running-order")
    # The oldest have the smallest times, but the largest ages.
    backwards = text.startswith("-") != (given.lower() == "age")
    return f"-{name}" if backwards else name

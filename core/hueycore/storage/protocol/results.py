"""For those who ask what became of a job, and for values and counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hueycore.model.jobs import ResultRow


class Results(Protocol):
    """Results of jobs, key/value data, counters."""

    def result(self, id: str, *, preserve: bool) -> ResultRow | None:
        """The state and result of a job, None when there is no such job. Unless ``preserve``, the
        bytes are handed out once; what a waiting job still needs stays stored."""
        ...

    def wait_for(self, id: str, timeout: float | None) -> bool:
        """Sleep until the job is final; False when ``timeout`` seconds passed first.

        Raises ``UnknownJob``."""
        ...

    def version(self) -> int:
        """A number that is another one whenever somebody has committed. It is cheap to ask."""
        ...

    def over(self, ids: Sequence[str]) -> list[str]:
        """Those of these jobs that are final, or of which there is no row."""
        ...

    def put(self, name: str, value: bytes) -> None:
        """Store a value under a name, replacing what was there."""
        ...

    def put_if_empty(self, name: str, value: bytes, ttl: float | None = None) -> bool:
        """Store a value unless the name has one; it leaves after ``ttl`` seconds."""
        ...

    def get(self, name: str, *, peek: bool) -> bytes | None:
        """The value of a name, None when there is none; unless ``peek`` it is removed."""
        ...

    def values(self) -> dict[str, bytes]:
        """Every value that is stored, by its name."""
        ...

    def delete(self, name: str) -> bool:
        """Remove a value or a counter; False when there was none."""
        ...

    def incr(self, name: str, amount: int = 1) -> int:
        """Add to a counter, which begins at 0; returns its new value."""
        ...

    def result_count(self) -> int:
        """Unread results and stored values."""
        ...

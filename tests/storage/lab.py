"""What the suites need of an engine beside the protocol: to look at what is stored, and to break it
on purpose. Tests ask the storage itself wherever it can answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from hueycore.model.jobs import Recovered
from hueycore.system.native import Lock
from tests.storage.watch import Move

#: What is stored beside jobs, payloads and results: error handlers, inputs that came along, log
#: lines, what is known of a key, which worker declares which schedule, standing orders.
Kind = Literal["handlers", "inputs", "lines", "keys", "declarations", "flags"]


class Lab(Protocol):
    """Everything that is stored where one storage is, of all its queues."""

    @property
    def kept_lines(self) -> int:
        """How many log lines a job keeps."""
        ...

    @property
    def batch(self) -> int:
        """How many jobs of a key one transaction moves at most."""
        ...

    @property
    def transactional(self) -> bool:
        """Whether jobs can be born, and runs end, in a transaction of the application's."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the storage has been closed."""
        ...

    def connect(self, *, autocommit: bool = False, read_only: bool = False) -> Any:
        """A connection of an application's own to where the storage is, which its user closes.
        Where an application has transactions: it begins one by itself, but for ``autocommit``;
        ``execute``, ``commit`` and ``rollback`` are the driver's."""
        ...

    # --- looking -----------------------------------------------------------------------------
    def commits(self) -> int:
        """How many transactions this storage has committed."""
        ...

    def snapshot(self) -> Any:
        """All that is stored, to be compared with another snapshot, but for what the clock or the
        machine has told."""
        ...

    def raw(self) -> bytes:
        """All that is stored, as near to its bytes as can be seen."""
        ...

    def violations(self) -> list[str]:
        """What is false of the rows and must be true at every moment."""
        ...

    def count(self, kind: Kind) -> int: ...
    def payloads(self) -> dict[int, bytes]:
        """By number of the job, whether there is such a job or not."""
        ...

    def results(self) -> dict[int, bytes]:
        """By number of the job, also those that were read and that a later stage needs."""
        ...

    def pending(self) -> int:
        """How many pending jobs a limit of the queue is held against, without counting them."""
        ...

    def watch(self) -> None:
        """Write down every move of every job from now on."""
        ...

    def moves(self, after: int = 0) -> list[Move]:
        """What happened since move number ``after``, in order."""
        ...

    # --- breaking ----------------------------------------------------------------------------
    def set(self, *seqs: int, **columns: Any) -> None:
        """Change jobs behind the storage's back; the columns are those of ``Job``."""
        ...

    def set_payload(self, seq: int, payload: bytes | None) -> None:
        """Give a job a payload, or take it away."""
        ...

    def lift_checks(self) -> None:
        """From now on a row may have values that no release writes."""
        ...

    def spoil_figures(self) -> None:
        """What was counted of durations cannot be read any more."""
        ...

    def spoil_handlers(self) -> None:
        """No error handler can be read any more."""
        ...

    def renumber(self, seq: int, to: int) -> None:
        """A job has another number, as after a restored backup."""
        ...

    def age_events(self, seconds: float, *, first: int | None = None) -> None:
        """The ``first`` events, or all of them, happened so much earlier."""
        ...

    @property
    def reading(self) -> Lock:
        """Held while this storage looks at something."""
        ...

    @property
    def writing(self) -> Lock:
        """Held while this storage changes something."""
        ...

    # --- accidents ---------------------------------------------------------------------------
    def kill(self, worker: int) -> None:
        """The process of a worker is dead, and nobody has noticed yet. Of shared storages only."""
        ...

    def bury(self, worker: int) -> list[Recovered]:
        """The process of a worker is dead, and a janitor recovers its jobs."""
        ...

    def take_for_dead(self, worker: int) -> None:
        """A janitor recovered the jobs of a worker whose process lives, and sees it by now."""
        ...

    def after_a_look(self, action: Callable[[], object]) -> AbstractContextManager[None]:
        """Somebody does this once, between the first look of what is called inside and whatever
        follows from that look."""
        ...

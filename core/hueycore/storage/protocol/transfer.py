"""For jobs that leave one storage and come into another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Cargo, Job, JobRef, Loaded, Selector
from hueycore.model.records import Record


class Mark(NamedTuple):
    """How far the load of a dump has come. ``text`` None: it is over, and forgotten."""

    dump: str
    text: str | None


class Transfer(Protocol):
    """Jobs with everything they have, and what their queues have besides."""

    def export(self, selector: Selector) -> list[Cargo]:
        """The selected jobs with payload, result, log lines and what their parents gave them, in
        the order of their numbers, each for itself. Page through them with ``limit`` and
        ``after``."""
        ...

    def dump(
        self, selector: Selector, *, records: bool = False
    ) -> Iterator[Sequence[Cargo | Record]]:
        """All of it as it is at one moment, page by page, while others write: first the
        ``records`` of the queues, if they are asked for, then the selected jobs. Jobs that hang
        together come in one page, one after the other, where the first of them stands in the order
        of the numbers; everything else is of a bounded size.

        Whoever does not read to the end closes it (``close``): until then what others replace or
        delete takes room."""
        ...

    def load(
        self,
        cargo: Sequence[Cargo],
        *,
        if_exists: str = "keep",
        pending: bool = False,
        mark: Mark | None = None,
    ) -> list[Loaded]:
        """Bring jobs in, all of them or none, each in the queue that it names. An id that exists is
        kept (``keep``), replaced unless it runs or a later stage waits for it (``replace``), or
        refused (``fail``). The jobs of a ``group`` come whole: if one of them cannot, none does.

        ``pending``: they are to run, whatever state they come in; else a running job comes in as
        pending, or revoked if it was asked to stop, everything else as it was; a pending job of a
        key waits its turn. Edges stay within a group and are cut elsewhere: a stage brings along
        what its parents gave it, and one that did not get all of it ends revoked. Outcomes:
        ``loaded``, ``exists``, and ``duplicate`` for a job that would wait beside another of its
        unique key; a stage waits beside it, unique no more. The ``mark`` is set with the jobs."""
        ...

    def load_records(self, records: Sequence[Record], *, if_exists: str = "keep") -> list[str]:
        """Bring in what queues have besides jobs, all of it or nothing. What has the same name is
        kept, replaced or refused; a queue that is not paused takes over a pause in any case.
        Outcomes, in order: ``loaded``, ``exists``; ``left`` for what is over, and for locks."""
        ...

    def mark(self, dump: str) -> str | None:
        """The text of the mark that a load of this dump has set, until ``flush``."""
        ...

    def refuses(self, error: StorageError) -> bool:
        """Whether an error of ``load`` is about a value: others can be written."""
        ...

    def discard(
        self, jobs: Sequence[Job], *, waiting: bool = False, reason: str | None = None
    ) -> list[JobRef]:
        """Delete final jobs that are still as they were seen, unless a waiting job needs them;
        counted in the queue row. A job that has run again since then stays. ``reason`` is for the
        event log.

        ``waiting``: jobs that wait are deleted as well, with all of ``jobs`` that hang together
        with them; none of these goes while one of them stays. Times may be off by a microsecond, as
        a file has them."""
        ...

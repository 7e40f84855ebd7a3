"""For jobs that leave one storage and come into another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Cargo, Job, JobRef, Loaded, Selector


class Transfer(Protocol):
    """Jobs with everything they have."""

    def export(self, selector: Selector) -> list[Cargo]:
        """The selected jobs with payload, result and what their parents gave them, in the order of
        their numbers. Page through them with ``limit`` and ``after``."""
        ...

    def load(
        self, cargo: Sequence[Cargo], *, if_exists: str = "keep", pending: bool = False
    ) -> list[Loaded]:
        """Bring jobs in, all of them or none, each in the queue that it names. An id that exists is
        kept (``keep``), replaced unless it runs or a later stage waits for it (``replace``), or
        refused (``fail``).

        ``pending``: they are to run, whatever state they come in; else a running or blocked job
        comes in as pending, everything else as it was; a pending job of a key waits its turn. Edges
        stay behind: a stage brings along what its parents gave it, and one that did not get all of
        it ends revoked. Outcomes: ``loaded``, ``exists``, and ``duplicate`` for a job that would
        wait beside another of its unique key."""
        ...

    def refuses(self, error: StorageError) -> bool:
        """Whether an error of ``load`` is about a value: others can be written."""
        ...

    def discard(self, jobs: Sequence[Job]) -> list[JobRef]:
        """Delete final jobs that are still as they were seen, unless a waiting job needs them;
        counted in the queue row. A job that has run again since then stays."""
        ...

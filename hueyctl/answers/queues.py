"""The queues and consumers that a question is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hueyctl.answers.reason import shell_line

if TYPE_CHECKING:
    from hueycore.model.reports import QueueRow, WorkerRow
    from hueycore.storage.base import Storage


def chosen_queues(storage: Storage, queues: Sequence[str]) -> list[QueueRow]:
    """These queues, or all."""
    return [row for row in storage.queues() if not queues or row.queue in queues]


def is_paused(row: QueueRow, now: float) -> bool:
    """Whether a queue is paused, and not only until a time that is over."""
    until = row.paused_until
    return row.paused_at is not None and (until is None or until > now)


def chosen_consumers(storage: Storage, queues: Sequence[str]) -> list[WorkerRow]:
    """The processes that run jobs of these queues, or of all; dead ones too."""
    return [
        row for row in storage.workers() if row.takes_jobs and (not queues or row.queue in queues)
    ]


def serves(row: WorkerRow, queue: str) -> bool:
    """Whether a consumer lives and takes jobs of this queue; not so one that only schedules.
    (Worker processes have slots of their own, their supervisor has none.)"""
    from hueycore.constants import WORKER_PROCESS

    works = bool(row.slots) or row.kind == WORKER_PROCESS
    return row.queue == queue and row.alive and row.takes_jobs and works


def unserved(storage: Storage, queues: Sequence[str]) -> list[str]:
    """Which of these queues, or of all, no living consumer takes jobs of."""
    rows = storage.workers()
    names = [row.queue for row in chosen_queues(storage, queues)]
    return [name for name in names if not any(serves(row, name) for row in rows)]


def command_on(storage: Storage, queue: str, *words: str) -> str:
    """A command line that changes one queue, which it names unless there is no other."""
    alone = [row.queue for row in storage.queues()] == [queue]
    return shell_line(*words, *(() if alone else ("--queue", queue)))

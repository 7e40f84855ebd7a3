"""What ``hueyctl doctor`` asks, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hueyctl.commands.doctor import files, jobs, machine, storage
from hueyctl.commands.doctor.findings import OK, PROBLEM, Note, from_error, skipped

if TYPE_CHECKING:
    from hueyctl.context import Session

Probe = Callable[["Session"], Iterator[Note]]


def examine(session: Session, *, full: bool) -> Iterator[Note]:
    """Ask everything, one after the other; what comes later may need what came before."""
    yield from _asked("versions", machine.versions, session)
    yield from _asked("config", machine.config_sources, session)
    opened = False
    for note in _asked("app", machine.application, session):
        yield note
        if note.status == PROBLEM and not session.settings.url:
            yield skipped("storage", "is where the application says")
            return
    for note in _asked("storage", storage.storage, session):
        opened = opened or (note.name == "storage" and note.status == OK)
        yield note
    if not opened:
        return
    yield from _asked("huey", storage.old_jobs, session)
    yield from _asked("durability", storage.fsync, session)
    yield from _asked("wal", storage.log, session)
    yield from _asked("integrity", lambda each: storage.integrity(each, full), session)
    yield from _asked("consumers", jobs.consumers, session)
    yield from _asked("tasks", jobs.unknown_tasks, session)
    yield from _asked("files", files.files, session)
    yield from _asked("clock", files.clock, session)


def _asked(name: str, probe: Probe, session: Session) -> Iterator[Note]:
    try:
        yield from probe(session)
    except Exception as error:
        yield from_error(name, error)

"""What ``hueyctl doctor`` asks, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hueycore.model.diagnosis import OK, PROBLEM, Diagnosis, skipped
from hueyctl.answers.checks import Note, from_error
from hueyctl.commands.doctor import jobs, machine, storage

if TYPE_CHECKING:
    from hueyctl.context import Session

#: What the engine is asked last.
_LATE = ("files", "clock")


def examine(session: Session, *, full: bool) -> Iterator[Note]:
    """Ask everything, one after the other; what comes later may need what came before."""
    yield from _asked("versions", machine.versions, session)
    # An application says where its queue is only when it is imported, which is timed.
    late = session.may_import and not session.settings.url
    if not late:
        yield from _asked("sqlite", machine.sqlite, session)
    yield from _asked("config", machine.config_sources, session)
    opened = False
    for note in _asked("app", machine.application, session):
        yield note
        if note.status == PROBLEM and not session.settings.url:
            yield Note.of(skipped("storage", "is where the application says"))
            return
    if late:
        yield from _asked("sqlite", machine.sqlite, session)
    for note in _asked("storage", storage.storage, session):
        opened = opened or (note.name == "storage" and note.status == OK)
        yield note
    if not opened:
        return
    yield from _asked("huey", storage.old_jobs, session)
    questions = session.looking().checkup()
    for name, question in questions.items():
        if name not in _LATE:
            yield from _asked(name, question)
    yield from _asked("integrity", storage.integrity, session, full)
    yield from _asked("consumers", jobs.consumers, session)
    yield from _asked("alarms", jobs.alarms, session)
    yield from _asked("tasks", jobs.unknown_tasks, session)
    for name in filter(questions.__contains__, _LATE):
        yield from _asked(name, questions[name])


def _asked(name: str, question: Callable[..., Iterable[Diagnosis]], *about: Any) -> Iterator[Note]:
    try:
        yield from map(Note.of, question(*about))
    except Exception as error:
        yield from_error(name, error)

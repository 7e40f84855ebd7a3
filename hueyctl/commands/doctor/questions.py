"""What ``hueyctl doctor`` asks, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from hueycore.model.diagnosis import OK, PROBLEM, Diagnosis, skipped
from hueyctl.answers.checks import Note, asked
from hueyctl.commands.doctor import jobs, machine, storage

if TYPE_CHECKING:
    from hueyctl.context import Session


def examine(session: Session, *, full: bool) -> Iterator[Note]:
    """Ask everything, one after the other; what comes later may need what came before."""

    def about(name: str, question: Callable[[Session], Iterable[Diagnosis]]) -> Iterator[Note]:
        return asked(name, lambda: question(session))

    yield from about("versions", machine.versions)
    # An application says where its queue is only when it is imported, which is timed.
    late = session.may_import and not session.settings.url
    if not late:
        yield from about("sqlite", machine.sqlite)
    yield from about("config", machine.config_sources)
    for note in about("app", machine.application):
        yield note
        if note.status == PROBLEM and not session.settings.url:
            yield Note.of(skipped("storage", "is where the application says"))
            return
    if late:
        yield from about("sqlite", machine.sqlite)
    sound = False
    for note in storage.health_of(session):
        sound = sound or (note.name == "storage" and note.status == OK)
        yield note
    if sound:
        yield from asked("integrity", lambda: storage.integrity(session, full))
        yield from about("tasks", jobs.unknown_tasks)

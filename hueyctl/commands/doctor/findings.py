"""What ``hueyctl doctor`` finds: words for findings, and the order of the questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl import errors, exits

if TYPE_CHECKING:
    from hueyctl.context import Session

OK, WARNING, PROBLEM, SKIPPED = "ok", "warning", "problem", "skipped"


class Note(NamedTuple):
    """The answer to one question. ``facts`` are for machines."""

    name: str
    status: str
    text: str
    hint: str | None = None
    facts: dict[str, Any] = {}  # noqa: RUF012  a NamedTuple default that nobody mutates
    code: int = exits.FAILURE

    def as_object(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "message": self.text,
            "hint": self.hint,
            "facts": self.facts,
        }


def ok(name: str, text: str, **facts: Any) -> Note:
    return Note(name, OK, text, None, facts)


def warning(name: str, text: str, hint: str | None = None, **facts: Any) -> Note:
    return Note(name, WARNING, text, hint, facts)


def problem(name: str, text: str, hint: str | None = None, **facts: Any) -> Note:
    return Note(name, PROBLEM, text, hint, facts)


def skipped(name: str, why: str) -> Note:
    return Note(name, SKIPPED, why)


def from_error(name: str, error: Exception) -> Note:
    """A question that could not be answered is an answer. Raises what is a bug of ours."""
    found = errors.explain(error)
    if found.bug:
        raise error
    code = exits.CONFIG if found.code == exits.CONFIG else exits.FAILURE
    return Note(name, PROBLEM, found.message, found.hint, code=code)


Probe = Callable[["Session"], Iterator[Note]]


def examine(session: Session, *, full: bool) -> Iterator[Note]:
    """Ask everything, one after the other; what comes later may need what came before."""
    from hueyctl.commands.doctor import machine, storage

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
    yield from _asked("durability", storage.fsync, session)
    yield from _asked("wal", storage.log, session)
    yield from _asked("integrity", lambda each: storage.integrity(each, full), session)
    yield from _asked("consumers", storage.consumers, session)
    yield from _asked("tasks", storage.unknown_tasks, session)
    yield from _asked("files", storage.files, session)
    yield from _asked("clock", storage.clock, session)


def _asked(name: str, probe: Probe, session: Session) -> Iterator[Note]:
    try:
        yield from probe(session)
    except Exception as error:
        yield from_error(name, error)

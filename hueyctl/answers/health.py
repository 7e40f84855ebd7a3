"""What can be asked of a storage alone: how safe it is, who serves it, what is in the way. It only
looks, and quickly: ``hueyctl doctor`` reads the whole file as well, and asks the machine and the
application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from hueycore.model.diagnosis import Diagnosis, ok, problem, warning
from hueyctl.answers.alarms import COUNTED, CRITICAL, alarms
from hueyctl.answers.checks import Note, from_error
from hueyctl.answers.look import Look
from hueyctl.answers.queues import chosen_consumers

if TYPE_CHECKING:
    from hueycore.storage.base import Storage


def health(storage: Storage, queues: Sequence[str] = ()) -> list[Note]:
    """The answers in order; a question that cannot be answered is a problem."""
    questions: list[tuple[str, Callable[[], Iterable[Diagnosis]]]] = [
        *storage.checkup().items(),
        ("consumers", lambda: _consumers(storage, queues)),
        ("alarms", lambda: standing_alarms(storage, queues)),
    ]
    return [note for name, ask in questions for note in _asked(name, ask)]


def _asked(name: str, ask: Callable[[], Iterable[Diagnosis]]) -> Iterator[Note]:
    try:
        yield from map(Note.of, ask())
    except Exception as error:
        yield from_error(name, error)


def _consumers(storage: Storage, queues: Sequence[str]) -> Iterator[Diagnosis]:
    rows = chosen_consumers(storage, queues)
    dead = [row for row in rows if not row.alive]
    alive = sum(row.slots for row in rows if row.alive)
    if dead:
        names = ", ".join(f"{row.name} (pid {row.pid})" for row in dead)
        yield warning(
            "consumers",
            f"dead: {names}; their jobs wait to be taken back",
            "a living consumer does this by itself, and so does hueyctl doctor",
            dead=len(dead),
        )
        return
    text = f"{len(rows)} alive with {alive} workers" if rows else "none is running"
    yield ok("consumers", text, alive=len(rows), dead=0)


def standing_alarms(storage: Storage, queues: Sequence[str]) -> Iterator[Diagnosis]:
    """What ``status`` shows first, but for failures: they are of the work, not of the set-up."""
    found = alarms(Look(storage, queues, COUNTED), of_work=False)
    if not found:
        yield ok("alarms", "nothing is stuck, paused, revoked or left alone")
    for alarm in found:
        told = problem if alarm.level == CRITICAL else warning
        yield told("alarms", alarm.text, alarm.next, kind=alarm.kind, queue=alarm.queue)

"""What can be asked of a storage alone: where it is and how safe, who serves it, what is in the
way. These questions are quick; ``hueyctl doctor`` reads the whole file as well, and asks the
machine and the application."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from hueycore.model.diagnosis import OK, Diagnosis, of_old_jobs, ok, problem, warning
from hueyctl.answers.alarms import COUNTED, CRITICAL, alarms
from hueyctl.answers.checks import Note, asked
from hueyctl.answers.look import Look
from hueyctl.answers.queues import chosen_consumers

if TYPE_CHECKING:
    from hueycore.model.reports import WorkerRow
    from hueycore.storage.base import Storage
    from hueycore.storage.open import Location

    #: What is done for consumers that died.
    AboutDead = Callable[[Sequence[WorkerRow]], Diagnosis]


def health(
    where: Callable[[], Location],
    open_it: Callable[[], Storage],
    queues: Callable[[], Sequence[str]] = tuple,
    *,
    about_dead: AboutDead | None = None,
) -> Iterator[Note]:
    """The answers in order; a question that cannot be answered is a problem. A storage that cannot
    be opened is asked no more."""
    opened = False
    for note in asked("storage", lambda: _storage(where(), open_it)):
        opened = opened or note.status == OK
        yield note
    if not opened:
        return
    found = open_it()
    questions: dict[str, Callable[[], Iterable[Diagnosis]]] = {
        # An engine that looks for them elsewhere answers this itself.
        "huey": lambda: _old_jobs(found),
        **found.checkup(),
        "consumers": lambda: _consumers(found, queues(), about_dead or _left_alone),
        "alarms": lambda: _standing_alarms(found, queues()),
    }
    for name, question in questions.items():
        yield from asked(name, question)


def _storage(location: Location, open_it: Callable[[], Storage]) -> Iterator[Diagnosis]:
    from hueycore.storage.location import SqliteLocation, place

    lies = place(location) if isinstance(location, SqliteLocation) else None
    if lies and lies.is_network:
        yield problem(
            "storage",
            f"{lies.path} is on {lies.file_system}, a network file system: SQLite's locks do not "
            "hold there",
            "move the file to a local disk",
            file_system=lies.file_system,
        )
        return
    started = time.perf_counter()
    found = open_it()
    names = [row.queue for row in found.queues()]
    took = time.perf_counter() - started
    size, wal = found.size()
    said = ", ".join(names) or "none yet"
    more = f", file system {lies.file_system or 'unknown'}" if lies else ""
    yield ok(
        "storage",
        f"{lies.path if lies else location.name} answered in {took * 1000:.1f} ms: {size:,} bytes, "
        f"queues: {said}{more}",
        url=found.url,
        path=lies and lies.path,
        ping_s=round(took, 6),
        size_bytes=size,
        wal_bytes=wal,
        queues=names,
        file_system=(lies and lies.file_system) or None,
    )


def _old_jobs(storage: Storage) -> Iterator[Diagnosis]:
    """Jobs that Huey left in the same file run only once they are brought over."""
    file = storage.url.partition(":///")[2]
    for queue, number in storage.left_by_huey().items():
        yield of_old_jobs(queue, number, file)


def _consumers(
    storage: Storage, queues: Sequence[str], about_dead: AboutDead
) -> Iterator[Diagnosis]:
    rows = chosen_consumers(storage, queues)
    dead = [row for row in rows if not row.alive]
    living = [row for row in rows if row.alive]
    if not dead:
        workers = sum(row.slots for row in living)
        text = f"{len(living)} alive with {workers} workers" if living else "none is running"
        yield ok("consumers", text, alive=len(living), dead=0)
        return
    names = ", ".join(f"{row.name} (pid {row.pid})" for row in dead)
    found = about_dead(dead)
    yield found._replace(
        text=f"dead: {names}; {found.text}",
        hint=found.hint or (None if living else "a living consumer does this within a second"),
        facts={"alive": len(living), "dead": len(dead), **found.facts},
    )


def _left_alone(dead: Sequence[WorkerRow]) -> Diagnosis:
    return warning(
        "consumers",
        "their jobs wait to be taken back",
        "a living consumer does this by itself, and so does hueyctl doctor",
    )


def _standing_alarms(storage: Storage, queues: Sequence[str]) -> Iterator[Diagnosis]:
    """What ``status`` shows first, but for failures: they are of the work, not of the set-up."""
    found = alarms(Look(storage, queues, COUNTED), of_work=False)
    if not found:
        yield ok("alarms", "nothing is stuck, paused, revoked or left alone")
    for alarm in found:
        told = problem if alarm.level == CRITICAL else warning
        yield told("alarms", alarm.text, alarm.next, kind=alarm.kind, queue=alarm.queue)

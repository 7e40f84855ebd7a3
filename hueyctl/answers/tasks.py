"""The tasks of an application, with what the storage says of them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.answers.jobs import plain_number
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.model.schedules import Periodic
    from hueycore.registry import AnyTask
    from hueycore.storage.base import Storage


class Entry(NamedTuple):
    """A registered task."""

    task: str
    kind: str
    signature: str
    schedule: str | None
    tz: str | None
    retries: int
    retry_delay: float
    priority: float | None
    timeout: float | None
    revoked: bool
    paused: bool

    def as_object(self) -> dict[str, Any]:
        found = self._asdict()
        for name in ("retry_delay", "priority", "timeout"):
            if found[name] is not None:
                found[name] = plain_number(found[name])
        return found


class Unseen(NamedTuple):
    """A task that jobs name and the application does not register."""

    task: str
    queue: str
    jobs: int
    last: float

    def as_object(self) -> dict[str, Any]:
        return {**self._asdict(), "last": rfc3339(self.last)}


def entries(huey: Huey, storage: Storage | None, queue: str) -> list[Entry]:
    """Every registered task by name. Without a storage nothing is revoked, paused or scheduled by
    hand."""
    orders = storage.revocations() if storage is not None else []
    held = {(order.kind, order.name) for order in orders if order.queue == queue}
    rows = storage.periodic(whole=True) if storage is not None else []
    stored = [row for row in rows if row.queue == queue and row.origin == "stored"]
    found = []
    for name in huey.registry.names():
        wrapper = huey.registry.get(name)
        assert wrapper is not None
        found.append(_entry(wrapper, held, [row for row in stored if row.task == name]))
    return found


def _entry(wrapper: AnyTask, held: set[tuple[str, str]], stored: list[Periodic]) -> Entry:
    options = wrapper.options
    schedules = [(row.schedule, row.tz) for row in stored]
    if wrapper.schedule_when is not None:
        schedules.insert(0, (wrapper.schedule_when.expression, wrapper.schedule_when.tz))
    zones = {zone for _, zone in schedules}
    return Entry(
        task=wrapper.name,
        kind="periodic" if schedules else "task",
        signature=_signature(wrapper),
        schedule="; ".join(text for text, _ in schedules) or None,
        tz=zones.pop() if len(zones) == 1 else None,
        retries=options.retries,
        retry_delay=options.retry_delay,
        priority=options.priority,
        timeout=options.timeout,
        revoked=("revoked-task", wrapper.name) in held,
        paused=("paused-task", wrapper.name) in held,
    )


def _signature(wrapper: AnyTask) -> str:
    try:
        return str(inspect.signature(wrapper.func))
    except (TypeError, ValueError):  # a function of C that does not tell
        return "(...)"


def unseen(huey: Huey, storage: Storage | None, queue: str) -> list[Unseen]:
    """What the queue has jobs of, but the application no task."""
    if storage is None:
        return []
    known = set(huey.registry.names())
    return [
        Unseen(one.task, one.queue, one.jobs, one.last)
        for one in storage.tasks_seen()
        if one.queue == queue and one.task not in known
    ]

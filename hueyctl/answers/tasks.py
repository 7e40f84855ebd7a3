"""The tasks of an application, with what the storage says of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.model.limits import Limit
from hueyctl.answers.jobs import plain_number
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.model.limits import Rate
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
    #: How its jobs are held back, within their key; the key is None when it depends on the call.
    max_concurrent: int | None
    rate: str | None
    key: str | None
    #: Who holds an outside lock of the key.
    locked_by: str | None

    @property
    def key_text(self) -> str | None:
        held_back = self.max_concurrent is not None or self.rate is not None
        return self.key or ("per call" if held_back else None)

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
    locks = storage.locks() if storage is not None else []
    holders = {lock.name: lock.holder for lock in locks if lock.queue == queue}
    found = []
    for name in huey.registry.names():
        wrapper = huey.registry.get(name)
        assert wrapper is not None
        own = [row for row in stored if row.task == name]
        found.append(_entry(wrapper, held, own, holders))
    return found


def _entry(
    wrapper: AnyTask,
    held: set[tuple[str, str]],
    stored: list[Periodic],
    holders: Mapping[str, str],
) -> Entry:
    options = wrapper.options
    schedules = [(row.schedule, row.tz) for row in stored]
    if wrapper.schedule_when is not None:
        schedules.insert(0, (wrapper.schedule_when.expression, wrapper.schedule_when.tz))
    limit = options.limit.for_task(wrapper.name) if options.limit else Limit(wrapper.name, None)
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
        max_concurrent=limit.at_once,
        rate=None if limit.rate is None else rate_text(limit.rate),
        key=limit.key,
        locked_by=holders.get(limit.key or ""),
    )


def rate_text(rate: Rate) -> str:
    """As it is written in an application: ``10/s``, ``100/30m``."""
    for unit, seconds in (("d", 86_400), ("h", 3600), ("m", 60)):
        if rate.per % seconds == 0:
            times = rate.per / seconds
            return f"{rate.limit}/{'' if times == 1 else f'{times:g}'}{unit}"
    return f"{rate.limit}/{'' if rate.per == 1 else f'{rate.per:g}'}s"


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

"""Schedules: what consumers declare, what people store, and the fire that happens once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hueycore.model.documents import parsed
from hueycore.model.schedules import Coming, Fire, Periodic
from hueycore.storage.protocol import schedules as protocol
from hueycore.storage.redis.births import to_row
from hueycore.storage.redis.enqueue import refuse
from hueycore.storage.redis.errors import Refused
from hueycore.storage.redis.messagepack import unpack
from hueycore.storage.redis.part import Part

#: In the order in which they are packed.
_FIELDS = (
    "name", "task", "schedule", "tz", "next_run", "last_run", "last_id", "catch_up", "grace",
    "paused_at", "paused_by", "pause_reason", "payload", "preview", "options", "origin",
)  # fmt: skip
_REALS = ("next_run", "last_run", "grace", "paused_at")


class Schedules(Part, protocol.Schedules):
    def declare_periodic(self, schedules: Sequence[Periodic], worker: int | None = None) -> None:
        self.list_queue()
        arg = {
            "schedules": [to_schedule(one) for one in schedules],
            "worker": worker,
            "serializer": self.serializer,
        }
        self.run("declare", arg, *(one.payload for one in schedules), durable=True)

    def schedule_periodic(self, one: Periodic) -> bool:
        self.list_queue()
        schedule = to_schedule(one._replace(origin="stored"))
        arg = {"schedule": schedule, "serializer": self.serializer}
        return bool(self.operate("schedule", arg, one.payload))

    def remove_periodic(self, name: str) -> bool:
        return bool(self._steer("unschedule", [name]))

    def pause_periodic(
        self, names: Sequence[str], *, by: str | None = None, reason: str | None = None
    ) -> list[str]:
        return self._steer("pause", names, by=by, reason=reason)

    def resume_periodic(self, names: Sequence[str]) -> list[str]:
        return self._steer("resume", names)

    def _steer(self, verb: str, names: Sequence[str], **more: str | None) -> list[str]:
        arg = {"verb": verb, "names": list(dict.fromkeys(names)), **more}
        return [name.decode() for name in self.operate("steer", arg)]

    def coming_periodic(self, now: float, declared: Sequence[str]) -> Coming:
        key = self.key("firing")
        due, following = self.ask(
            ("ZRANGEBYSCORE", key, "-inf", repr(now)),
            ("ZRANGEBYSCORE", key, f"({now!r}", "+inf", "WITHSCORES", "LIMIT", 0, 1),
        )
        names = list(declared)
        there = self.many("HMGET", "periodic", names)
        lost = [name for name, data in zip(names, there, strict=True) if data is None]
        mine = set(names)
        found = [
            to_periodic(data, self.queue) for data in self.many("HMGET", "periodic", due) if data
        ]
        ours = [
            one
            for one in found
            if one.next_run <= now
            and one.paused_at is None
            and (one.origin == "stored" or one.name in mine)
        ]
        ours.sort(key=lambda one: (one.next_run, one.name))
        return Coming(ours, float(following[1]) if following else None, lost)

    def fire(self, fires: Sequence[Fire]) -> list[str]:
        told = [
            (one.name, one.seen, one.next_run, [_peaceful(job) for job in one.jobs])
            for one in fires
        ]
        payloads = [job.payload for one in fires for job in one.jobs]
        try:
            moved = self.run("fire", {"fires": told}, *payloads, durable=True)
        except Refused as refusal:
            refuse(refusal, self.queue, None)
        return [name.decode() for name in moved]

    def periodic(self, *, whole: bool = False) -> list[Periodic]:
        found = [
            to_periodic(data, queue)
            for queue in (self.queue_names() if whole else [self.queue])
            for data in self.pairs("periodic", queue).values()
        ]
        return sorted(found, key=lambda one: (one.queue, one.name))


def to_periodic(data: bytes, queue: str) -> Periodic:
    """A schedule as it is stored."""
    values = dict(zip(_FIELDS, unpack(data), strict=False))
    for name, value in values.items():
        if isinstance(value, bytes) and name != "payload":
            values[name] = value.decode("utf-8", "replace")
        elif name in _REALS and value is not None:
            values[name] = float(value)
    options = parsed(str(values["options"]))
    values["options"] = options if isinstance(options, dict) else {}
    return Periodic(**values, queue=queue)


def _peaceful(job: Any) -> list[Any]:
    """A unique job that is still there stands for the new one: a schedule cannot be told that it
    failed."""
    return to_row(job._replace(on_conflict="keep") if job.on_conflict == "fail" else job)


def to_schedule(one: Periodic) -> list[Any]:
    """A schedule as the scripts take it, without its payload."""
    values = {**one._asdict(), "payload": "", "options": json.dumps(one.options)}
    return [False if values[name] is None else values[name] for name in _FIELDS]

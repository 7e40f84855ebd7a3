"""Standing orders: revoked tasks and ids, paused queues, tasks and schedulers."""

from __future__ import annotations

import json

from hueycore.model.flags import Revocation
from hueycore.storage.protocol.operators import Operators
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.redis.part import Part, encode

PAUSED_SCHEDULER = "paused-scheduler"
PAUSED_TASK = "paused-task"
REVOKED_ID = "revoked-id"


class Flags(Part, Operators, Queries):
    def set_revocation(
        self,
        kind: str,
        name: str,
        *,
        until: float | None = None,
        once: bool = False,
        reason: str | None = None,
        by: str | None = None,
    ) -> None:
        order = Revocation(self.queue, kind, name, until, once, self.client.now(), reason, by)
        self.list_queue()
        self._order(kind, name, text=to_text(order), reason=reason)

    def clear_revocation(self, kind: str, name: str) -> bool:
        return self._order(kind, name)

    def _order(
        self, kind: str, name: str, *, text: str | None = None, reason: str | None = None
    ) -> bool:
        hash_, field = place_of(kind, name)
        pauses = kind.startswith("paused")
        verbs = ("resume", "requeue") if text is None else ("pause", "revoke")
        arg = {
            "hash": hash_,
            "field": field,
            "text": text,
            "settle": True if kind == PAUSED_TASK else None,
            "verb": verbs[0] if pauses else verbs[1],
            "what": name or kind,
            "reason": reason,
        }
        return bool(self.operate("order", arg))

    def revocation(self, kind: str, name: str) -> Revocation | None:
        hash_, field = place_of(kind, name)
        text = self.client.call("HGET", self.key(hash_), field)
        order = None if text is None else to_order(self.queue, kind, name, text)
        return order if order is not None and self._is_in_force(order) else None

    def revocations(self) -> list[Revocation]:
        found = []
        for queue in self.queue_names():
            for field, text in self.pairs("flag", queue).items():
                kind, _, name = field.decode().partition(" ")
                found.append(to_order(queue, kind, name, text))
            for id_, text in self.pairs("banned", queue).items():
                found.append(to_order(queue, REVOKED_ID, id_.decode(), text))
        return sorted(filter(self._is_in_force, found), key=lambda one: one[:3])

    def _is_in_force(self, order: Revocation) -> bool:
        return order.until is None or order.until > self.client.now()

    def pause(
        self,
        *,
        task: str | None = None,
        scheduler: bool = False,
        until: float | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> None:
        if task is not None or scheduler:
            kind = PAUSED_SCHEDULER if scheduler else PAUSED_TASK
            self.set_revocation(kind, task or "", until=until, reason=reason, by=by)
            return
        self.list_queue()
        self.operate("pause", {"until_": until, "by": by, "reason": reason})

    def resume(self, *, task: str | None = None, scheduler: bool = False) -> bool:
        if scheduler:
            return self.clear_revocation(PAUSED_SCHEDULER, "")
        if task is not None:
            return self.clear_revocation(PAUSED_TASK, task)
        return bool(self.operate("pause", {"resume": True}))


def place_of(kind: str, name: str) -> tuple[str, str]:
    """The hash and the field of an order. Of revoked ids there may be many: they have their own."""
    return ("banned", name) if kind == REVOKED_ID else ("flag", f"{kind} {name}")


def to_text(order: Revocation) -> str:
    told = order._asdict()
    names = ("until", "once", "since", "reason", "by")
    return encode(
        {name: told[name] for name in names if told[name] is not None and told[name] is not False}
    )


def to_order(queue: str, kind: str, name: str, text: bytes) -> Revocation:
    told = json.loads(text)
    return Revocation(
        queue,
        kind,
        name,
        told.get("until"),
        bool(told.get("once")),
        told["since"],
        told.get("reason"),
        told.get("by"),
    )

"""Holding jobs back: what tasks declare, and rates that runs ask for. Keys themselves: keys.lua."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from struct import unpack
from typing import Any

from hueycore.model.limits import Limit, Rate
from hueycore.storage.protocol import limits as protocol
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.redis import clockback
from hueycore.storage.redis.part import Part, encode, number


class Limits(Part, protocol.Limits, Upkeep):
    def declare_limits(self, limits: Sequence[Limit], known: Collection[str] | None = None) -> None:
        declared = {limit.task: limit for limit in limits}
        names = set(declared) if known is None else set(known) | set(declared)
        stored = read_limits(self, self.queue)
        changed = sorted(name for name in names if stored.get(name) != declared.get(name))
        if not changed:
            return
        given = [(name, _to_text(declared[name])) for name in changed if name in declared]
        self.run("limits", {"set": given, "gone": [n for n in changed if n not in declared]})

    def limits(self) -> list[Limit]:
        return list(read_limits(self, self.queue).values())

    def spend(self, name: str, rate: Rate, job: tuple[int, int] | None) -> float | None:
        arg = {"name": name, "rate": _to_rate(rate), "job": job}
        return number(self.run("spend", arg, again=False))

    def spent(self, name: str, rate: Rate) -> int:
        now = self.client.now()
        tat, seen = read_tat(self, self.queue, name)
        return rate.spent(tat - max(0.0, seen - now), now)

    def reset_rate(self, name: str) -> None:
        self.run("reset_rate", {"name": name})

    def key_due(self, queue: str, name: str, task: str) -> float | None:
        text = self.client.call("HGET", self.key("limit", queue), task)
        rate = None if text is None else _to_limit(task, json.loads(text)).rate
        if rate is None:
            return None
        now = self.client.now()
        tat, seen = read_tat(self, queue, name)
        return rate.due(tat - max(0.0, seen - now), now)

    def mend(self, *, set_back: bool = False) -> list[str]:
        if set_back:
            clockback.bring_back(self)
        return sorted(name.decode() for name in self.run("mend"))


def read_limits(part: Part, queue: str) -> dict[str, Limit]:
    """The limits of a queue by the names of the tasks that declare them."""
    found = {task.decode(): json.loads(text) for task, text in part.pairs("limit", queue).items()}
    return {task: _to_limit(task, told) for task, told in sorted(found.items())}


def read_tat(part: Part, queue: str, name: str) -> tuple[float, float]:
    """The theoretical arrival time of a rate, and when that was written down."""
    text = part.client.call("HGET", part.key("rate", queue), name)
    if text is None:
        return 0.0, 0.0
    tat, seen = unpack(">dd", text)
    return tat, seen


def _to_rate(rate: Rate) -> dict[str, Any]:
    return {"rate": rate.limit, "per": rate.per, "burst": rate.burst}


def _to_text(limit: Limit) -> str:
    found: dict[str, Any] = {"key": limit.key, "at_once": limit.at_once}
    if limit.rate is not None:
        found |= _to_rate(limit.rate)
    return encode({name: value for name, value in found.items() if value is not None})


def _to_limit(task: str, told: dict[str, Any]) -> Limit:
    rate = Rate(told["rate"], told["per"], told["burst"]) if "rate" in told else None
    return Limit(task, told.get("key"), told.get("at_once"), rate)

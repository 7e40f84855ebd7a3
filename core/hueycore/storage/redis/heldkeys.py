"""What ``sql/heldkeys.py`` says, of rows in Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from hueycore.model.keys import NAMED, HeldKey, HeldKeys, Key, Standing
from hueycore.storage.redis.limits import read_limits, read_tat
from hueycore.storage.redis.part import PAGE, Part
from hueycore.storage.redis.rows import fetch

#: The end of a member of the set ``key``: priority, time and number (rows.lua).
_ORDER = 24


class _Keyed(NamedTuple):
    """Jobs of the keys of a queue: how many are in a state, which run, and who are the first
    of those that wait."""

    states: Counter[tuple[str, bytes]]
    running: list[int]
    first: dict[str, list[int]]
    whole: bool


def held_keys(part: Part, limit: int, most: int) -> HeldKeys:
    """What the reports of this engine answer with."""
    standing = Standing()
    keyed = {queue: _keyed(part, queue, most) for queue in part.queue_names()}
    for queue, found in keyed.items():
        standing.limits[queue] = read_limits(part, queue)
        standing.run(row.job() for row in fetch(part, queue, found.running))
        for (name, state), size in found.states.items():
            if state == b"b":
                standing.behind[queue, name] = size
    keys = standing.longest()
    whole = len(keys) <= limit and all(found.whole for found in keyed.values())
    return HeldKeys(list(_held(part, standing, keyed, keys[:limit])), whole)


def _keyed(part: Part, queue: str, most: int) -> _Keyed:
    states: Counter[tuple[str, bytes]] = Counter()
    running: list[int] = []
    first: dict[str, list[int]] = {}
    start = 0
    while start < most:
        last = min(start + 10 * PAGE, most) - 1
        members = part.client.call("ZRANGE", part.key("key", queue), start, last)
        for member in members:
            name, state = member[: -_ORDER - 2].decode(), member[-_ORDER - 1 : -_ORDER]
            seq = int.from_bytes(member[-8:], "big")
            states[name, state] += 1
            if state == b"r":
                running.append(seq)
            elif state == b"b" and states[name, state] <= NAMED:
                first.setdefault(name, []).append(seq)
        if len(members) <= last - start:
            return _Keyed(states, running, first, whole=True)
        start = last + 1
    return _Keyed(states, running, first, whole=False)


def _held(
    part: Part, standing: Standing, keyed: dict[str, _Keyed], keys: list[Key]
) -> Iterator[HeldKey]:
    now = part.client.now()
    for queue, name in keys:
        found = keyed[queue]
        tat, seen = read_tat(part, queue, name)
        yield standing.held(
            (queue, name),
            now,
            ready=found.states[name, b"p"],
            first=[row.job() for row in fetch(part, queue, found.first.get(name, []))],
            tat=tat - max(0.0, seen - now),
        )

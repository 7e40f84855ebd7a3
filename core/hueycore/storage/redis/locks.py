"""What ``sql/locks.py`` says, of rows in Redis."""

from __future__ import annotations

import json
from typing import Any

from hueycore.model.limits import Lock
from hueycore.storage.protocol.limits import Limits
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.workers import living_of, read_workers


class Locks(Part, Limits):
    def lock(
        self,
        name: str,
        owner: int,
        token: bytes,
        *,
        ttl: float | None = None,
        reserve: bool = False,
    ) -> bool:
        held = self._holder(name)
        dead = None if held is None or self._lives(held["owner"]) else held["owner"]
        arg = {
            "name": name,
            "owner": owner,
            "token": token.hex(),
            "ttl": ttl,
            "reserve": reserve,
            "dead": dead,
        }
        return bool(self.run("lock", arg, again=False))

    def unlock(self, name: str, token: bytes | None = None) -> bool:
        arg = {"name": name, "token": None if token is None else token.hex()}
        return bool(self.operate("unlock", arg, durable=False))

    def is_locked(self, name: str) -> bool:
        held = self._holder(name)
        if held is not None and self._lives(held["owner"]):
            return True
        start = name.encode() + b"\0r"
        low, high = b"[" + start, b"(" + start + b"\xff\xff"
        return bool(self.client.call("ZLEXCOUNT", self.key("key"), low, high))

    def locks(self) -> list[Lock]:
        found, now = [], self.client.now()
        for queue in self.queue_names():
            texts = self.pairs("lock", queue)
            rows, _ = read_workers(self, queue) if texts else ({}, {})
            living = living_of(self, rows)
            for name, text in texts.items():
                told = json.loads(text)
                if told.get("expires_at") is None or told["expires_at"] > now:
                    lives = told["owner"] in living
                    found.append(_to_lock(name.decode(), queue, told, rows, lives))
        return sorted(found, key=lambda one: (one.queue, one.name))

    def _holder(self, name: str) -> dict[str, Any] | None:
        """What is known of a lock that is in force."""
        text = self.client.call("HGET", self.key("lock"), name)
        told: dict[str, Any] | None = None if text is None else json.loads(text)
        if told is None or told.get("expires_at", self.client.now() + 1) <= self.client.now():
            return None
        return told

    def _lives(self, owner: int) -> bool:
        """A lock whose process is dead is free, before any janitor has come by."""
        if self.watch.is_mine(owner) and not self.watch.lost(owner):
            return True
        rows, _ = read_workers(self, self.queue)
        return owner in rows and owner in living_of(self, {owner: rows[owner]})


def _to_lock(
    name: str, queue: str, told: dict[str, Any], rows: dict[int, dict[str, Any]], alive: bool
) -> Lock:
    owner = told["owner"]
    about = rows.get(owner, {"name": f"worker {owner}", "host": "", "pid": 0})
    return Lock(
        name,
        queue,
        owner,
        about["name"],
        about["host"],
        about["pid"],
        alive,
        told["created_at"],
        told.get("expires_at"),
        not told["held"],
    )

"""What ``sql/retention.py`` says, of rows in Redis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from struct import pack, unpack_from
from typing import Any

from hueycore.model.retention import Keeping
from hueycore.model.states import State
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.redis.operators import Operators
from hueycore.storage.redis.rows import Row, fetch
from hueycore.storage.redis.stages import listed

#: Rows that one script deletes at most: others want to write as well.
GROUP = 100


class Retention(Operators, Upkeep):
    #: The first minute whose figures are kept, as of the last look.
    _swept = 0

    def keep(self, rules: Keeping) -> dict[str, int]:
        now = self.client.now()
        ages = dict.fromkeys((State.DONE, State.REVOKED, State.EXPIRED), rules.done_age)
        found = {
            f"{state}-age": self._purge_old(state, f"({now - age!r}", rules.batch)
            for state, age in {**ages, State.DEAD: rules.dead_age}.items()
        }
        found["result-ttl"] = self._purge_old("ttl", f"({now!r}", rules.batch)
        found["done-count"] = self._purge_surplus(rules)
        return found | self._keep_small(rules, now)

    def _purge_old(self, name: str, until: str, most: int) -> int:
        """Delete the oldest jobs that a set lists, up to a score. What others need stays, and is
        passed over."""
        gone, start = 0, 0
        while gone < most:
            seqs = self.client.call(
                "ZRANGEBYSCORE",
                self.key(name),
                "-inf",
                until,
                "LIMIT",
                start,
                min(GROUP, most - gone),
            )
            if not seqs:
                break
            left = self._purge_some(seqs)
            gone += len(seqs) - left
            start += left
        return gone

    def _purge_surplus(self, rules: Keeping) -> int:
        """Done jobs above the number, whose result nobody will ask for any more: it was taken, or
        there was none."""
        done = self.client.call("ZCARD", self.key(State.DONE))
        over, gone, start = min(done - rules.done_count, rules.batch), 0, 0
        while gone < over:
            seqs = self.client.call("ZRANGE", self.key(State.DONE), start, start + GROUP - 1)
            if not seqs:
                break
            rows = [row for row in self._rows(seqs) if row["taken"] != 0][: over - gone]
            purged = len(self._purge_group(rows))
            gone += purged
            start += len(seqs) - purged
        return gone

    def _rows(self, seqs: Sequence[bytes]) -> list[Any]:
        return fetch(self, self.queue, [int(seq) for seq in seqs], texts=False)

    def _purge_some(self, seqs: Sequence[bytes]) -> int:
        """Delete jobs; how many of them stay."""
        return len(seqs) - len(self._purge_group(self._rows(seqs)))

    def _purge_group(self, rows: list[Row]) -> list[int]:
        return self.purge_rows(self.queue, rows)

    def _keep_small(self, rules: Keeping, now: float) -> dict[str, int]:
        minute = int((now - rules.metric_age) // 60)
        since = now - rules.flag_age
        lapsed = self.client.call(
            "ZRANGEBYSCORE", self.key("lapsing"), "-inf", repr(now), "LIMIT", 0, rules.batch
        )
        values = [
            (name, value or b"")
            for name, value in zip(lapsed, self.many("HMGET", "value", lapsed), strict=True)
        ]
        locks = [
            (name, told)
            for name, told in self.pairs("lock").items()
            if json.loads(told).get("expires_at", now + 1) <= now
        ]
        orders = [
            (name, hash_, field, told)
            for name in ("flag", "banned")
            for hash_ in (name,)
            for field, told in self.pairs(name).items()
            if _is_over(json.loads(told), name, now, since)
        ]
        found = {"metrics": self._sweep_minutes(minute, rules.batch)}
        found["values"] = self._sweep("value", values, rules.batch)
        found["values"] += self._sweep("lock", locks, rules.batch - found["values"], settle=True)
        found["flags"] = sum(
            self._sweep(name, [(f, told) for n, _, f, told in orders if n == name], rules.batch)
            for name in ("flag", "banned")
        )
        found["events"] = self._purge_events(rules, now)
        return found

    def _sweep_minutes(self, before: int, most: int) -> int:
        """Figures of minutes that are over. All their names are read, so not more than once for
        each minute that passes."""
        if before == self._swept:
            return 0
        gone = 0
        for name in ("arrival", "metric"):
            fields = self.client.call("HKEYS", self.key(name))
            old = [(field, b"") for field in fields if int(field.partition(b" ")[0]) < before]
            gone = self._sweep(name, old, most)
        if gone < most:
            self._swept = before
        return gone

    def _sweep(
        self,
        name: str,
        seen: Sequence[tuple[bytes, bytes]],
        most: int,
        *,
        settle: bool = False,
        noted: str | None = None,
    ) -> int:
        """Delete fields of a hash that are still as they were seen; "" for whatever they are."""
        gone = 0
        arg = {"name": name, "settle": True if settle else None}
        if noted is not None:
            arg |= {"verb": "clear", "what": noted, "operator": self.operator}
        some = list(seen[: max(0, most)])
        size = len(some) or 1 if noted else 1000
        for start in range(0, len(some), size):
            flat = [word for pair in some[start : start + size] for word in pair]
            gone += self.run("sweep", arg, *flat)
        return int(gone)

    def _purge_events(self, rules: Keeping, now: float) -> int:
        key = self.key("event")
        over = self.client.call("XLEN", key) - rules.event_count
        before = now - rules.event_age
        oldest = self.client.call("XRANGE", key, "-", "+", "COUNT", rules.batch)
        ids = [
            id_.decode()
            for place, (id_, fields) in enumerate(oldest)
            if place < over or _at(fields) < before
        ]
        return int(self.run("sweep_events", {"ids": ids})) if ids else 0

    # --- for people ------------------------------------------------------------------------------

    def holding(self, kind: str, older_than: float | None = None) -> int:
        return len(self._held(kind, older_than))

    def clear(self, kind: str, older_than: float | None = None, limit: int = 1000) -> int:
        held = self._held(kind, older_than)[:limit]
        if not held:
            return 0
        if kind == "results":
            return int(self.operate("sweep_results", {"seqs": held}))
        if kind == "events":
            return int(self.operate("sweep_events", {"ids": held, "verb": "clear", "what": kind}))
        if kind == "counters":
            self._sweep("counter", [(b"t" + name, b"") for name in held], limit)
            fields = [(b"n" + name, b"") for name in held]
            return self._sweep("counter", fields, limit, noted=kind)
        fields = [(name, b"") for name in held]
        return self._sweep(kind[:-1], fields, limit, settle=kind == "locks", noted=kind)

    def _held(self, kind: str, before: float | None) -> list[Any]:
        """The names, or numbers, of what ``holding`` counts."""
        if kind == "results":
            return self._results(before)
        if kind == "events":
            found = self.client.call("XRANGE", self.key("event"), "-", "+")
            return [
                id_.decode() for id_, fields in found if before is None or _at(fields) <= before
            ]
        pairs = self.pairs(kind[:-1]).items()
        if kind == "values":
            times = {name: unpack_from(">dd", value)[1] for name, value in pairs}
        elif kind == "counters":
            times = {name[1:]: float(at) for name, at in pairs if name[:1] == b"t"}
        else:
            times = {name: json.loads(told)["created_at"] for name, told in pairs}
        return [name for name, at in times.items() if before is None or at <= before]

    def _results(self, before: float | None) -> list[int]:
        seqs = sorted(int(seq) for seq in self.client.call("HKEYS", self.key("result")))
        rows = fetch(self, self.queue, seqs, texts=False)
        return [
            row.seq
            for row in rows
            if (before is None or (row["finished_at"] is not None and row["finished_at"] <= before))
            and not (row["next"] is not None and self._is_needed(row))
        ]

    def _is_needed(self, row: Row) -> bool:
        """Whether a job has yet to read its result: one that waits, or that may run again."""
        seqs = {row["next"], *listed(self, self.queue, b"s" + pack(">Q", row.seq))}
        return any(
            one["finished_at"] is None or (one["state"] != State.DONE and not one["waits"])
            for one in fetch(self, self.queue, sorted(seqs), texts=False)
        )


def _is_over(told: dict[str, Any], name: str, now: float, since: float) -> bool:
    until = told.get("until")
    return (until is not None and until <= now) or (name == "banned" and told["since"] < since)


def _at(fields: Sequence[bytes]) -> float:
    return float(fields[fields.index(b"at") + 1])

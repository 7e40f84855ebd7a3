"""Is the storage sound? For ``hueyctl doctor``: rows against sets, and invariants between rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hueycore.model.jobs import Selector
from hueycore.model.reports import Finding
from hueycore.model.states import FINAL, State
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.redis.messagepack import unpack
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.rows import Row
from hueycore.storage.redis.selection import find

_SHOWN = 20


class Examination(Part, Queries):
    def examine(self, *, full: bool = False) -> list[Finding]:
        found: list[Finding] = []
        for queue in self.queue_names() if full else ():
            for kind, sentence, seqs in self._broken(queue):
                if seqs:
                    found.append(Finding(kind, sentence, tuple(sorted(seqs)[:_SHOWN])))
        return found

    def newest_at(self) -> float | None:
        newest = self.jobs(Selector(sort="-seq", limit=1))
        return newest[0].enqueued_at if newest else None

    def _broken(self, queue: str) -> Iterator[tuple[str, str, set[int]]]:
        """Sentences that hold for every row, and the rows that break them."""
        rows = {row.seq: row for row in find(self, Selector(queues=(queue,)), texts=False)}
        listed = self._listed_in(queue)
        for state in State:
            there = {seq for seq, row in rows.items() if row["state"] == state}
            yield (
                "integrity",
                f"the set {state} lists the jobs in this state",
                there ^ listed[state],
            )
        workers = {int(name) for name in self.pairs("worker", queue) if name.isdigit()}
        running = {n: row for n, row in rows.items() if row["state"] == State.RUNNING}
        lost = {seq for seq, row in running.items() if row["worker"] not in workers}
        yield "invariant", "every running job belongs to a registered worker", lost
        payloads, results = self._seqs(queue, "payload"), self._seqs(queue, "result")
        yield "invariant", "every job has its payload", rows.keys() - payloads
        strays = (payloads | results) - rows.keys()
        yield "invariant", "every payload and result belongs to a job", strays
        yield from self._stages(queue, rows)
        unread = {seq for seq, row in rows.items() if row["taken"] == 0 and seq not in results}
        yield "invariant", "an unread result is stored", unread
        yield "invariant", "no key blocks a job that it has room for", self._stranded(queue, rows)

    def _stages(self, queue: str, rows: dict[int, Row]) -> Iterator[tuple[str, str, set[int]]]:
        given = {int(seq): len(unpack(d)) for seq, d in self.pairs("input", queue).items()}
        parents: dict[int, set[int]] = {}
        for row in rows.values():
            if row["next"] is not None:
                parents.setdefault(row["next"], set()).add(row.seq)
            if row["source"] in rows:
                parents.setdefault(row.seq, set()).add(row["source"])
        uncounted, orphans = set(), set()
        for seq, row in rows.items():
            mine = parents.get(seq, set())
            waits = sum(not rows[parent]["delivered"] for parent in mine)
            waits += row["batch"] is not None
            if row["state"] == State.BLOCKED and row["key_name"] is None and row["waits"] != waits:
                uncounted.add(seq)
            if row["state"] not in FINAL and row["inputs"] != len(mine) + given.get(seq, 0):
                orphans.add(seq)
        yield "invariant", "a waiting stage counts the parents that have not delivered", uncounted
        sentence = "a live stage has all its parents, or brought along what they gave"
        yield "invariant", sentence, orphans

    def _stranded(self, queue: str, rows: dict[int, Row]) -> set[int]:
        """The first blocked jobs of keys that no lock, no rate and no other job holds back."""
        paused = {
            field.decode().partition(" ")[2]
            for field in self.pairs("flag", queue)
            if field.startswith(b"paused-task ")
        }
        used: dict[str, int] = {}
        heads: dict[str, Row] = {}
        for row in sorted(
            rows.values(), key=lambda row: (-row["priority"], row["run_at"], row.seq)
        ):
            key, state = row["key_name"], row["state"]
            if key is None or row["waits"]:
                continue
            if state == State.RUNNING or (state == State.PENDING and row["task"] not in paused):
                used[key] = used.get(key, 0) + 1
            elif state == State.BLOCKED and row["task"] not in paused:
                heads.setdefault(key, row)
        limits = {t.decode(): json.loads(text) for t, text in self.pairs("limit", queue).items()}
        locks = {name.decode() for name in self.pairs("lock", queue)}
        dues = {one.decode() for one in self.client.call("ZRANGE", self.key("due", queue), 0, -1)}
        return {
            row.seq
            for key, row in heads.items()
            if key not in locks | dues
            and (
                row["task"] not in limits
                or used.get(key, 0) < limits[row["task"]].get("at_once", 1)
            )
        }

    def _seqs(self, queue: str, name: str) -> set[int]:
        return {int(seq) for seq in self.client.call("HKEYS", self.key(name, queue))}

    def _listed_in(self, queue: str) -> dict[State, set[int]]:
        found: dict[State, Any] = {}
        for state in State:
            members = self.client.call("ZRANGE", self.key(state, queue), 0, -1)
            found[state] = {
                int.from_bytes(one[-8:], "big") if state is State.PENDING else int(one)
                for one in members
            }
        return found

"""The operator's verbs: revoke, requeue, reschedule, purge. Jobs are selected here; a script looks
at each of them again, and changes those that are still as they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hueycore.model.jobs import Changed, JobRef, Selector
from hueycore.model.states import FINAL, WAITING, Asked, State
from hueycore.storage.protocol import operators as protocol
from hueycore.storage.protocol.workers import Workers
from hueycore.storage.redis.part import PAGE, Part
from hueycore.storage.redis.rows import Row
from hueycore.storage.redis.scripts import KEYS
from hueycore.storage.redis.selection import find

#: What ``flush`` leaves: the code's limits, the workers with what they declare, and the numbers.
_KEPT = frozenset(("limit", "queue", "worker", "last", "declared", "brought"))


class Operators(Part, Workers, protocol.Operators):
    def revoke(
        self, selector: Selector, reason: str | None = None, *, interrupt: bool = False
    ) -> Changed:
        arg = {"asked": Asked.INTERRUPT if interrupt else Asked.STOP, "reason": reason}
        return self._change("revoke", selector, arg, "already ")

    def call_off(self, selector: Selector) -> Changed:
        return self._change("call_off", selector, {}, "is ")

    def requeue(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        retries: int | None = None,
        reset: bool = False,
        apart: float = 0.0,
        reason: str | None = None,
    ) -> Changed:
        arg = {
            "run_at": run_at,
            "retries": retries,
            "reset": reset or None,
            "apart": apart,
            "reason": reason,
        }
        return self._change("requeue", selector, arg, "")

    def reschedule(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        priority: float | None = None,
        expires_at: float | None = None,
        expires_in: float | None = None,
        reason: str | None = None,
    ) -> Changed:
        arg = {
            "run_at": run_at,
            "priority": priority,
            "expires_at": expires_at,
            "expires_in": expires_in,
            "reason": reason,
        }
        return self._change("reschedule", selector, arg, "is ")

    def purge(self, selector: Selector, limit: int = 1000) -> int:
        states = selector.states or FINAL
        final = tuple(state for state in states if State(state) in FINAL)
        if not final:
            return 0
        found = find(self, selector._replace(states=final, limit=None, sort="seq"), texts=False)
        gone = 0
        for queue, rows in _by_queue(found):
            start = 0
            # What others need stays, so it takes more of them than it purges.
            while start < len(rows) and gone < limit:
                some = rows[start : start + min(PAGE, limit - gone)]
                gone += len(self.purge_rows(queue, some, noted=True))
                start += len(some)
        return gone

    def purge_rows(self, queue: str, rows: list[Row], *, noted: bool = False) -> list[int]:
        """Delete those of the jobs that are still as they were seen, and that nobody needs."""
        seen = [
            [row["seq"], row["id"], row["state"], row["claim"], row["finished_at"]] for row in rows
        ]
        operator = self.operator if noted else None
        arg = {"jobs": seen, "operator": operator}
        return list(self.run("purge", arg, queue=queue, again=False)) if seen else []

    def flush(self) -> None:
        self.operate("flush", {"gone": [name for name in KEYS if name not in _KEPT]})

    def _change(self, verb: str, selector: Selector, arg: dict[str, Any], why: str) -> Changed:
        """Change the selected jobs; ``why`` begins the reason why others were not."""
        matched, changed, failed = 0, list[JobRef](), list[tuple[JobRef, str]]()
        found = find(self, selector._replace(sort="seq"), texts=False)
        for queue, rows in _in_portions(found):
            refs = {row.seq: JobRef(row.seq, row["id"], row["task"]) for row in rows}
            given = {**arg, "seqs": [*refs], "later": matched}
            seqs, others = self.operate(verb, given, queue=queue)
            matched += len(seqs) + len(others)
            order = {row.seq: row["state"] in WAITING for row in rows}
            changed += [refs[seq] for seq in sorted(seqs, key=lambda seq: (not order[seq], seq))]
            failed += [(refs[seq], why + word.decode()) for seq, word in others]
        return Changed(matched, changed, failed)


def _in_portions(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    """By queue, as many as one script changes."""
    for queue, mine in _by_queue(rows):
        for start in range(0, len(mine), PAGE):
            yield queue, mine[start : start + PAGE]


def _by_queue(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    for queue in sorted({row.queue for row in rows}):
        yield queue, [row for row in rows if row.queue == queue]

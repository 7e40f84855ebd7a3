"""Answers for operators: read only, from columns, never from payloads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from hueycore.model.failures import read_errors
from hueycore.model.jobs import Job, Newest, Selector
from hueycore.model.reports import Depth, QueueRow
from hueycore.model.states import Asked, State
from hueycore.storage.protocol import queries as protocol
from hueycore.storage.protocol.workers import Workers
from hueycore.storage.sql.dialect import Connection, Dialect
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.selector import (
    COLUMNS,
    LIST,
    conditions,
    count,
    count_by_task,
    find,
    is_seq,
    newest,
)


@cache
def coming(d: Dialect) -> str:
    """When the next job of a ``:queue`` is due, or time lets a blocked one go."""
    return f"""
        select min(at) from (
            select min(run_at) as at from huey_job
            where queue = :queue and state = 'scheduled'
            union all
            select min(due) from huey_key
            where queue = :queue and due is not null
            {d.put_off_at}) as coming
    """


class Queries(Part, Workers, protocol.Queries):
    def jobs(self, selector: Selector) -> list[Job]:
        return self.db.read(lambda con: [to_job(row) for row in find(con, selector)])

    def newest(self, selector: Selector, most: int = protocol.LOOKED) -> Newest:
        def body(con: Connection) -> Newest:
            rows, looked, before = newest(con, selector, most)
            return Newest([to_job(row) for row in rows], looked, before)

        return self.db.read(body, snapshot=True)

    def count(self, selector: Selector) -> int:
        return self.db.read(lambda con: count(con, selector))

    def count_by_task(self, selector: Selector) -> dict[str, int]:
        return self.db.read(lambda con: count_by_task(con, selector))

    def job(self, key: str) -> Job | None:
        def body(con: Connection) -> Job | None:
            row = con.execute(
                f"select {LIST} from huey_job where id = ? order by queue = ? desc limit 1",
                (key, self.queue),
            ).fetchone()
            if row is None and is_seq(key):
                row = con.execute(
                    f"select {LIST} from huey_job where seq = ?",
                    (int(key),),
                ).fetchone()
            return None if row is None else to_job(row)

        return self.db.read(body)

    def payload(self, seq: int, *, queue: str | None = None) -> bytes | None:
        def body(con: Connection) -> bytes | None:
            row = con.execute("select payload from huey_payload where seq = ?", (seq,)).fetchone()
            return None if row is None else bytes(row[0])

        return self.db.read(body)

    def payloads(self, jobs: Sequence[Job]) -> list[bytes | None]:
        def body(con: Connection) -> list[bytes | None]:
            d = con.dialect
            rows = con.execute(
                f"select seq, payload from huey_payload where {d.among('seq')}",
                (d.listed(job.seq for job in jobs),),
            )
            found = {seq: bytes(payload) for seq, payload in rows.fetchall()}
            return [found.get(job.seq) for job in jobs]

        return self.db.read(body)

    def depths(self, states: Collection[State] = tuple(State)) -> list[Depth]:
        def body(con: Connection) -> list[Depth]:
            found = []
            for queue in queue_names(con):
                for state in State:
                    if state not in states:
                        continue
                    # One indexed count each: `group by state` would read every row.
                    where, values = conditions(
                        con.dialect, Selector(queues=(queue,), states=(state,))
                    )
                    oldest = "min(run_at)" if state is State.PENDING else "null"
                    number, since = con.execute(
                        f"select count(*), {oldest} from huey_job where {where}", values
                    ).fetchone()
                    if number:
                        found.append(Depth(queue, state, number, since))
            return found

        return self.db.read(body, snapshot=True)

    def queues(self) -> list[QueueRow]:
        def body(con: Connection) -> list[QueueRow]:
            rows = con.execute(
                """
                select queue, serializer, paused_at, paused_until, paused_by, pause_reason, purged,
                    created_at, events
                from huey_queue order by queue
                """
            ).fetchall()
            return [QueueRow._make((*row[:8], bool(row[8]))) for row in rows]

        return self.db.read(body)

    def next_run_at(self) -> float | None:
        def body(con: Connection) -> float | None:
            return _float(con.execute(coming(con.dialect), {"queue": self.queue}).fetchone()[0])

        return self.db.read(body)

    def cancel_requested(self, seqs: Sequence[int], *, interrupt: bool = False) -> list[int]:
        asked = (Asked.INTERRUPT,) if interrupt else (Asked.STOP, Asked.INTERRUPT)

        def body(con: Connection) -> list[int]:
            d = con.dialect
            rows = con.execute(
                f"""
                select seq from huey_job
                where {d.among("seq")}
                    and {d.among("cancel_requested")}
                """,
                (d.listed(seqs), d.listed(asked)),
            ).fetchall()
            return [row[0] for row in rows]

        return self.db.read(body)


def queue_names(con: Connection) -> list[str]:
    return [row[0] for row in con.execute("select queue from huey_queue order by queue").fetchall()]


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


_STATES = {str(state): state for state in State}


def to_job(row: tuple[Any, ...]) -> Job:
    """A row in the order of COLUMNS."""
    values = dict(zip(COLUMNS, row, strict=True))
    # A word that is no state was written by somebody else: it is shown as it is.
    values["state"] = _STATES.get(values["state"], values["state"])
    for name in ("at_most_once", "delivered"):
        values[name] = bool(values[name])
    values["cancel_requested"] = values["cancel_requested"] in (Asked.STOP, Asked.INTERRUPT)
    if values["taken"] is not None:
        values["taken"] = bool(values["taken"])
    values["errors"] = read_errors(values["errors"])
    return Job(**values)

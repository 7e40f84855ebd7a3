"""Answers for operators: read only, from columns, never from payloads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hueycore.exceptions import ConfigurationError
from hueycore.model.failures import read_errors
from hueycore.model.jobs import Job, Selector
from hueycore.model.reports import Depth, QueueRow
from hueycore.model.states import Asked, State
from hueycore.storage.protocol import queries as protocol
from hueycore.storage.protocol.workers import Workers
from hueycore.storage.sql.dialect import UNLIMITED, Connection, Dialect
from hueycore.storage.sql.part import Part

COLUMNS = Job._fields
LIST = ", ".join(f'"{name}"' for name in COLUMNS)
#: When a row came into its state.
_SINCE = (
    "coalesce(finished_at, claimed_at, case when state = 'scheduled' then enqueued_at end, run_at)"
)


class Queries(Part, Workers, protocol.Queries):
    def jobs(self, selector: Selector) -> list[Job]:
        def body(con: Connection) -> list[Job]:
            where, values = conditions(con.dialect, selector)
            rows = con.execute(
                f"select {LIST} from huey_job where {where} {_order(selector)} limit ?",
                (*values, UNLIMITED if selector.limit is None else selector.limit),
            ).fetchall()
            return [to_job(row) for row in rows]

        return self.db.read(body)

    def count(self, selector: Selector) -> int:
        def body(con: Connection) -> int:
            where, values = conditions(con.dialect, selector)
            query = f"select count(*) from huey_job where {where}"
            return int(con.execute(query, values).fetchone()[0])

        return self.db.read(body)

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

    def payload(self, seq: int) -> bytes | None:
        def body(con: Connection) -> bytes | None:
            row = con.execute("select payload from huey_payload where seq = ?", (seq,)).fetchone()
            return None if row is None else bytes(row[0])

        return self.db.read(body)

    def depths(self) -> list[Depth]:
        def body(con: Connection) -> list[Depth]:
            found = []
            for queue in queue_names(con):
                for state in State:
                    # One indexed count each: `group by state` would read every row.
                    count, oldest = con.execute(_count(con.dialect, state), (queue,)).fetchone()
                    if count:
                        found.append(Depth(queue, state, count, oldest))
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
            return _float(
                con.execute(
                    """
                    select min(at) from (
                        select min(run_at) as at from huey_job
                        where queue = :queue and state = 'scheduled'
                        union all
                        select min(due) from huey_key
                        where queue = :queue and due is not null) as coming
                    """,
                    {"queue": self.queue},
                ).fetchone()[0]
            )

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


def _count(d: Dialect, state: State) -> str:
    if state in (State.DONE, State.DEAD, State.REVOKED, State.EXPIRED):
        extra, oldest = " and finished_at is not null", "null"
    else:
        extra, oldest = "", "min(run_at)" if state is State.PENDING else "null"
    queue = "queue = ?"
    if state is State.RUNNING:
        # Their index is about workers: without this, that of all ids is taken and read as a whole.
        queue, extra = f"{d.unindexed('queue')} = ?", " and worker is not null"
    text = f"from huey_job where {queue} and state = '{state}'{extra}"
    return f"select count(*), {oldest} {text}"


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


def is_seq(key: str) -> bool:
    """Whether a text can be a job's number: Python refuses to read 4,300 digits, SQLite 19."""
    return key.isascii() and key.isdigit() and len(key) < 19


def conditions(d: Dialect, selector: Selector) -> tuple[str, list[Any]]:
    """A selector as a WHERE clause of constant texts and its values.

    Raises ``ConfigurationError`` for a column or an operator that does not exist.
    """
    parts: list[str] = ["true"]
    values: list[Any] = []

    def add(text: str, *given: Any) -> None:
        parts.append(text)
        values.extend(given)

    if selector.queues:
        add(f"{d.among('queue')}", d.listed(selector.queues))
    if len(selector.states) == 1:
        # Said with =, the partial index of the state can be used.
        parts.append(f"state = '{State(selector.states[0])}'")
    elif selector.states:
        parts.append(f"state in ({', '.join(repr(str(State(s))) for s in selector.states)})")
    if selector.states and all(_is_final(state) for state in selector.states):
        parts.append("finished_at is not null")
    if selector.keys:
        keys = d.listed(selector.keys)
        numbers = d.listed(int(k) for k in selector.keys if is_seq(k))
        add(
            f"""({d.among("id")} or seq in (
                select value from {d.each("number")} where cast(value as text) not in (
                    select id from huey_job where {d.among("id")})))""",
            keys,
            numbers,
            keys,
        )
    if selector.task is not None:
        add(d.glob("task"), selector.task)
    if selector.older_than is not None:
        add(f"{_SINCE} <= ?", selector.older_than)
    if selector.newer_than is not None:
        add(f"{_SINCE} > ?", selector.newer_than)
    low, high = selector.priority
    if low is not None:
        add("priority >= ?", low)
    if high is not None:
        add("priority <= ?", high)
    if selector.after:
        add("seq > ?", selector.after)
    words = {"=": d.same, "!=": d.differs, "<": "<", ">": ">", "<=": "<=", ">=": ">="}
    for column, operator, value in selector.where:
        _check_column(column)
        if operator == "~":
            add(d.contains(f'"{column}"'), str(value))
        elif operator in words:
            add(f'"{column}" {words[operator]} ?', value)
        else:
            raise ConfigurationError(f"unknown operator {operator!r}: use = != < > <= >= ~")
    return " and ".join(parts), values


def _is_final(state: State) -> bool:
    return state in (State.DONE, State.DEAD, State.REVOKED, State.EXPIRED)


def _check_column(column: str) -> None:
    if column not in COLUMNS:
        raise ConfigurationError(f"unknown column {column!r}; there are {', '.join(COLUMNS)}")


def _order(selector: Selector) -> str:
    if selector.sort == "running-order":
        return "order by priority desc, run_at, seq"
    column = selector.sort.removeprefix("-")
    _check_column(column)
    down = " desc" if selector.sort.startswith("-") else ""
    tie = f", seq{down}" if column != "seq" else ""
    return f'order by "{column}"{down}{tie}'

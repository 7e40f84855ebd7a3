"""A selector as SQL, and the rows that it finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import Job, Selector
from hueycore.model.states import FINAL, State
from hueycore.storage.sql.dialect import UNLIMITED, Connection, Dialect

COLUMNS = Job._fields
LIST = ", ".join(f'"{name}"' for name in COLUMNS)
#: Columns of texts; all others hold numbers.
_TEXTS = frozenset(
    (
        *("id", "queue", "task", "state", "reason", "key_name", "unique_key"),
        *("unique_until", "preview", "progress", "errors", "ran_by"),
    )
)
#: When a row came into its state.
_SINCE = (
    "coalesce(finished_at, claimed_at, case when state = 'scheduled' then enqueued_at end, run_at)"
)
#: Numbers among which the first rows are looked for before the indexes of their states are read.
_NEAR = 5000


def find(con: Connection, selector: Selector, columns: str = LIST) -> list[tuple[Any, ...]]:
    """The columns of the selected rows, in the order asked for.

    A few jobs in the order of their numbers are mostly near the end at which it begins. When they
    are not, the indexes of their states name them: rows in other states are not read then.
    """
    d = con.dialect
    where, values = conditions(d, selector)
    order = _order(selector)
    limit = UNLIMITED if selector.limit is None else selector.limit
    if limit < UNLIMITED and _has_indexes(selector) and selector.sort in ("seq", "-seq"):
        rows = _near(con, selector, columns)
        if rows is not None:
            return rows
        chosen, values = by_state(d, selector)
        # Sorted when they are found: for rows in the order of their numbers all would be read.
        first = order.replace('"seq"', d.unindexed("seq"))
        where = f"seq in (select seq from ({chosen}) as chosen {first} limit ?)"
        values.append(limit)
    elif limit == UNLIMITED and selector.states and not any(s in FINAL for s in selector.states):
        # For the sake of their order all rows would be read, most of which are over.
        order = order.replace('"seq"', d.unindexed("seq"))
    query = f"select {columns} from huey_job where {where} {order} limit ?"
    return con.execute(query, (*values, limit)).fetchall()


def newest(
    con: Connection, selector: Selector, most: int
) -> tuple[list[tuple[Any, ...]], int, int]:
    """The rows of the highest numbers, how many were looked at, and before which number to go on.

    Where those at the top are not enough, and the indexes of queues and states name no more than
    ``most`` rows, these are looked at; else those of the highest numbers, whatever they are.
    """
    selector = selector._replace(sort="-seq")
    if selector.keys:
        rows = find(con, selector)
        return rows, len(rows), rows[-1][0] if len(rows) == selector.limit else 0
    limit = UNLIMITED if selector.limit is None else selector.limit
    found: list[tuple[Any, ...]] = []
    top, looked, span = selector.before or UNLIMITED, 0, _NEAR
    while looked < most:
        rows, seen, low = _down(con, selector._replace(before=top), min(span, most - looked))
        found += rows[: limit - len(found)]
        looked += seen
        if len(found) == limit:
            return found, looked, found[-1][0] if found else top
        if not low:
            return found, looked, 0
        if span == _NEAR and _has_indexes(selector):
            few = _named(con, selector, most)
            if few <= most:
                rows = find(con, selector)
                return rows, few, rows[-1][0] if len(rows) == limit else 0
        top, span = low, 4 * span
    return found, looked, top


def _down(con: Connection, selector: Selector, size: int) -> tuple[list[tuple[Any, ...]], int, int]:
    """The selected ones of the first ``size`` rows, how many these are, and the lowest of their
    numbers, 0 when there are no more."""
    seen, low = con.execute(
        """
        select count(*), min(seq) from (
            select seq from huey_job where seq > ? and seq < ? order by seq desc limit ?
        ) as first
        """,
        (selector.after, selector.before, size),
    ).fetchone()
    if not seen:
        return [], 0, 0
    where, values = conditions(con.dialect, selector._replace(after=low - 1))
    limit = UNLIMITED if selector.limit is None else selector.limit
    rows = con.execute(
        f"""
        select {LIST} from huey_job {con.dialect.rows_only}
        where {where} order by seq desc limit ?
        """,
        (*values, limit),
    ).fetchall()
    return rows, seen, low if seen == size else 0


def _named(con: Connection, selector: Selector, most: int) -> int:
    """How many rows the indexes of the queues and states name; one more than ``most`` at most."""
    named = Selector(queues=selector.queues, states=selector.states)
    chosen, values = by_state(con.dialect, named)
    query = f"select count(*) from (select 1 from ({chosen}) as chosen limit ?) as first"
    return int(con.execute(query, (*values, most + 1)).fetchone()[0])


def count(con: Connection, selector: Selector) -> int:
    """How many rows are selected, whatever the limit."""
    if _has_indexes(selector):
        chosen, values = by_state(con.dialect, selector)
        query = f"select count(*) from ({chosen}) as chosen"
    else:
        where, values = conditions(con.dialect, selector)
        query = f"select count(*) from huey_job where {where}"
    return int(con.execute(query, values).fetchone()[0])


def count_by_task(con: Connection, selector: Selector) -> dict[str, int]:
    """How many rows are selected of each task, most first, whatever the limit."""
    chosen, values = by_state(con.dialect, selector, "task")
    rows = con.execute(
        f"select task, count(*) from ({chosen}) as chosen group by task order by 2 desc, 1", values
    ).fetchall()
    return dict(rows)


def by_state(d: Dialect, selector: Selector, columns: str = "seq") -> tuple[str, list[Any]]:
    """A query for columns of the selected rows, and its values: each state has an index, all
    together have none."""
    parts, values = [], []
    for state in selector.states or State:
        where, own = conditions(d, selector._replace(states=(state,)))
        parts.append(f"select {columns} from huey_job where {where}")
        values += own
    return " union all ".join(parts), values


def _has_indexes(selector: Selector) -> bool:
    """Whether ``by_state`` leaves rows out."""
    return bool(selector.states or selector.queues) and not selector.keys


def _near(con: Connection, selector: Selector, columns: str) -> list[tuple[Any, ...]] | None:
    """The rows as far as they are among the first numbers; None when that is not all of them."""
    assert selector.limit is not None
    first, last = _ends(con, selector)
    span = max(_NEAR, 20 * selector.limit)
    if last - first >= span:
        if selector.sort == "seq":
            selector = selector._replace(before=first + span)
        else:
            selector = selector._replace(after=last - span)
    where, values = conditions(con.dialect, selector)
    rows = con.execute(
        f"""
        select {columns} from huey_job {con.dialect.rows_only}
        where {where} {_order(selector)} limit ?
        """,
        (*values, selector.limit),
    ).fetchall()
    return rows if len(rows) == selector.limit or last - first < span else None


def _ends(con: Connection, selector: Selector) -> tuple[int, int]:
    """The lowest and the highest number between those of the selector."""
    low, high = selector.after, selector.before or UNLIMITED
    # Asked for one by one: both in one query would read every row.
    first, last = (
        con.execute(
            f"select {end}(seq) from huey_job where seq > ? and seq < ?", (low, high)
        ).fetchone()[0]
        for end in ("min", "max")
    )
    return (low, low) if first is None else (first, last)


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

    _add_states(d, selector, add)
    if selector.keys:
        keys = d.listed(selector.keys)
        numbers = d.listed(int(k) for k in selector.keys if is_seq(k))
        add(
            # No ``or``: PostgreSQL would read all rows.
            f"""seq in (
                select seq from huey_job where {d.among("id")}
                union all
                select value from {d.each("number", "bigint")} where cast(value as text) not in (
                    select id from huey_job where {d.among("id")}))""",
            keys,
            numbers,
            keys,
        )
    if selector.task is not None:
        add(d.glob("task"), d.pattern(selector.task))
    since = "finished_at" if _are_final(selector) else _SINCE
    if selector.older_than is not None:
        add(f"{since} <= ?", selector.older_than)
    if selector.newer_than is not None:
        add(f"{since} > ?", selector.newer_than)
    low, high = selector.priority
    if low is not None:
        add("priority >= ?", low)
    if high is not None:
        add("priority <= ?", high)
    if selector.after:
        add("seq > ?", selector.after)
    if selector.before:
        add("seq < ?", selector.before)
    words = {"=": d.same, "!=": d.differs, "<": "<", ">": ">", "<=": "<=", ">=": ">="}
    for column, operator, value in selector.where:
        _check_column(column)
        if operator == "~":
            add(d.contains(f'"{column}"'), str(value))
        elif operator in words:
            _add_comparison(column, words[operator], value, add)
        else:
            raise ConfigurationError(f"unknown operator {operator!r}: use = != < > <= >= ~")
    return " and ".join(parts), values


def _add_comparison(column: str, word: str, value: Any, add: Callable[..., None]) -> None:
    """Texts and numbers compare, in every database, as SQLite does it: what reads as a number is
    one for a column of numbers, and any other text comes after all numbers."""
    if column in _TEXTS:
        value = value if value is None else str(value)
    elif isinstance(value, bool):
        value = int(value)
    elif isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            add(f"'a' {word} case when \"{column}\" is null then null else 'b' end")
            return
    add(f'"{column}" {word} ?', value)


def _add_states(d: Dialect, selector: Selector, add: Callable[..., None]) -> None:
    """The queues and states, said so that the index of a single state can be used."""
    state, queue = "state", "queue"
    final = _are_final(selector)
    if selector.keys:
        # Ids and numbers have their own.
        state, queue = d.unindexed(state), d.unindexed(queue)
    elif selector.states == (State.RUNNING,):
        # Its index is about workers, and no other may seem better.
        add("worker is not null")
        queue = d.unindexed(queue)
    elif final and not selector.queues:
        add("queue in (select queue from huey_queue)")
    if len(selector.queues) == 1:
        add(f"{queue} = ?", selector.queues[0])
    elif selector.queues:
        add(d.among(queue), d.listed(selector.queues))
    if len(selector.states) == 1:
        add(f"{state} = '{State(selector.states[0])}'")
    elif selector.states:
        add(f"{state} in ({', '.join(repr(str(State(s))) for s in selector.states)})")
    if final:
        add("finished_at is not null")


def _are_final(selector: Selector) -> bool:
    return bool(selector.states) and all(state in FINAL for state in selector.states)


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

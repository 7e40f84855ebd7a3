"""Jobs on their way out: rows with all that other tables say of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from hueycore.model.departure import FIRST, PAGE, Groups, arranged, next_size, parted
from hueycore.model.events import LogLine
from hueycore.model.jobs import Cargo, Job, Selector
from hueycore.model.ties import together
from hueycore.storage.sql.dialect import UNLIMITED, Connection
from hueycore.storage.sql.part import in_groups
from hueycore.storage.sql.queries import to_job
from hueycore.storage.sql.selector import COLUMNS, conditions
from hueycore.storage.sql.stages import read_inputs
from hueycore.storage.sql.ties import neighbours

_DELIVERED = COLUMNS.index("delivered")


class Row(NamedTuple):
    job: Job
    delivered: int
    payload: bytes | None
    result: bytes | None


def rows(con: Connection, selector: Selector, *, hint: str = "", among: Any = None) -> list[Row]:
    """The selected rows in the order of their numbers, of those ``among`` listed numbers if given.
    ``hint`` stands after the name of the table."""
    where, values = conditions(con.dialect, selector)
    if among is not None:
        where, values = f"{where} and {con.dialect.among('seq')}", [*values, among]
    columns = ", ".join(f'job."{name}"' for name in COLUMNS)
    limit = UNLIMITED if selector.limit is None else selector.limit
    found = con.execute(
        f"""
        select {columns}, payload, result
        from (select * from huey_job {hint} where {where} order by seq limit ?) job
            left join huey_payload using (seq) left join huey_result using (seq)
        order by job.seq
        """,
        (*values, limit),
    ).fetchall()
    return [Row(to_job(row[:-2]), row[_DELIVERED], row[-2], row[-1]) for row in found]


def pages(con: Connection, selector: Selector) -> Iterator[list[Cargo]]:
    """The selected jobs, read as they are asked for: see ``Transfer.dump``."""
    told: set[int] = set()
    size, hint = FIRST, ""
    while True:
        page = rows(con, selector._replace(limit=size), hint=hint)
        fresh = [row for row in page if row.job.seq not in told]
        told -= {row.job.seq for row in page}
        groups = _groups(con, fresh)
        later = _later(con, selector, groups, fresh)
        told |= {row.job.seq for row in later}
        last = len(page) < size
        if fresh:
            by_seq = {row.job.seq: row for row in (*fresh, *later)}
            packed = pack(con, arranged(by_seq, groups), groups)
            yield packed
            size = next_size(packed)
        if last:
            return
        selector = selector._replace(after=page[-1].job.seq)
        # There are many: what an index of a state finds would be sorted anew for each page.
        hint = con.dialect.rows_only


def pack(con: Connection, found: Sequence[Row], groups: Groups) -> list[Cargo]:
    """These rows with what else there is of them. Those of a group of ``groups`` hang together,
    any other job takes along what it was given."""
    here = {row.job.seq for row in found}
    logs, handlers, given = _logs(con, here), _handlers(con, here), _given(con, here)
    given |= {row.job.seq for row in found if row.job.inputs and row.job.seq not in groups}
    first, torn = parted(groups, here)
    given |= torn
    return [
        Cargo(
            job,
            payload,
            result,
            read_inputs(con, job.seq, first) if job.seq in given else (),
            logs.get(job.seq, ()),
            handlers.get(job.seq),
            delivered,
            first.get(job.seq, 0),
        )
        for job, delivered, payload, result in found
    ]


def _groups(con: Connection, found: Sequence[Row]) -> dict[int, list[int]]:
    tied = {
        job.seq: (job.next, job.source)
        for job, *_ in found
        if job.inputs or job.next is not None or job.source is not None
    }
    return together(tied, partial(neighbours, con)) if tied else {}


def _later(
    con: Connection,
    selector: Selector,
    groups: Groups,
    fresh: Sequence[Row],
) -> list[Row]:
    """Those that hang together with jobs of this page and stand on one to come."""
    if not fresh:
        return []
    last = fresh[-1].job.seq
    wanted = sorted({seq for members in groups.values() for seq in members if seq > last})
    found: list[Row] = []
    for some in in_groups(wanted, PAGE):
        found += rows(con, selector, among=con.dialect.listed(some))
    return found


def _logs(con: Connection, seqs: Collection[int]) -> dict[int, list[LogLine]]:
    lines = defaultdict(list)
    for seq, *line in con.execute(
        f"""
        select seq, at, level, message, attempt, line from huey_log
        where {con.dialect.among("seq")} order by seq, line
        """,
        (con.dialect.listed(seqs),),
    ).fetchall():
        lines[seq].append(LogLine._make(line))
    return lines


def _handlers(con: Connection, seqs: Collection[int]) -> dict[int, str]:
    return dict(
        con.execute(
            f"select seq, jobs from huey_handler where {con.dialect.among('seq')}",
            (con.dialect.listed(seqs),),
        ).fetchall()
    )


def _given(con: Connection, seqs: Collection[int]) -> set[int]:
    """Those whose call is given something that stands in no row of a parent."""
    found = con.execute(
        f"select distinct seq from huey_input where {con.dialect.among('seq')}",
        (con.dialect.listed(seqs),),
    ).fetchall()
    return {row[0] for row in found}

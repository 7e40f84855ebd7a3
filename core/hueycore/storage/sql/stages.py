"""Jobs that hang together: joined when they are born, read by those that come after them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Sequence

from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import Enqueued, Job
from hueycore.model.plan import Edge, Input, Plan
from hueycore.model.states import FINAL, State
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.protocol.workers import Workers
from hueycore.storage.sql.dialect import Connection, Dialect
from hueycore.storage.sql.edges import FAILED, NONE
from hueycore.storage.sql.keys import settle_keys_of
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.queries import to_job
from hueycore.storage.sql.selector import LIST

#: Parents of a stage that have yet to deliver, and results that it could read.
_AT_HAND = """
    select count(*) filter (where delivered = 0),
        count(*) filter (where delivered <> 0 and not (result is null and (
            (state = 'done' and coalesce(taken, 0) = 1)
            or (finished_at is null and delivered = 1))))
        + (select count(*) from huey_input where seq = :seq)
    from (select * from huey_job where next = :seq union select parent.* from huey_job parent
        join huey_job child on parent.seq = child.source where child.seq = :seq) as parent
        left join huey_result using (seq)
"""
_PARENTS = """
    select slot, id, state, reason, delivered, taken, result, job.seq
    from (select * from huey_job where next = :seq union select parent.* from huey_job parent
        join huey_job child on parent.seq = child.source where child.seq = :seq) job
        left join huey_result using (seq)
    order by slot
"""


class Stages(Part, Workers, Queries):
    def inputs(self, seq: int) -> list[Input]:
        return self.db.read(lambda con: read_inputs(con, seq), snapshot=True)

    def is_handled(self, seq: int) -> bool:
        return self.db.read(
            lambda con: bool(
                con.execute("select 1 from huey_handler where seq = ?", (seq,)).fetchall()
            )
        )

    def culprit(self, seq: int, *, queue: str | None = None) -> Job | None:
        def body(con: Connection) -> Job | None:
            found = _culprit(con, seq)
            return None if found == seq else _job(con, found)

        return self.db.read(body, snapshot=True)

    def stages(self, seq: int, limit: int = 1000, *, queue: str | None = None) -> list[Job]:
        def body(con: Connection) -> list[Job]:
            d = con.dialect
            rows = con.execute(
                f"select {LIST} from huey_job where {d.among('seq')} order by seq limit ?",
                (d.listed(_whole(con, seq)), limit),
            ).fetchall()
            return [to_job(row) for row in rows]

        return self.db.read(body)


def _tied(d: Dialect) -> str:
    """What hangs together with some jobs by the edges between rows."""
    return f"""
        with recursive whole(seq) as (
            select seq from huey_job where {d.among("seq")}
            union select other.seq from whole join huey_job job using (seq) join huey_job other
                on other.seq in (job.next, job.source) or other.next = job.seq
                    or other.source = job.seq)
        select seq from whole
    """


def _brought(d: Dialect) -> str:
    """What some jobs, or others from them, have brought along as inputs."""
    return f"""
        select other.seq from huey_job job
            join huey_input given on given.id = job.id and given.listed = 0
            join huey_job other on other.seq = given.seq and other.queue = job.queue
        where {d.among("job.seq", ":seqs")}
        union select other.seq from huey_job job
            join huey_input given on given.seq = job.seq and given.listed = 0
            join huey_job other on other.id = given.id and other.queue = job.queue
        where {d.among("job.seq", ":seqs")}
    """


def _whole(con: Connection, seq: int) -> set[int]:
    """All that hangs together with a job."""
    d = con.dialect
    whole, new = set[int](), {seq}
    while new:
        whole |= {row[0] for row in con.execute(_tied(d), (d.listed(new),)).fetchall()}
        rows = con.execute(_brought(d), {"seqs": d.listed(whole)}).fetchall()
        new = {row[0] for row in rows} - whole
    return whole


def join(con: Connection, jobs: Sequence[Enqueued], plan: Plan) -> list[Enqueued]:
    """Tie jobs that were inserted just now together: those with a parent wait for it.

    Raises ``ConfigurationError`` when only some of them are new; when none is, nothing changes."""
    fresh = [job.fresh for job in jobs]
    if not any(fresh):
        return list(jobs)
    if not all(fresh):
        known = jobs[fresh.index(False)]
        raise ConfigurationError(
            f"job {known.id} exists already ({known.seq}, {known.state}): it cannot become a stage "
            "of another pipeline or chord"
        )
    waits = Counter(edge.child for edge in plan.edges)
    first: dict[int, Edge] = {}
    sources = {}
    for edge in plan.edges:
        if first.setdefault(edge.parent, edge) is not edge:
            sources[edge.child] = jobs[edge.parent].seq
    con.executemany(
        "update huey_job set next = ?, slot = ? where seq = ?",
        [(jobs[edge.child].seq, edge.slot, jobs[edge.parent].seq) for edge in first.values()],
    )
    con.executemany(
        """
        update huey_job set state = 'blocked', inputs = ?, waits = ?, source = ?, delay = ?,
            expires_at = case when expires_in is null then expires_at end,
            expires_in = coalesce(?, expires_in)
        where seq = ?
        """,
        [
            (
                number,
                number,
                sources.get(place),
                plan.delays.get(place, 0),
                plan.expiries.get(place),
                jobs[place].seq,
            )
            for place, number in waits.items()
        ],
    )
    # What waits for its parents has no place among the pending ones of its key.
    settle_keys_of(con, [jobs[place].seq for place in waits])
    con.executemany(
        "insert into huey_handler (seq, jobs) values (?, ?)",
        [(jobs[place].seq, handler) for place, handler in plan.handlers.items()],
    )
    return [
        job._replace(state=State.BLOCKED) if place in waits else job
        for place, job in enumerate(jobs)
    ]


def read_inputs(con: Connection, seq: int, without: Container[int] = ()) -> list[Input]:
    """In the caller's transaction; see ``Stages.inputs``. Not those of the parents ``without``."""
    found = [
        Input(slot if in_list else None, id_, State(state), result, json.loads(error or "null"))
        for slot, in_list, id_, state, result, error in con.execute(
            """
            select slot, listed, id, state, result, error from huey_input
            where seq = ? order by slot
            """,
            (seq,),
        ).fetchall()
    ]
    for row in con.execute(_PARENTS, {"seq": seq}).fetchall():
        one = None if row[-1] in without else _input(con, *row)
        if one is not None:
            found.append(one)
    # Of a chord that came over half done, some are here and some are there.
    return sorted(found, key=lambda one: one.slot or 0)


def keep_inputs(con: Connection, inputs: Iterable[tuple[int, Input]]) -> None:
    """Give jobs what no parent's row can give them."""
    con.executemany(
        """
        insert into huey_input (seq, slot, listed, id, state, result, error)
        values (?, ?, ?, ?, ?, ?, ?)
        """,
        [
            (
                seq,
                one.slot or 0,
                int(one.slot is not None),
                one.id,
                one.state,
                one.result,
                None if one.error is None else json.dumps(one.error),
            )
            for seq, one in inputs
        ],
    )


def orphans(con: Connection, seqs: Sequence[int]) -> dict[int, str]:
    """Stages that could never start, and why: what they need was purged."""
    d = con.dialect
    rows = con.execute(
        f"""
        select seq, waits, inputs from huey_job
        where {d.among("seq")} and inputs > 0
        """,
        (d.listed(seqs),),
    ).fetchall()
    found = {}
    for seq, waits, inputs in rows:
        coming, there = con.execute(_AT_HAND, {"seq": seq}).fetchone()
        if waits > coming:
            found[seq] = "the stage it waits for was purged"
        elif coming + there < inputs:
            found[seq] = "a result that it needs was purged"
    return found


def _input(
    con: Connection,
    slot: int | None,
    id_: str,
    state: str,
    reason: str | None,
    delivered: int,
    taken: int | None,
    result: bytes | None,
    seq: int,
) -> Input | None:
    """What one parent gives; None when it has not delivered, or when that was purged."""
    if not delivered:
        return None
    if state not in FINAL:
        # It runs again; what it has given stands until it ends.
        state = State.DEAD if delivered == FAILED else State.DONE
        taken = None if delivered == NONE else 0
    if state == State.DONE:
        if taken is None:
            return Input(slot, id_, State.DONE)
        return None if result is None else Input(slot, id_, State.DONE, result)
    if reason == "upstream":
        culprit = _job(con, _culprit(con, seq))
        if culprit is None:
            return Input(slot, id_, State.DEAD, None, {"type": "Upstream", "message": "purged"})
        id_, state = culprit.id, culprit.state
        row = con.execute("select result from huey_result where seq = ?", (culprit.seq,)).fetchone()
        result = row[0] if row else None
        seq = culprit.seq
    if state == State.DEAD or result is not None:
        job = _job(con, seq)
        last = job.errors[-1] if job and job.errors else None
        return Input(slot, id_, State.DEAD, result, last)
    return Input(slot, id_, State(state))


def _traced(d: Dialect) -> str:
    """What a stage that was never run because of another one is traced back to."""
    return f"""
        with recursive up(seq) as (
            select seq from huey_job where seq = :seq
            union select parent.seq from up join huey_job job using (seq) join huey_job parent
                on (parent.next = job.seq or parent.seq = job.source)
            where job.reason = 'upstream' and parent.delivered = 0
                and parent.finished_at is not null)
        select seq from up join huey_job using (seq)
        where reason {d.differs} 'upstream' and finished_at is not null order by seq limit 1
    """


def _culprit(con: Connection, seq: int) -> int:
    row = con.execute(_traced(con.dialect), {"seq": seq}).fetchone()
    return seq if row is None else int(row[0])


def _job(con: Connection, seq: int) -> Job | None:
    row = con.execute(f"select {LIST} from huey_job where seq = ?", (seq,)).fetchone()
    return None if row is None else to_job(row)

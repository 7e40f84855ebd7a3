"""What follows from a stage that is over: the edge ``next`` leads to the job that waits for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hueycore.model.jobs import JobRef
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.keys import settle_keys_of
from hueycore.storage.sql.rest import expiry, state
from hueycore.storage.sql.unique import doubled

#: What a parent has given to its followers, in ``delivered``.
RESULT, NONE, FAILED = 1, 2, 3

#: True of a row whose result a job has yet to read: one that waits, or that may run again.
NEEDED = """(huey_job.next is not null and exists (select 1 from huey_job child
    where (child.seq = huey_job.next or child.source = huey_job.seq)
        and (child.finished_at is null or (child.state <> 'done' and child.waits = 0))))"""


def follow(con: Connection, seqs: Sequence[int], *, delivered: bool) -> None:
    """Tell the followers of final jobs, in the transaction that made them final.

    A result (``delivered``), or any end of a chord's member (it has a ``slot``), counts down what
    the follower waits for, once for ever. Any other end revokes the follower and, in turn, its
    followers: in one statement, because a pipeline may have thousands of stages.
    """
    d = con.dialect
    while seqs:
        parents = con.execute(
            f"""
            select seq, next, slot from huey_job
            where {d.among("seq")} and next is not null and delivered = 0
            """,
            (d.listed(seqs),),
        ).fetchall()
        arrived = [parent for parent in parents if delivered or parent[2] is not None]
        if arrived:
            _deliver(con, arrived, failed=not delivered)
        broken = [parent for parent in parents if not delivered and parent[2] is None]
        seqs, delivered = _revoke_upstream(con, broken) if broken else [], False


def ready(con: Connection, seqs: Iterable[int]) -> None:
    """Those of these jobs that wait for no parent any more are ready, now or after their delay; one
    that has a key, as soon as there is room."""
    d = con.dialect
    rows = con.execute(
        f"""
        update huey_job set (run_at, state, expires_at, delay) = (
            select at, {state("at")}, {expiry("at")},
                case when at > :now + delay then 0 else delay end
            -- A time of its own (eta) is later than its birth.
            from (select {d.greatest}(:now + delay,
                case when run_at > enqueued_at then run_at else 0 end) as at) as start)
        where {d.among("seq", ":seqs")} and state = 'blocked' and waits = 0
        returning seq, key_name
        """,
        {"now": con.now(), "seqs": d.listed(seqs)},
    ).fetchall()
    keyed = [seq for seq, key in rows if key is not None]
    if keyed:
        settle_keys_of(con, keyed)


def revive(con: Connection, seqs: Sequence[int]) -> None:
    """These jobs run again: what was revoked because of their end waits for them again."""
    d = con.dialect
    rows = con.execute(
        f"""
        with recursive again(seq) as (
            select seq from huey_job where {d.among("seq")}
            union select child.seq from again join huey_job parent using (seq)
                join huey_job child on child.seq = parent.next or child.source = parent.seq
            where parent.next is not null and parent.delivered = 0
                and child.state = 'revoked' and child.reason = 'upstream' and child.waits > 0)
        select seq, id, task from huey_job
        where seq in (select seq from again)
            and state = 'revoked' and reason = 'upstream' and waits > 0
        order by seq
        """,
        (d.listed(seqs),),
    ).fetchall()
    if not rows:
        return
    # The key of a unique one may be another's by now: then it waits beside that one.
    con.execute(
        f"update huey_job set unique_until = null where {d.among('seq')}",
        (d.listed(doubled(con, [JobRef(*row) for row in rows])),),
    )
    con.execute(
        f"""
        update huey_job set state = 'blocked', reason = null, finished_at = null,
            expires_at = case when expires_at > ? then expires_at end
        where {d.among("seq")}
        """,
        (con.now(), d.listed(row[0] for row in rows)),
    )


def forget(con: Connection, seqs: Sequence[int]) -> None:
    """These stages are done: results that only they had yet to read go."""
    d = con.dialect
    con.execute(
        f"""
        delete from huey_result where seq in (
            select seq from huey_job
            where ({d.among("next", ":seqs")} or seq in (
                select source from huey_job where {d.among("seq", ":seqs")}))
                and taken = 1 and not {NEEDED})
        """,
        {"seqs": d.listed(seqs)},
    )


def _deliver(con: Connection, parents: Sequence[tuple[int, ...]], *, failed: bool) -> None:
    d = con.dialect
    con.execute(
        f"""
        update huey_job set delivered = case when ? then ? when taken is null then ? else ? end
        where {d.among("seq")}
        """,
        (failed, FAILED, NONE, RESULT, d.listed(parent[0] for parent in parents)),
    )
    counts = Counter(_children(con, parents))
    con.executemany(
        "update huey_job set waits = waits - ? where seq = ? and waits > 0",
        [(number, child) for child, number in counts.items()],
    )
    ready(con, counts)


def _children(con: Connection, parents: Sequence[tuple[int, ...]]) -> list[int]:
    """Of each parent; a child that waits for two of them is there twice."""
    d = con.dialect
    others = con.execute(
        f"select seq from huey_job where {d.among('source')}",
        (d.listed(parent[0] for parent in parents),),
    ).fetchall()
    return [parent[1] for parent in parents] + [row[0] for row in others]


def _revoke_upstream(con: Connection, parents: Sequence[tuple[int, ...]]) -> list[int]:
    """All that waits for these, and for what is revoked with it, down to the members of a chord."""
    d = con.dialect
    rows = con.execute(
        f"""
        with recursive broken(seq) as (
            select seq from huey_job where {d.among("seq", ":seqs")}
            union select child.seq from broken join huey_job parent using (seq)
                join huey_job child on child.seq = parent.next or child.source = parent.seq
            where parent.next is not null and parent.delivered = 0 and parent.slot is null
                and child.state = 'blocked')
        update huey_job set state = 'revoked', reason = 'upstream', finished_at = :now
        where seq in (select seq from broken) and state = 'blocked'
        returning seq
        """,
        {"seqs": d.listed(parent[0] for parent in parents), "now": con.now()},
    ).fetchall()
    return [row[0] for row in rows]

"""What must be true of the rows at every moment, in SQL that every engine understands
(RELIABILITY §10, I1 to I7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

#: Each parent of each stage once. Asked for one stage after the other, PostgreSQL goes through a
#: chord of thousands of members once for each of them.
_PARENTS = """
    parents as (
        select next as seq, delivered from huey_job where next is not null
        union all
        select child.seq, parent.delivered
        from huey_job child join huey_job parent on parent.seq = child.source
        where parent.next is null or parent.next <> child.seq)
    """

#: Each query returns a ``label`` of every row that breaks the sentence.
INVARIANTS: dict[str, str] = {
    "I1 a job is in one known state": """
        select seq as label from huey_job where state not in
            ('scheduled', 'pending', 'blocked', 'running', 'done', 'dead', 'revoked', 'expired')
        """,
    "I2 running, and nothing else, has a worker, a time of claim and a claim number": """
        select seq as label from huey_job
        where (state = 'running') <> (worker is not null)
            or (state = 'running') <> (claimed_at is not null)
            or (state = 'running' and claim < 1)
        """,
    "I3 final, and nothing else, has a time of end": """
        select seq as label from huey_job
        where (state in ('done', 'dead', 'revoked', 'expired')) <> (finished_at is not null)
        """,
    "I4 a live stage waits for exactly the parents that have not delivered": f"""
        with {_PARENTS},
        missing as (select seq, count(*) as number from parents where delivered = 0 group by seq)
        select child.seq as label from huey_job child left join missing using (seq)
        where child.finished_at is null and child.waits <> coalesce(missing.number, 0)
        """,
    "I4 a live stage has all its parents, or brought along what they gave": f"""
        with {_PARENTS},
        found as (select seq, count(*) as number from parents group by seq),
        brought as (select seq, count(*) as number from huey_input group by seq)
        select child.seq as label
        from huey_job child left join found using (seq) left join brought using (seq)
        where child.finished_at is null
            and child.inputs <> coalesce(found.number, 0) + coalesce(brought.number, 0)
        """,
    "I4 only what a job of its own is the source of comes first after it": """
        select child.seq as label
        from huey_job child join huey_job parent on parent.seq = child.source
        where parent.next is null or parent.next = child.seq or parent.slot is not null
        """,
    "I4 only a blocked or an ended job waits for parents": """
        select seq as label from huey_job
        where waits > 0 and state not in ('blocked', 'dead', 'revoked', 'expired')
        """,
    "I4 a blocked job waits for a parent or for a key": """
        select seq as label from huey_job where state = 'blocked' and waits = 0 and key_name is null
        """,
    "I4 no key blocks a job that it has room for": """
        with paused(queue, task) as (select queue, name from huey_flag where kind = 'paused-task'),
        ready as (
            select *, row_number() over (
                partition by queue, key_name order by priority desc, run_at, seq) as place
            from huey_job
            where state = 'blocked' and waits = 0 and (queue, task) not in (select * from paused)),
        held as (
            select queue, key_name, count(*) as number from huey_job
            where state = 'running'
                or (state = 'pending' and (queue, task) not in (select * from paused))
            group by queue, key_name)
        select seq as label from ready left join held using (queue, key_name)
            left join huey_limit using (queue, task)
        where place = 1
            and (huey_limit.queue is null or coalesce(number, 0) < coalesce(at_once, 1))
            and (queue, ready.key_name) not in (
                select queue, name from huey_value where kind = 'lock')
            and (queue, ready.key_name) not in (
                select queue, name from huey_key where due is not null)
        """,
    "I5 a stage has started only if each of its parents has delivered": f"""
        with {_PARENTS}
        select child.seq as label from huey_job child join parents using (seq)
        where parents.delivered = 0
            and (child.claim > 0 or child.state in ('scheduled', 'pending', 'running', 'done'))
        """,
    "I5 a parent that is done, and any member of a chord that is over, has delivered": """
        select parent.seq as label from huey_job parent
        where parent.next is not null and parent.delivered = 0 and (
            parent.state = 'done' or (parent.slot is not null and parent.finished_at is not null))
        """,
    "I6 a running job's worker is registered": """
        select seq as label from huey_job
        where state = 'running' and worker not in (select id from huey_worker)
        """,
    "I7 there are no more attempts than claims": """
        select seq as label from huey_job where not (0 <= attempt and attempt <= claim)
        """,
    "nobody is asked to stop but who runs": """
        select seq as label from huey_job where cancel_requested <> 0 and state <> 'running'
        """,
    "every job has its payload and every payload its job": """
        select seq as label from huey_job where seq not in (select seq from huey_payload)
        union all select seq from huey_payload where seq not in (select seq from huey_job)
        """,
    "a result is there if it is unread, or read and needed by a later stage": """
        select seq as label from huey_job
        where taken = 0 and seq not in (select seq from huey_result)
        union all
        select result.seq as label from huey_result result left join huey_job job using (seq)
        where job.seq is null or (coalesce(job.taken, 1) <> 0 and job.next is null)
            or job.queue <> result.queue
        """,
    "a handler and what came along belong to a job": """
        select seq as label from huey_handler where seq not in (select seq from huey_job)
        union all select seq from huey_input where seq not in (select seq from huey_job)
        """,
    "only a final job has a result": """
        select seq as label from huey_job where taken is not null and finished_at is null
        """,
    "numbers begin at one": "select seq as label from huey_job where seq < 1",
    "every queue that has a job is described": """
        select distinct queue as label from huey_job
        where queue not in (select queue from huey_queue)
        """,
    "where the pending jobs are counted, the count is right": """
        select queue as label from huey_queue where pending is not null and pending <> (
            select count(*) from huey_job
            where huey_job.queue = huey_queue.queue and state = 'pending')
        """,
    "a log line belongs to a job": """
        select seq as label from huey_log where seq not in (select seq from huey_job)
        """,
}


#: All of them in one: a server is asked once, and not for each sentence.
_BROKEN = " union all ".join(
    f"select {number}, cast(label as text) from ({statement}) as found"
    for number, statement in enumerate(INVARIANTS.values())
)

#: Runs a query and answers its rows.
Query = Callable[[str], list[Any]]


def broken(query: Query) -> list[str]:
    """Every sentence that is false of the rows, with up to ten of those that break it."""
    breaches: dict[int, list[str]] = {}
    for number, label in query(_BROKEN):
        breaches.setdefault(number, []).append(label)
    sentences = list(INVARIANTS)
    found = [
        f"{sentences[number]}: broken by {labels[:10]}"
        for number, labels in sorted(breaches.items())
    ]
    written = query("select seq, errors from huey_job where errors is not null")
    if rows := [seq for seq, errors in written if not _is_history(errors)]:
        found.append(f"the errors of a job are a list of at most 25: broken by {rows[:10]}")
    return found


def _is_history(errors: str) -> bool:
    try:
        read = json.loads(errors)
    except ValueError:
        return False
    return isinstance(read, list) and len(read) <= 25

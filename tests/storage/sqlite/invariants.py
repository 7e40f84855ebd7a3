"""What must be true of every queue file at every moment, in SQL alone (RELIABILITY §10, I1 to I8).

Any suite may call :func:`check_invariants` on a file that is in use, was killed or lost its power.
"""

from __future__ import annotations

import sqlite3
from urllib.parse import quote

from hueycore.storage.sqlite import schema

#: Each query returns a label of every row that breaks the sentence.
INVARIANTS: dict[str, str] = {
    "I1 a job is in one known state": """
        select seq from huey_job where state not in
            ('scheduled', 'pending', 'blocked', 'running', 'done', 'dead', 'revoked', 'expired')
        """,
    "I2 running, and nothing else, has a worker, a time of claim and a claim number": """
        select seq from huey_job
        where (state = 'running') <> (worker is not null)
            or (state = 'running') <> (claimed_at is not null)
            or (state = 'running' and claim < 1)
        """,
    "I3 final, and nothing else, has a time of end": """
        select seq from huey_job
        where (state in ('done', 'dead', 'revoked', 'expired')) <> (finished_at is not null)
        """,
    "I4 a live stage waits for exactly the parents that have not delivered": """
        select child.seq from huey_job child
        where child.finished_at is null and child.waits <> (
            select count(*) from huey_job parent
            where (parent.next = child.seq or parent.seq = child.source) and parent.delivered = 0)
        """,
    "I4 a live stage has all its parents, or brought along what they gave": """
        select child.seq from huey_job child
        where child.finished_at is null and child.inputs <> (
            select count(*) from huey_job parent
            where parent.next = child.seq or parent.seq = child.source) + (
            select count(*) from huey_input where huey_input.seq = child.seq)
        """,
    "I4 only what a job of its own is the source of comes first after it": """
        select child.seq from huey_job child join huey_job parent on parent.seq = child.source
        where parent.next is null or parent.next = child.seq or parent.slot is not null
        """,
    "I4 only a blocked or an ended job waits for parents": """
        select seq from huey_job
        where waits > 0 and state not in ('blocked', 'dead', 'revoked', 'expired')
        """,
    "I4 a blocked job waits for a parent or for a key": """
        select seq from huey_job where state = 'blocked' and waits = 0 and key_name is null
        """,
    "I4 no key blocks a job that it has room for": """
        with paused(queue, task) as (select queue, name from huey_flag where kind = 'paused-task'),
        ready as (
            select *, row_number() over (
                partition by queue, key_name order by priority desc, run_at, seq) as place
            from huey_job
            where state = 'blocked' and waits = 0 and (queue, task) not in paused),
        held as (
            select queue, key_name, count(*) as number from huey_job
            where state = 'running' or (state = 'pending' and (queue, task) not in paused)
            group by queue, key_name)
        select seq from ready left join held using (queue, key_name)
            left join huey_limit using (queue, task)
        where place = 1
            and (huey_limit.queue is null or coalesce(number, 0) < coalesce(at_once, 1))
            and (queue, ready.key_name) not in (
                select queue, name from huey_value where kind = 'lock')
            and (queue, ready.key_name) not in (
                select queue, name from huey_key where due is not null)
        """,
    "I5 a stage has started only if each of its parents has delivered": """
        select child.seq from huey_job child
            join huey_job parent on parent.next = child.seq or parent.seq = child.source
        where parent.delivered = 0
            and (child.claim > 0 or child.state in ('scheduled', 'pending', 'running', 'done'))
        """,
    "I5 a parent that is done, and any member of a chord that is over, has delivered": """
        select parent.seq from huey_job parent
        where parent.next is not null and parent.delivered = 0 and (
            parent.state = 'done' or (parent.slot is not null and parent.finished_at is not null))
        """,
    "I6 a running job's worker is registered": """
        select seq from huey_job
        where state = 'running' and worker not in (select id from huey_worker)
        """,
    "I7 there are no more attempts than claims": """
        select seq from huey_job where not (0 <= attempt and attempt <= claim)
        """,
    "nobody is asked to stop but who runs": """
        select seq from huey_job where cancel_requested and state <> 'running'
        """,
    "every job has its payload and every payload its job": """
        select seq from huey_job where seq not in (select seq from huey_payload)
        union all select seq from huey_payload where seq not in (select seq from huey_job)
        """,
    "a result is there if it is unread, or read and needed by a later stage": """
        select seq from huey_job
        where taken = 0 and seq not in (select seq from huey_result)
        union all
        select result.seq from huey_result result left join huey_job job using (seq)
        where job.seq is null or (job.taken is not 0 and job.next is null)
            or job.queue <> result.queue
        """,
    "a handler and what came along belong to a job": """
        select seq from huey_handler where seq not in (select seq from huey_job)
        union all select seq from huey_input where seq not in (select seq from huey_job)
        """,
    "only a final job has a result": """
        select seq from huey_job where taken is not null and finished_at is null
        """,
    "numbers begin at one": "select seq from huey_job where seq < 1",
    "the errors of a job are a list of at most 25 objects": """
        select seq from huey_job where errors is not null and (
            not json_valid(errors) or json_type(errors) <> 'array'
            or json_array_length(errors) > 25)
        """,
    "every queue that has a job is described": """
        select distinct queue from huey_job where queue not in (select queue from huey_queue)
        """,
    "where the pending jobs are counted, the count is right": """
        select queue from huey_queue where pending is not null and pending <> (
            select count(*) from huey_job
            where huey_job.queue = huey_queue.queue and state = 'pending')
        """,
    "a log line belongs to a job": """
        select seq from huey_log where seq not in (select seq from huey_job)
        """,
}


def violations(connection: sqlite3.Connection) -> list[str]:
    """Every sentence that is false of the database, with up to ten of the rows that break it."""
    found = []
    for sentence, query in INVARIANTS.items():
        rows = [row[0] for row in connection.execute(query).fetchmany(10)]
        if rows:
            found.append(f"{sentence}: broken by {rows}")
    damage = [row[0] for row in connection.execute("pragma integrity_check").fetchall()]
    if damage != ["ok"]:
        found.append(f"I8 the file is whole: {damage[:5]}")
    found_version = connection.execute(
        "select value from huey_meta where name = 'schema'"
    ).fetchall()
    if len(found_version) != 1 or not 1 <= int(found_version[0][0]) <= schema.VERSION:
        found.append(f"I8 the schema's version is known: {found_version}")
    return found


def check_invariants(path: str) -> None:
    """AssertionError with every violation in the file."""
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("pragma busy_timeout=5000")
        connection.execute("begin")
        found = violations(connection)
    finally:
        connection.close()
    assert not found, f"{path}:\n" + "\n".join(found)

"""What the storage suites share: jobs to be born, runs to be ended, looking at rows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import Any

from hueycore.model.endings import Done, Ending, Failure
from hueycore.model.jobs import (
    Claim,
    Ended,
    Enqueued,
    Exchange,
    Job,
    NewJob,
    Recovered,
    Selector,
    Want,
)
from hueycore.model.plan import Edge, Plan
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.storage.sql.recovery import recover_worker
from hueycore.storage.sqlite import SqliteStorage, sidefile
from hueycore.storage.sqlite.sidefile import SideFile
from hueycore.system.ids import new_id

FAILURE = Failure("ValueError", "no", "Traceback: no")
DAY = 86_400.0


def new(task: str = "task", payload: bytes = b"payload", **fields: Any) -> NewJob:
    return NewJob(fields.pop("id", None) or new_id(), task, payload, **fields)


def born(storage: Storage, task: str = "task", **fields: Any) -> Enqueued:
    """Enqueue one job."""
    return storage.enqueue([new(task, **fields)])[0]


def worker(storage: Storage, name: str = "worker") -> int:
    return storage.register(name=name, kind="thread", slots=8)


def take(storage: Storage, number: int, free: int = 1, **want: Any) -> list[Claim]:
    """Claim up to ``free`` jobs for a worker."""
    return storage.exchange(number, [], Want(free, **want)).claims


def one(storage: Storage, number: int) -> Claim:
    """Claim the next job, which must be there."""
    (claim,) = take(storage, number)
    return claim


def ended(claim: Claim, ending: Ending | None = None, *, started: bool = True) -> Ended:
    at = claim.run_at + 0.25 if started else None
    return Ended(claim, Done() if ending is None else ending, at, 0.5 if started else 0.0)


def end(
    storage: Storage, number: int, claim: Claim, ending: Ending | None = None, **how: bool
) -> Exchange:
    """Write what became of a run, claim nothing."""
    return storage.exchange(number, [ended(claim, ending, **how)], Want(0))


def run(storage: Storage, number: int, ending: Ending | None = None) -> Claim:
    """Claim the next job and end it."""
    claim = one(storage, number)
    assert end(storage, number, claim, ending).lost == []
    return claim


def row(storage: Storage, seq: int | Enqueued | Claim) -> Job:
    """The job as it stands, which must exist."""
    number = seq if isinstance(seq, int) else seq.seq
    found = storage.job(str(number))
    assert found is not None and found.seq == number, f"no job {number}"
    return found


def state(storage: Storage, seq: int | Enqueued | Claim) -> State:
    return row(storage, seq).state


def by_seq(*seqs: int | Enqueued | Claim | NewJob) -> Selector:
    """These jobs."""
    return Selector(keys=tuple(str(s if isinstance(s, int) else s.id) for s in seqs))


def tasks(claims: Sequence[Claim]) -> list[str]:
    return [claim.task for claim in claims]


# --- the SQLite engine, seen through SQL ----------------------------------------------------------


def sql(storage: SqliteStorage, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read with a plain query."""
    return storage.db.read(lambda con: con.execute(query, values).fetchall())


def write(storage: SqliteStorage, query: str, *values: Any) -> int:
    """Change rows behind the storage's back."""
    return storage.db.transact(lambda con: con.execute(query, values).rowcount)


def edge(
    storage: SqliteStorage,
    parents: Sequence[Enqueued],
    child: Enqueued,
    *,
    chord: bool = False,
    delay: float = 0,
) -> None:
    """``child`` becomes a later stage that waits for ``parents``."""

    def body(con: sqlite3.Connection) -> None:
        for place, parent in enumerate(parents):
            con.execute(
                "update huey_job set next = ?, slot = ? where seq = ?",
                (child.seq, place if chord else None, parent.seq),
            )
        con.execute(
            """
            update huey_job set state = 'blocked', inputs = ?, waits = ?, delay = ?
            where seq = ?
            """,
            (len(parents), len(parents), delay, child.seq),
        )

    storage.db.transact(body)


def pipeline(storage: SqliteStorage, length: int, **fields: Any) -> list[Enqueued]:
    """Jobs that wait for each other."""
    edges = [Edge(place, place + 1) for place in range(length - 1)]
    return storage.enqueue([new(f"stage-{n}", **fields) for n in range(length)], Plan(edges))


def chord(storage: Storage, length: int, **fields: Any) -> tuple[list[Enqueued], Enqueued]:
    """Members, and a callback that waits for all of them."""
    jobs = [new("member", **fields) for _ in range(length)]
    edges = [Edge(place, length, place) for place in range(length)]
    *members, callback = storage.enqueue([*jobs, new("callback")], Plan(edges))
    return members, callback


def bury(storage: SqliteStorage, number: int) -> list[Recovered]:
    """The kernel frees the lock byte of a dead process; a janitor then recovers its jobs."""
    side = storage.side()
    if side is not None:
        side.unlock(number)
        return storage.recover()

    (dead,) = (w for w in storage.db.read(storage._worker_rows) if w.id == number)
    return storage.db.transact(lambda con: recover_worker(con, dead, storage.alive))


#: Told by the clock or the machine, so that two runs of the same verbs differ in them.
VOLATILE = {"huey_worker": ("pid", "side", "host", "boot_id")}


def give_back(before: set[tuple[int, int]]) -> list[SideFile]:
    """Close the side files that were opened since; the lock bytes in them go with that."""
    sides = [sidefile._files.pop(key) for key in set(sidefile._files) - before]
    for side in sides:
        for memory in side._maps.values():
            memory.close()
        os.close(side._descriptor)
    return sides


def tables(con: sqlite3.Connection) -> list[str]:
    rows = con.execute(
        "select name from sqlite_master where type = 'table' and name like 'huey_%' order by name"
    ).fetchall()
    return [name for (name,) in rows]


def contents(con: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a queue file says, for comparing two of them."""
    found = {}
    for table in tables(con):
        columns = [
            row[1]
            for row in con.execute(f"pragma table_info({table})").fetchall()
            if row[1] not in VOLATILE.get(table, ())
        ]
        listed = ", ".join(f'"{column}"' for column in columns)
        found[table] = sorted(con.execute(f"select {listed} from {table}").fetchall(), key=repr)
    return found


def snapshot(storage: SqliteStorage) -> dict[str, list[tuple[Any, ...]]]:
    return storage.db.read(contents, snapshot=True)

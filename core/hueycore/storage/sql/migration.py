"""Jobs, results and revocations that come over from another program, each of them once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from hueycore.model.jobs import Enqueued, JobRef, NewJob
from hueycore.model.migration import (
    MARK,
    Brought,
    Migration,
    OldResult,
    Whole,
    of_job,
    of_message,
    of_revocation,
    of_value,
)
from hueycore.model.plan import Input, Plan
from hueycore.storage.protocol import migration as protocol
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.enqueue import describe_queue, insert_jobs
from hueycore.storage.sql.flags import set_order
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.results import put_value
from hueycore.storage.sql.stages import join, keep_inputs

#: The task of a job that was over: its name is nowhere.
UNNAMED = "from-huey"
_NAME = "from-huey/"


class Migrations(Part, protocol.Migrations):
    def bring(self, migration: Migration, *, dry_run: bool = False) -> Brought:
        sieve = _Sieve(migration)

        def body(con: Connection) -> Brought:
            describe_queue(con, self.queue, self.serializer)
            sieve.sift(con, self.queue)
            jobs = _insert(con, self.queue, sieve.fresh)
            _insert_results(con, self.queue, sieve.results)
            for name, value in sieve.values.items():
                put_value(con, self.queue, name, value)
            for order in sieve.orders:
                set_order(con, order._replace(queue=self.queue, since=con.now()))
            _remember(con, self.queue, sieve.marks())
            tasks = [job.task for whole in sieve.fresh for job in whole.jobs]
            self.sign(
                con, "load", [JobRef(*one[:2], task) for one, task in zip(jobs, tasks, strict=True)]
            )
            return sieve.brought(jobs)

        if dry_run:
            self.db.read(lambda con: sieve.sift(con, self.queue), snapshot=True)
            return sieve.brought([])
        brought = self.db.transact(body)
        self.ring()
        return brought


class _Sieve:
    """What of a migration has not been brought before, and stands in nobody's way. What takes time
    is done before the transaction, in which all others wait."""

    def __init__(self, migration: Migration) -> None:
        self._all = migration
        self._ids = [job.id for whole in migration.wholes for job in whole.jobs]
        self._ids += [one.id for one in migration.results]
        self._mark = {id_: of_job(id_) for id_ in self._ids}
        self._messages = {of_message(data) for one in migration.wholes for data in one.sources}

    def sift(self, con: Connection, queue: str) -> None:
        migration = self._all
        self._known = known = marks(con, queue).get(queue, set())
        taken = _existing(con, queue, self._ids)
        self.fresh: list[Whole] = []
        self.outcomes: list[str] = []
        for whole in migration.wholes:
            ids = [job.id for job in whole.jobs]
            outcome = "loaded"
            if any(self._mark[id_] in known for id_ in ids):
                outcome = "known"
            elif not taken.isdisjoint(ids):
                outcome = "exists"
            else:
                self.fresh.append(whole)
                taken.update(ids)
            self.outcomes.append(outcome)
        self.results = [
            one
            for one in migration.results
            if one.id not in taken and self._mark[one.id] not in known
        ]
        self.values = {
            name: value for name, value in migration.values.items() if of_value(name) not in known
        }
        self.orders = [one for one in migration.revocations if of_revocation(one) not in known]

    def marks(self) -> list[str]:
        """What is new in the memory. A message is no news any more, whatever became of it."""
        fresh = [self._mark[job.id] for whole in self.fresh for job in whole.jobs]
        fresh += [self._mark[one.id] for one in self.results]
        fresh += map(of_value, self.values)
        fresh += map(of_revocation, self.orders)
        return [*fresh, *(self._messages - self._known)]

    def brought(self, jobs: Sequence[Enqueued]) -> Brought:
        return Brought(self.outcomes, jobs, len(self.results), len(self.values), len(self.orders))


def marks(con: Connection, queue: str = "*") -> dict[str, set[str]]:
    """What was brought, by queue: to this one, or to every one."""
    d = con.dialect
    rows = con.execute(
        f"select name, value from huey_meta where {d.glob('name')}", (d.pattern(_NAME + "*"),)
    ).fetchall()
    return {
        name.removeprefix(_NAME): {
            value[start : start + MARK] for start in range(0, len(value), MARK)
        }
        for name, value in rows
        if queue in ("*", name.removeprefix(_NAME))
    }


def _remember(con: Connection, queue: str, fresh: Iterable[str]) -> None:
    con.execute(
        """
        insert into huey_meta (name, value) values (?, ?)
        on conflict (name) do update set value = huey_meta.value || excluded.value
        """,
        (_NAME + queue, "".join(fresh)),
    )


def _existing(con: Connection, queue: str, ids: Sequence[str]) -> set[str]:
    d = con.dialect
    rows = con.execute(
        f"select id from huey_job where queue = ? and {d.among('id')}", (queue, d.listed(ids))
    ).fetchall()
    return {row[0] for row in rows}


def _insert(con: Connection, queue: str, wholes: Sequence[Whole]) -> list[Enqueued]:
    """Insert the jobs, in their order. A unique one that waits already stands for a single job; a
    stage is a job of its own."""
    jobs: list[NewJob] = []
    plans: list[tuple[int, Plan]] = []
    given: dict[int, Sequence[Input]] = {}
    for whole in wholes:
        by, alone = len(jobs), len(whole.jobs) == 1
        jobs += (_peaceful(job, alone) if job.unique_until else job for job in whole.jobs)
        plans.append((by, whole.plan))
        given |= {place + by: inputs for place, inputs in whole.given.items()}
    stored = insert_jobs(con, queue, jobs)
    fresh = [one.fresh for one in stored]
    plan = Plan.joined(plans)
    plan = plan._replace(
        handlers={place: text for place, text in plan.handlers.items() if fresh[place]}
    )
    joined = join(con, [one._replace(fresh=True) for one in stored], plan)
    for place, inputs in given.items():
        keep_inputs(con, [(stored[place].seq, one) for one in inputs])
        con.execute(
            "update huey_job set inputs = inputs + ? where seq = ?",
            (len(inputs), stored[place].seq),
        )
    return [one._replace(fresh=new) for one, new in zip(joined, fresh, strict=True)]


def _peaceful(job: NewJob, alone: bool) -> NewJob:
    return job._replace(on_conflict="keep") if alone else job._replace(unique_until=None)


def _insert_results(con: Connection, queue: str, results: Sequence[OldResult]) -> None:
    now = con.now()
    numbers = con.dialect.numbers(con, len(results)) if results else ()
    rows = [
        (seq, one.id, queue, UNNAMED, one.state, now, now, now, 0, _entry(one.error, now))
        for seq, one in zip(numbers, results, strict=True)
    ]
    con.executemany(
        """
        insert into huey_job (seq, id, queue, task, state, run_at, enqueued_at, finished_at, taken,
            errors)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        rows,
    )
    con.executemany(
        "insert into huey_payload (seq, payload) values (?, ?)", [(row[0], b"") for row in rows]
    )
    con.executemany(
        "insert into huey_result (seq, queue, result) values (?, ?, ?)",
        [(row[0], queue, one.result) for row, one in zip(rows, results, strict=True)],
    )


def _entry(error: Mapping[str, str] | None, now: float) -> str | None:
    return None if error is None else json.dumps([{"at": now, "attempt": 1, **error}])

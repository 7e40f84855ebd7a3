"""Jobs with everything they have, out of one storage and into another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Cargo, Job, JobRef, Loaded, Selector
from hueycore.model.records import Record
from hueycore.model.states import FINAL, LIVE, WAITING, State
from hueycore.model.ties import Ends
from hueycore.storage.protocol import transfer as protocol
from hueycore.storage.sql import arrival, departure
from hueycore.storage.sql import records as belongings
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.edges import NEEDED
from hueycore.storage.sql.keys import settle_all
from hueycore.storage.sql.operators import purge_rows
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.queries import to_job
from hueycore.storage.sql.selector import LIST
from hueycore.storage.sql.ties import in_need, neighbours

#: Of ``huey_meta``: how far the load of a dump has come.
MARK = "load/"
#: Seconds that a time may be off which was in a file.
_CLOSE = 2e-6


class Transfer(Part, protocol.Transfer):
    def export(self, selector: Selector) -> list[Cargo]:
        return self.db.read(
            lambda con: departure.pack(con, departure.rows(con, selector), {}), snapshot=True
        )

    def dump(
        self, selector: Selector, *, records: bool = False
    ) -> Iterator[Sequence[Cargo | Record]]:
        with self.db.view() as con:
            if records:
                yield from belongings.pages(con, selector.queues)
            yield from departure.pages(con, selector)

    def load(
        self,
        cargo: Sequence[Cargo],
        *,
        if_exists: str = "keep",
        pending: bool = False,
        mark: protocol.Mark | None = None,
    ) -> list[Loaded]:
        def body(con: Connection) -> list[Loaded]:
            loaded = arrival.bring_in(con, cargo, if_exists, pending)
            if mark is not None:
                _set_mark(con, mark)
            self.sign(con, "load", [one.job for one in loaded if one.outcome == "loaded"])
            return loaded

        loaded = self.db.transact(body, whole=True)
        self.ring()
        return loaded

    def load_records(self, records: Sequence[Record], *, if_exists: str = "keep") -> list[str]:
        outcomes = self.db.transact(
            lambda con: belongings.bring_in(con, records, if_exists), whole=True
        )
        self.ring()
        return outcomes

    def mark(self, dump: str) -> str | None:
        row = self.db.read(
            lambda con: con.execute(
                "select value from huey_meta where name = ?", (MARK + dump,)
            ).fetchone()
        )
        return None if row is None else str(row[0])

    def refuses(self, error: StorageError) -> bool:
        cause = error.__cause__
        return isinstance(cause, Exception) and self.db.read(lambda con: con.dialect.refuses(cause))

    def discard(
        self, jobs: Sequence[Job], *, waiting: bool = False, reason: str | None = None
    ) -> list[JobRef]:
        def body(con: Connection) -> list[JobRef]:
            gone = _unchanged(con, jobs, waiting)
            if waiting:
                _keep_ties(con, gone)
            purge_rows(con, [(job.seq, job.queue) for job in gone.values()])
            if waiting:
                settle_all(con, {(j.queue, j.key_name) for j in gone.values() if j.key_name})
            self.sign(con, "purge", number=len(gone), reason=reason)
            return [JobRef(job.seq, job.id, job.task) for job in gone.values()]

        return self.db.transact(body, whole=True)


def _set_mark(con: Connection, mark: protocol.Mark) -> None:
    con.execute("delete from huey_meta where name = ?", (MARK + mark.dump,))
    if mark.text is not None:
        con.execute(
            "insert into huey_meta (name, value) values (?, ?)", (MARK + mark.dump, mark.text)
        )


def _unchanged(con: Connection, jobs: Sequence[Job], waiting: bool) -> dict[int, Job]:
    """Of these jobs those that are still as they were seen, by number."""
    d = con.dialect
    rows = con.execute(
        f"select {LIST}, {NEEDED} from huey_job where {d.among('seq')}",
        (d.listed(job.seq for job in jobs),),
    ).fetchall()
    now = {row[0]: (to_job(row[:-1]), bool(row[-1])) for row in rows}
    gone = {}
    for seen in jobs:
        job, needed = now.get(seen.seq, (None, False))
        if job is None or not _is_same(job, seen):
            continue
        if (job.state is not State.RUNNING) if waiting else (job.state in FINAL and not needed):
            gone[job.seq] = job
    return gone


#: What a change of a job changes, besides its state and its times.
_SAME = ("queue", "id", "task", "claim", "attempt", "waits", "priority", "preview", "key_name")
_TIMES = ("run_at", "finished_at", "expires_at")


def _is_same(job: Job, seen: Job) -> bool:
    """Whether nobody has changed a job. One that waits may have come nearer to its turn."""
    waits = job.state in WAITING and seen.state in WAITING
    return (
        (waits or job.state == seen.state)
        and all(getattr(job, name) == getattr(seen, name) for name in _SAME)
        and all(_is_close(getattr(job, name), getattr(seen, name)) for name in _TIMES)
    )


def _is_close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or abs(one - other) < _CLOSE


def _keep_ties(con: Connection, gone: dict[int, Job]) -> None:
    """Leave out what hangs together with a live job that stays, and what a job that stays needs."""
    tied: dict[int, Ends] = {
        seq: (job.next, job.source)
        for seq, job in gone.items()
        if job.inputs or job.next is not None or job.source is not None
    }
    if not tied:
        return
    edges = tied | neighbours(con, tied)
    outside = in_need(con, [seq for seq in edges if seq not in gone])
    children, around = defaultdict(set), defaultdict(set)
    for seq, (after, source) in edges.items():
        for parent, child in ((seq, after), (source, seq)):
            if parent is not None and child is not None:
                children[parent].add(child)
                around[parent].add(child)
                around[child].add(parent)
    stay = [seq for seq, live in outside.items() if live]
    while stay:
        for seq in around[stay.pop()]:
            if seq in gone and gone[seq].state in LIVE:
                del gone[seq]
                stay.append(seq)
                outside[seq] = True
    for seq in [seq for seq in gone if children[seq] & outside.keys()]:
        del gone[seq]

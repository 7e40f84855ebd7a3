"""Is the storage sound? For ``hueyctl doctor``: integrity, and invariants between rows."""

from __future__ import annotations

from hueycore.model.jobs import Selector
from hueycore.model.reports import Finding
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.limits import stranded
from hueycore.storage.sql.part import Part

#: Sentences that hold for every row, and the rows that break them. The CHECKs of the schema hold
#: what one row can say about itself; these hold between rows.
INVARIANTS: tuple[tuple[str, str], ...] = (
    (
        "every running job belongs to a registered worker",
        """select seq from huey_job where state = 'running'
            and worker not in (select id from huey_worker)""",
    ),
    (
        "every job has its payload",
        "select seq from huey_job where seq not in (select seq from huey_payload)",
    ),
    (
        "every payload and result belongs to a job",
        """select seq from huey_payload where seq not in (select seq from huey_job)
            union select seq from huey_result where seq not in (select seq from huey_job)""",
    ),
    (
        "a waiting stage counts the parents that have not delivered",
        """select child.seq from huey_job child where child.waits <> (
            select count(*) from huey_job parent
            where (parent.next = child.seq or parent.seq = child.source) and parent.delivered = 0)
            and child.state = 'blocked' and child.key_name is null""",
    ),
    (
        "a live stage has all its parents, or brought along what they gave",
        """select child.seq from huey_job child
            where child.finished_at is null and child.inputs <> (
                select count(*) from huey_job parent
                where parent.next = child.seq or parent.seq = child.source)
                + (select count(*) from huey_input where huey_input.seq = child.seq)""",
    ),
    (
        "an unread result is stored",
        """select seq from huey_job where taken = 0
            and seq not in (select seq from huey_result)""",
    ),
)


class Examination(Part, Queries):
    def examine(self, *, full: bool = False) -> list[Finding]:
        def body(con: Connection) -> list[Finding]:
            found = [Finding("integrity", text, ()) for text in self.damage(con, full)]
            no_key = ("no key blocks a job that it has room for", stranded(con.dialect))
            for sentence, query in (*INVARIANTS, no_key) if full else ():
                rows = con.execute(f"{query} limit 20").fetchall()
                if rows:
                    found.append(Finding("invariant", sentence, tuple(row[0] for row in rows)))
            return found

        return self.db.read(body, snapshot=True)

    def newest_at(self) -> float | None:
        """When the newest job was enqueued."""
        newest = self.jobs(Selector(sort="-seq", limit=1))
        return newest[0].enqueued_at if newest else None

    def damage(self, con: Connection, full: bool) -> list[str]:
        """What the database itself finds damaged; ``full``: it reads everything for that."""
        raise NotImplementedError

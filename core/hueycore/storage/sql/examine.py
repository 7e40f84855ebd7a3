"""Is the file sound? For ``hueyctl doctor``: integrity, invariants, and what lies about."""

from __future__ import annotations

import os
import sqlite3

from hueycore.model.reports import Finding
from hueycore.storage.sql.limits import STRANDED
from hueycore.storage.sql.part import Room

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
    ("no key blocks a job that it has room for", STRANDED),
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


class Examination(Room):
    def examine(self, *, full: bool = False) -> list[Finding]:
        """What is wrong with the file, nothing when it is sound. ``full`` reads every page and
        checks the invariants between rows, which takes time on a large file."""

        def body(con: sqlite3.Connection) -> list[Finding]:
            found = []
            check = "integrity_check" if full else "quick_check(1)"
            for row in con.execute(f"pragma {check}").fetchall():
                if row[0] != "ok":
                    found.append(Finding("integrity", row[0], ()))
            if full:
                for sentence, query in INVARIANTS:
                    rows = con.execute(f"{query} limit 20").fetchall()
                    if rows:
                        found.append(Finding("invariant", sentence, tuple(row[0] for row in rows)))
            return found

        return self.db.read(body, snapshot=True)

    def size(self) -> tuple[int, int]:
        """Bytes of the file and of its write-ahead log."""
        return _size(self.db.path), _size(self.db.path + "-wal")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0

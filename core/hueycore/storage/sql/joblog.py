"""What runs say of themselves, written while they run and with their endings: lines, progress."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hueycore.model.events import LogLine, Said
from hueycore.model.jobs import Claim
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.protocol.workers import Workers
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.part import Part

#: Log lines that a job keeps over all its runs, the newest ones.
KEPT_LINES = 2000


class JobLog(Part, Workers, Queries):
    def note(self, said: Sequence[tuple[Claim, Said]]) -> None:
        self.db.transact(lambda con: write_notes(con, self.queue, said), durable=False)

    def log(self, seq: int, after: int = 0, *, queue: str | None = None) -> list[LogLine]:
        def body(con: Connection) -> list[LogLine]:
            rows = con.execute(
                """
                select at, level, message, attempt, line from huey_log
                where seq = ? and line > ? order by line
                """,
                (seq, after),
            ).fetchall()
            return [LogLine._make(row) for row in rows]

        return self.db.read(body)


def write_notes(con: Connection, queue: str, said: Iterable[tuple[Claim, Said]]) -> None:
    """Write progress and lines in the caller's transaction, each only while its claim stands."""
    for claim, (progress, lines) in said:
        standing = con.execute(
            """
            update huey_job set progress = coalesce(?, progress)
            where seq = ? and claim = ? and state = 'running'
            """,
            (progress, claim.seq, claim.claim),
        ).rowcount
        if standing and lines:
            _write_lines(con, queue, claim, lines)


def _write_lines(con: Connection, queue: str, claim: Claim, lines: Sequence[LogLine]) -> None:
    last = con.execute(
        "select coalesce(max(line), 0) from huey_log where seq = ?", (claim.seq,)
    ).fetchone()[0]
    con.executemany(
        """
        insert into huey_log (seq, line, queue, attempt, at, level, message)
        values (?, ?, ?, ?, ?, ?, ?)
        """,
        [
            (claim.seq, number, queue, claim.attempt, line.at, line.level, line.message)
            for number, line in enumerate(lines, last + 1)
        ],
    )
    con.execute(
        "delete from huey_log where seq = ? and line <= ?",
        (claim.seq, last + len(lines) - KEPT_LINES),
    )

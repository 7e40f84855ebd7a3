"""Writing down what runs say of themselves: while they run, and with their endings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from hueycore.storage.rows import Claim
from hueycore.storage.told import LogLine, Said

#: Log lines that a job keeps over all its runs, the newest ones.
KEPT_LINES = 2000


def write_said(con: sqlite3.Connection, queue: str, said: Iterable[tuple[Claim, Said]]) -> None:
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


def _write_lines(
    con: sqlite3.Connection, queue: str, claim: Claim, lines: Sequence[LogLine]
) -> None:
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

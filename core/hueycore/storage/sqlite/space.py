"""The room that a queue file takes: how much it is, and giving it back.

Files are not made with ``auto_vacuum=incremental``, which could do it in steps: to know who points
to a page an enqueue writes 2 % more pages, and an ending 4 %.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hueycore.model.diagnosis import Diagnosis, ok, warning
from hueycore.model.reports import Info
from hueycore.storage.sqlite import schema

if TYPE_CHECKING:
    from hueycore.storage.sqlite.database import Database
    from hueycore.storage.sqlite.dial import Connection

#: From here on a vacuum is advised: the share of a file that is free, and bytes.
MUCH_FREE, LARGE = 0.5, 64 * 1024 * 1024
#: Where SQLite has the locks of those who read, in the index of the log.
_READERS = range(123, 128)


def info(db: Database, size: int, log: int) -> Info:
    def body(con: Connection) -> Info:
        page, free = _pragma(con, "page_size"), _pragma(con, "freelist_count")
        facts = {
            "path": db.path,
            "page_size": page,
            "pages": _pragma(con, "page_count"),
            "free_pages": free,
            "journal_mode": str(con.execute("pragma journal_mode").fetchone()[0]),
            "other_tables": others(con),
            "readers": readers(db.path),
        }
        version = sqlite3.sqlite_version
        return Info("SQLite", version, schema.version(con), size, log, page * free, None, facts)

    return db.read(body)


def vacuum(db: Database) -> None:
    """Write the file anew, without its holes."""

    def body(con: Connection) -> None:
        # A second copy is made: not in memory, as what is temporary else.
        con.execute("pragma temp_store=file")
        try:
            con.execute("vacuum")
        finally:
            con.execute("pragma temp_store=memory")

    db.alone(body)
    db.checkpoint(truncate=True)


def room(db: Database) -> Iterator[Diagnosis]:
    """Whether most of the file is holes."""
    pages, free, page = db.read(
        lambda con: [_pragma(con, name) for name in ("page_count", "freelist_count", "page_size")]
    )
    share = free / max(1, pages)
    text = f"{free * page:,} of {pages * page:,} bytes are free for what comes"
    facts = {"free_bytes": free * page, "free_share": round(share, 3)}
    if share > MUCH_FREE and free * page > LARGE:
        hint = "to give them back to the disk: stop the consumers, then hueyctl db vacuum"
        yield warning("space", text, hint, **facts)
    else:
        yield ok("space", text, **facts)


def others(con: Connection) -> list[str]:
    """The tables in the same file that are not a queue's."""
    rows = con.execute(
        """
        select name from sqlite_master where type = 'table'
            and name not glob 'huey_*' and name not glob 'sqlite_*' order by name
        """
    ).fetchall()
    return [row[0] for row in rows]


def readers(path: str) -> list[int]:
    """The processes that read at this moment, and so keep the log as long as it is; as far as the
    system tells."""
    from pathlib import Path  # here: who only enqueues does without

    try:
        inode = os.stat(path + "-shm").st_ino
        # Opened and closed in there, whatever strikes here.
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return []
    found = set()
    for words in map(str.split, lines):
        # 1: POSIX ADVISORY READ 4711 fe:01:1234 124 124
        *_, kind, pid, place, first, _ = ["", *words]
        ours = kind == "READ" and place.endswith(f":{inode}") and int(first) in _READERS
        if ours and pid.isdigit():  # else it is in another container
            found.add(int(pid))
    return sorted(found - {os.getpid()})


def _pragma(con: Connection, name: str) -> int:
    return int(con.execute(f"pragma {name}").fetchone()[0])

"""The tables of Huey in a SQLite file. They are only read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Container
from contextlib import closing

from hueycore.exceptions import ConfigurationError, StorageCorrupt, StorageMissing
from hueycore.model.migration import Holder, OldFile, OldMessage, of_message
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sqlite import schema
from hueycore.storage.sqlite.dial import dial
from hueycore.storage.sqlite.errors import translate
from hueycore.storage.sqlite.sidefile import SUFFIX

#: By their columns, because ``task`` and ``kv`` may be somebody else's tables.
_TABLES = {
    "task": {"id", "queue", "data", "priority"},
    "schedule": {"id", "queue", "data", "timestamp"},
    "kv": {"queue", "key", "value"},
}
_MESSAGES = """
    select 'task ' || id, coalesce(cast(data as blob), x'') from
        (select id, data from task where queue = :queue order by priority desc, id)
    union all
    select 'schedule ' || id, coalesce(cast(data as blob), x'') from
        (select id, data from schedule where queue = :queue order by timestamp, id)
"""
_VALUES = """
    select coalesce(cast(key as text), ''), coalesce(cast(value as blob), x'') from kv
    where queue = ? order by rowid
"""
#: Seconds that a file which others recover is tried for.
_PATIENCE = 5.0


def check(connection: Connection) -> None:
    """``schema.check``, which tells a file of Huey's for what it is."""
    try:
        schema.check(connection)
    except StorageCorrupt as error:
        if not holds_huey(connection):
            raise
        number = sum(waiting(connection, {}).values())
        raise StorageCorrupt(
            f"the file is Huey's, with {number:,} waiting jobs: hueyctl load --from-huey brings "
            "them over"
        ) from error


def holds_huey(con: Connection) -> bool:
    """Whether the tables are there."""
    (found,) = con.execute(
        "select count(*) from sqlite_master where type = 'table' and name in (?, ?, ?)",
        tuple(_TABLES),
    ).fetchone()
    return found == len(_TABLES) and all(
        {row[0] for row in con.execute("select name from pragma_table_info(?)", (name,)).fetchall()}
        == columns
        for name, columns in _TABLES.items()
    )


def waiting(con: Connection, brought: dict[str, set[str]]) -> dict[str, int]:
    """By queue, how many messages wait that were not brought."""
    counts = dict(
        con.execute(
            """
            select cast(queue as text), count(*) from
                (select queue from task union all select queue from schedule) group by queue
            """
        ).fetchall()
    )
    for queue in brought.keys() & counts.keys():
        counts[queue] = len(_unknown(con, queue, brought[queue]))
    return {queue: number for queue, number in counts.items() if number}


def read_old(path: str, queue: str | None) -> OldFile:
    """What Huey left for a queue, or for the only one when it is None: all of it as it is at one
    moment. Raises ``StorageMissing``; ``StorageCorrupt`` when there are no tables of Huey's;
    ``ConfigurationError`` when it is not there, or None and one of several."""
    path = os.path.realpath(path)
    if not os.path.isfile(path):
        raise StorageMissing(f"there is no file {path}")
    try:
        with closing(dial(path, "ro", pages=0, seconds=_PATIENCE)) as con:
            con.execute("begin")
            if not holds_huey(con):
                raise StorageCorrupt(f"{path} holds no tables of Huey's")
            name = _chosen(con, path, queue)
            return OldFile(
                path,
                name,
                [OldMessage(*row) for row in con.execute(_MESSAGES, {"queue": name}).fetchall()],
                dict(con.execute(_VALUES, (name,)).fetchall()),
                holders(path),
            )
    except sqlite3.Error as error:
        raise translate(error, path) from error


def holders(path: str) -> list[Holder]:
    """Other processes that have the file open without its side file, as far as they are in sight
    (where there is a /proc). Those of ours have both."""
    found = []
    mine = os.getpid()
    for pid in _numbers("/proc"):
        if pid == mine:
            continue
        names = {_target(f"/proc/{pid}/fd/{fd}") for fd in _numbers(f"/proc/{pid}/fd")}
        if path in names and path + SUFFIX not in names:
            found.append(Holder(pid, _command(pid)))
    return found


def _unknown(con: Connection, queue: str, brought: Container[str]) -> list[bytes]:
    rows = con.execute(_MESSAGES, {"queue": queue}).fetchall()
    return [data for _, data in rows if of_message(data) not in brought]


def _chosen(con: Connection, path: str, queue: str | None) -> str:
    names = [
        row[0]
        for row in con.execute(
            "select queue from task union select queue from schedule union select queue from kv"
        ).fetchall()
    ]
    if queue in names or not names:
        return queue or "huey"
    if queue is None and len(names) == 1:
        return str(names[0])
    wrong = "several queues" if queue is None else f"no queue {queue!r}"
    raise ConfigurationError(f"{path} has {wrong}: Huey's are {', '.join(names)}")


def _numbers(folder: str) -> list[int]:
    try:
        return [int(name) for name in os.listdir(folder) if name.isdecimal()]
    except OSError:
        return []  # of another user, gone, or a system without it


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""

"""The version of a schema: look at it, make it, migrate it."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageCorrupt, StorageError, StorageTooNew

if TYPE_CHECKING:
    from hueycore.storage.sql.dialect import Connection

VERSION = 2

#: {version: statements that lead from version - 1 to it}. Tables and columns are only added:
#: readers do not migrate.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: ('alter table huey_job add column ran_by text collate "C"',),
}

#: Encodings of databases that hold every text; the last one takes what it is given.
_ENCODINGS = "UTF8", "SQL_ASCII"
#: The triggers of events.sql.
_EVENTS = ("born", "claimed", "complete", "moved")


def version(con: Connection) -> int:
    """The version of the schema, 0 when it holds no queue yet."""
    if con.execute("select to_regclass('huey_meta')").fetchone() == (None,):
        return 0
    row = con.execute("select value from huey_meta where name = 'schema'").fetchone()
    return _number(None if row is None else row[0])


def _number(stored: str | None) -> int:
    if stored is None or not stored.isdecimal() or len(stored) > 9:
        raise StorageCorrupt("huey_meta has no schema version: the database is damaged")
    return int(stored)


def is_current(con: Connection) -> bool:
    """Raises ``StorageTooNew`` for a schema of a newer release."""
    return _is_current(version(con))


def check(stored: str | None) -> None:
    """Raise for a version that was stored by a newer release, or by none."""
    _is_current(_number(stored))


def _is_current(found: int) -> bool:
    if found > VERSION:
        raise StorageTooNew(
            f"the database has schema {found}, this release knows {VERSION}: upgrade hueyctl here"
        )
    return found == VERSION


def migrate(con: Connection) -> None:
    """Create the tables, or bring older ones up to date, in the caller's transaction."""
    found = version(con)
    if found == 0:
        _check_encoding(con)
        run(con, "schema.sql")
        con.execute(
            "insert into huey_meta (name, value) values ('schema', ?), ('identity', ?)",
            (str(VERSION), secrets.token_hex(16)),
        )
        return
    for step in range(found + 1, VERSION + 1):
        for statement in MIGRATIONS[step]:
            con.execute(statement)
    con.execute("update huey_meta set value = ? where name = 'schema'", (str(VERSION),))


def _check_encoding(con: Connection) -> None:
    """Raise where the first name that is not of its alphabet would be refused."""
    (encoding,) = con.execute("select current_setting('server_encoding')").fetchone()
    if encoding not in _ENCODINGS:
        error = StorageError(f"the database has the encoding {encoding}: jobs hold texts in UTF8")
        error.hint = "createdb --encoding UTF8 --template template0, and name that one in the URL"
        raise error


def identity(con: Connection) -> str:
    """What no other queue's data has, wherever it is."""
    row = con.execute("select value from huey_meta where name = 'identity'").fetchone()
    if row is None:
        raise StorageCorrupt("huey_meta has no identity: the database is damaged")
    return str(row[0])


def set_event_triggers(con: Connection, on: bool) -> None:
    if on:
        run(con, "events.sql")
    else:
        for name in _EVENTS:
            con.execute(f"drop trigger if exists huey_event_{name} on huey_job")


def run(con: Connection, name: str) -> None:
    """The statements of a file of SQL."""
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        con.execute(file.read())

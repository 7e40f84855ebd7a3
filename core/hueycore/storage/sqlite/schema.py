"""The schema's version: check it, create it, bring it up to date."""

from __future__ import annotations

import os
import sqlite3

from hueycore.exceptions import ConfigurationError, StorageCorrupt, StorageTooNew
from hueycore.storage.sql.dialect import Connection

VERSION = 3
#: STRICT tables.
MINIMUM_SQLITE = (3, 37, 0)

#: {version: statements that lead from version - 1 to it}. Tables and columns are only added:
#: readers do not migrate. An index may change: without it they are only slow.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: (
        "drop index huey_job_id",
        "create unique index huey_job_id on huey_job (id, queue)",
    ),
    3: ("alter table huey_job add column ran_by text",),
}


def version(connection: Connection) -> int:
    """The schema version of the file, 0 when it holds no queue yet."""
    if not connection.execute("select 1 from sqlite_master where name = 'huey_meta'").fetchall():
        return 0
    row = connection.execute("select value from huey_meta where name = 'schema'").fetchone()
    if row is None or not row[0].isdecimal() or len(row[0]) > 9:
        raise StorageCorrupt("huey_meta has no schema version: the file is damaged")
    return int(row[0])


def is_current(connection: Connection) -> bool:
    """Raises ``StorageTooNew`` for a file of a newer release."""
    found = version(connection)
    if found > VERSION:
        raise StorageTooNew(
            f"the file has schema {found}, this release knows {VERSION}: upgrade hueyctl here"
        )
    return found == VERSION


def check(connection: Connection) -> None:
    """For readers, who never migrate. An older schema is additive, hence readable; a file with no
    queue in it raises ``StorageCorrupt``."""
    if not is_current(connection) and version(connection) == 0:
        raise StorageCorrupt("the file is a database, but holds no queue")


def complete(connection: Connection) -> None:
    """Give a reader of an older file the columns that its jobs do not have, as long as the
    connection lasts; once somebody has migrated the file, its own column comes first."""
    if 0 < version(connection) < 3:
        connection.execute(
            "create temp view huey_job as select *, null as ran_by from main.huey_job"
        )


def migrate(connection: Connection) -> None:
    """Create the schema, or bring an older one up to date, in the caller's transaction."""
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        raise ConfigurationError(
            f"SQLite 3.37 or newer is needed; this Python has {sqlite3.sqlite_version}"
        )
    found = version(connection)
    if found == 0:
        for statement in statements():
            connection.execute(statement)
        return
    for step in range(found + 1, VERSION + 1):
        for statement in MIGRATIONS[step]:
            connection.execute(statement)
    connection.execute("update huey_meta set value = ? where name = 'schema'", (str(VERSION),))


def set_triggers(con: Connection, name: str, on: bool = True) -> None:
    """Make the triggers of a file of SQL anew, or drop them."""
    for trigger in statements(name):
        con.execute(f"drop trigger if exists {trigger.split('create trigger ')[1].split()[0]}")
        if on:
            con.execute(trigger)


def statements(name: str = "schema.sql") -> list[str]:
    """A file of SQL, statement by statement: executescript would commit the transaction first."""
    beside = os.path.dirname(__file__)
    with open(os.path.join(beside, name), encoding="utf-8") as file:
        text = file.read()
    found, pending = [], ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    return found

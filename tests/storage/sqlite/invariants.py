"""What must be true of every queue file at every moment.

Any suite may call :func:`check_invariants` on a file that is in use, was killed or lost its power.
"""

from __future__ import annotations

import sqlite3
from urllib.parse import quote

from hueycore.storage.sqlite import schema
from tests.storage.sql.invariants import broken


def violations(connection: sqlite3.Connection) -> list[str]:
    """Every sentence that is false of the database (RELIABILITY §10, I1 to I8)."""
    found = broken(lambda query: connection.execute(query).fetchall())
    damage = [row[0] for row in connection.execute("pragma integrity_check").fetchall()]
    if damage != ["ok"]:
        found.append(f"I8 the file is whole: {damage[:5]}")
    found_version = connection.execute(
        "select value from huey_meta where name = 'schema'"
    ).fetchall()
    if len(found_version) != 1 or not 1 <= int(found_version[0][0]) <= schema.VERSION:
        found.append(f"I8 the schema's version is known: {found_version}")
    return found


def check_invariants(path: str) -> None:
    """AssertionError with every violation in the file."""
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("pragma busy_timeout=5000")
        connection.execute("begin")
        found = violations(connection)
    finally:
        connection.close()
    assert not found, f"{path}:\n" + "\n".join(found)

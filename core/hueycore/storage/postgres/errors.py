"""PostgreSQL's errors in the library's words, told by their codes."""

from __future__ import annotations

import psycopg

from hueycore.exceptions import (
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageMoved,
    StorageReadOnly,
)
from hueycore.storage.postgres.hints import hint, in_one_line

#: What the server undid, and would do if it were asked again: serialization, deadlock.
_UNDONE = ("40001", "40P01")
#: The server goes down, is starting, or the connection is gone: or as good as gone, when what was
#: prepared on it has been forgotten (DISCARD ALL).
_AWAY = ("57P01", "57P02", "57P03", "26000")

_KINDS: dict[str, tuple[type[StorageError], str]] = {
    "55P03": (StorageBusy, "somebody else has held a lock of the queue for too long"),
    "57014": (StorageBusy, "the server has stopped a statement that took too long"),
    "25P03": (StorageBusy, "the server has ended a transaction that was idle for too long"),
    "53300": (StorageBusy, "the server has no connection left"),
    "53100": (StorageFull, "no space left on the server's disk"),
    "53200": (StorageError, "the server has no memory left"),
    "25006": (StorageReadOnly, "the server is a standby, or was set to be read only"),
    "42501": (StorageReadOnly, "this user may not do that there"),
    "28P01": (StorageError, "the password is wrong"),
    "28000": (StorageError, "the server does not let this user in"),
    "3D000": (StorageMissing, "there is no such database"),
    "3F000": (StorageMissing, "there is no such schema"),
    "42P01": (StorageMoved, "the tables of the queue were dropped while they were in use"),
    "XX001": (StorageCorrupt, "the data is damaged"),
    "XX002": (StorageCorrupt, "an index is damaged"),
}


def translate(error: psycopg.Error) -> StorageError:
    """The library's exception for one of PostgreSQL's."""
    kind, text = _KINDS.get(error.sqlstate or "", (StorageError, ""))
    said = error.diag.message_primary or _said(error)
    found = kind(f"PostgreSQL: {text} ({said})" if text else f"PostgreSQL: {said}")
    found.hint = hint(error.sqlstate, said)
    return found


def is_undone(error: psycopg.Error) -> bool:
    """Whether a transaction that raised this has left nothing, and may succeed if tried again."""
    return (error.sqlstate or "") in _UNDONE


def is_away(error: psycopg.Error, connection: psycopg.Connection[object] | None) -> bool:
    """Whether it is the connection that is gone, or could not be made because the server is not
    there; ``connection``: the one that raised it."""
    code = error.sqlstate or ""
    if code:
        return code in _AWAY or code.startswith("08")
    return isinstance(error, psycopg.OperationalError) and (connection is None or connection.broken)


def missing(text: str) -> StorageMissing:
    """There is no queue where one was looked for."""
    found = StorageMissing(text)
    found.hint = "--create makes it, and so does an application with its first job"
    return found


def _said(error: psycopg.Error) -> str:
    # libpq repeats the words of a connection string that it cannot read, password and all.
    if isinstance(error, psycopg.ProgrammingError) and "connection info string" in str(error):
        return "the address cannot be read"
    return in_one_line(str(error)) or type(error).__name__

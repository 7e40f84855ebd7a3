"""Endings that the database does not take. Nothing can be mended by trying again: their jobs end
dead, and no other ending waits for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from hueycore.model.endings import Dead, Failure
from hueycore.model.jobs import Ended
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.endings import Applied, apply_endings
from hueycore.storage.sql.failures import forget_unreadable

T = TypeVar("T")


class Refused(Exception):
    """The database does not take what was to be written; the message says why."""


def apply_together(con: Connection, queue: str, endings: Sequence[Ended]) -> Applied:
    """``apply_endings``. Raises ``Refused`` when one of them cannot be written; the transaction is
    to be rolled back then."""
    try:
        return apply_endings(con, queue, endings)
    except Exception as error:
        if con.dialect.refuses(error):
            raise _refused(error) from error
        raise


def apply_each(con: Connection, queue: str, endings: Sequence[Ended]) -> Applied:
    """The same one by one; what cannot be written ends its job dead."""
    whole = Applied([], [])
    for ended in endings:
        try:
            one = attempt(con, partial(apply_endings, con, queue, [ended]))
        except Refused as error:
            one = end_unwritable(con, queue, ended, error)
        whole = Applied(
            whole.lost + one.lost,
            whole.stopped + one.stopped,
            whole.unwritable + one.unwritable,
            whole.freed or one.freed,
        )
    return whole


def end_unwritable(con: Connection, queue: str, ended: Ended, error: Refused) -> Applied:
    """End a job dead because its ending cannot be written."""
    seq = ended.claim.seq
    known: Failure | None = getattr(ended.ending, "failure", None)
    message = f"the ending {type(ended.ending).__name__} cannot be written: {error}"
    if known is not None:
        message += f"; the run had failed with {known.type}: {known.message}"
    dead = Dead("unwritable", Failure("Unwritable", message, known.traceback if known else ""))
    forget_unreadable(con, seq)
    write = partial(apply_endings, con, queue, [ended._replace(ending=dead, said=None)])
    try:
        applied = attempt(con, write)
    except Refused:
        # What is left to be read is the handler.
        con.execute("delete from huey_handler where seq = ?", (seq,))
        applied = write()
    if applied.lost:
        return applied
    return applied._replace(unwritable=[(ended, str(error))])


def attempt(con: Connection, step: Callable[[], T]) -> T:
    """Take one step of the caller's transaction, whole or not at all. Raises ``Refused``, and what
    else ends the transaction."""
    con.execute("savepoint huey_attempt")
    try:
        value = step()
    except Exception as error:
        if not con.dialect.refuses(error):
            raise
        con.execute("rollback to huey_attempt")
        con.execute("release huey_attempt")
        raise _refused(error) from error
    con.execute("release huey_attempt")
    return value


def _refused(error: Exception) -> Refused:
    return Refused(f"{type(error).__name__}: {error}"[:1000])

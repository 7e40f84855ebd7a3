"""The failed attempts of a job, as its row keeps them for people to read."""

from __future__ import annotations

import json

from hueycore.model.endings import Failure
from hueycore.model.jobs import Claim
from hueycore.storage.sql.dialect import Connection

#: Attempts whose errors a row keeps, the newest ones.
KEPT_ERRORS = 25


def add_error(
    con: Connection,
    claim: Claim,
    failure: Failure,
    at: float,
    run_s: float,
    worker: str,
    *,
    counted: bool = True,
) -> None:
    """Append to the row's ``errors``. Not ``counted``: the run was given back, no attempt. Of such
    runs one after another only the last is kept: a job that waits for its turn a hundred times must
    not lose the errors of its attempts."""
    errors = json.loads(_stored(con, claim.seq) or "[]")
    if errors and errors[-1].get("counted") is False and not counted:
        errors.pop()
    elif len(errors) >= KEPT_ERRORS:
        del errors[0]
    entry = {
        "at": at,
        "attempt": claim.attempt,
        "type": failure.type,
        **({"class": failure.path} if failure.path else {}),
        "message": failure.message,
        "traceback": failure.traceback,
        "run_s": round(run_s, 6),
        "worker": worker,
        "counted": counted,
    }
    text = json.dumps([*errors, entry], separators=(",", ":"))
    con.execute("update huey_job set errors = ? where seq = ?", (text, claim.seq))


def forget_unreadable(con: Connection, seq: int) -> None:
    """Make room for errors that can be read."""
    try:
        found = json.loads(_stored(con, seq) or "[]")
        readable = isinstance(found, list) and all(isinstance(one, dict) for one in found)
    except (ValueError, RecursionError):
        readable = False
    if not readable:
        con.execute("update huey_job set errors = null where seq = ?", (seq,))


def _stored(con: Connection, seq: int) -> str | None:
    row = con.execute("select errors from huey_job where seq = ?", (seq,)).fetchone()
    text: str | None = row and row[0]
    return text

"""The failed attempts of a job, as its row keeps them for people to read."""

from __future__ import annotations

import json

from hueycore.model.endings import Failure
from hueycore.model.failures import read_errors
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
    query = "select errors from huey_job where seq = ?"
    text = con.execute(query, (claim.seq,)).fetchone()[0]
    errors = read_errors(text)
    if errors and errors[-1].get("counted") is False and not counted:
        errors.pop()
    elif len(errors) >= KEPT_ERRORS:
        del errors[0]
    entry = {
        "at": at,
        "attempt": claim.attempt,
        "type": failure.type,
        "message": failure.message,
        "traceback": failure.traceback,
        "run_s": round(run_s, 6),
        "worker": worker,
        "counted": counted,
    }
    text = json.dumps([*errors, entry], separators=(",", ":"))
    con.execute("update huey_job set errors = ? where seq = ?", (text, claim.seq))

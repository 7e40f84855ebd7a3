"""``model.rest`` in SQL."""

from __future__ import annotations

#: The state of a row whose time has come.
READY = "case when key_name is null then 'pending' else 'blocked' end"


def expiry(run_at: str) -> str:
    """``expires_at`` of a row that may begin at ``run_at``, in an UPDATE. One that is scheduled has
    it for people to see: its time counts from its promotion on."""
    return f"coalesce({run_at} + expires_in, expires_at)"


def state(run_at: str) -> str:
    """The state of a row that waits for no other, and runs at ``run_at``; ``:now`` is the time."""
    return f"case when {run_at} > :now then 'scheduled' else {READY} end"

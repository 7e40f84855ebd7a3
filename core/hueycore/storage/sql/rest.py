"""``model.rest`` in SQL."""

from __future__ import annotations

#: The state of a row whose time has come.
READY = "case when key_name is null then 'pending' else 'blocked' end"


def state(run_at: str) -> str:
    """The state of a row that waits for no other, and runs at ``run_at``; ``:now`` is the time."""
    return f"case when {run_at} > :now then 'scheduled' else {READY} end"

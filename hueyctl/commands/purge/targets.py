"""The words for what can be deleted."""

from __future__ import annotations

#: Jobs that wait are revoked first, so that whatever follows them learns of it.
WAITING = ("pending", "scheduled")
KINDS = ("results", "locks", "counters", "events")
TARGETS = (*WAITING, "done", "dead", "revoked", "expired", *KINDS, "all")

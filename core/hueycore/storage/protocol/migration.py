"""For jobs that come over from another program."""

from __future__ import annotations

from typing import Protocol

from hueycore.model.migration import Brought, Migration


class Migrations(Protocol):
    """What Huey left, and what of it has come over."""

    def left_by_huey(self) -> dict[str, int]:
        """By queue, how many jobs wait in tables of Huey's that lie in the same database, and were
        not brought over yet. Cheap where there are none."""
        ...

    def bring(self, migration: Migration, *, dry_run: bool = False) -> Brought:
        """Let in what comes over to this queue, all of it in one transaction, and remember it: what
        came once never comes again, not even after its jobs were purged. A limit of pending jobs
        does not hold here. ``dry_run``: only say what would come."""
        ...

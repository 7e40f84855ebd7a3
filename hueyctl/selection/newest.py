"""The newest jobs that are meant, found by looking at so many rows at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueycore.model.jobs import Newest

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.selection.selection import Selection

#: Rows that are looked at; jobs that are looked into, where a condition is about what lies in them.
LOOKED, OPENED = 100_000, 2000


def newest(storage: Storage, selection: Selection, before: int = 0) -> Newest:
    """Those before a number, 0 for the very newest. ``limit`` of the selection has to be one."""
    limit = selection.limit or 1
    selector = selection.selector._replace(before=before, limit=limit)
    if selection.impossible:
        return Newest([], 0, 0)
    if not selection.deep:
        return storage.newest(selector, LOOKED)
    kept: list[Job] = []
    opened = looked = 0
    while True:
        page = storage.newest(selector, LOOKED - looked)
        looked, opened = looked + page.looked, opened + len(page.jobs)
        for job in page.jobs:
            if len(kept) >= limit and job.seq != kept[-1].seq:  # those of one number come together
                return Newest(kept, looked, kept[-1].seq)
            payload = storage.payload(job.seq, queue=job.queue) if selection.needs_payload else None
            if selection.matches(job, payload):
                kept.append(job)
        if not page.before or len(kept) >= limit or opened >= OPENED or looked >= LOOKED:
            return Newest(kept, looked, page.before)
        selector = selector._replace(before=page.before)

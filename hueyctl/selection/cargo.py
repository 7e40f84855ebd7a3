"""The jobs that are meant with their bytes, a page in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo, Job
    from hueycore.storage.base import Storage
    from hueyctl.selection.selection import Selection

#: How much is read from the storage at once: bytes of payloads and results.
_PAGE_BYTES = 8_000_000
_PAGE_JOBS = 500
_BY_ID = 50


def cargoes(storage: Storage, selection: Selection) -> Iterator[Cargo]:
    """The selected jobs in order."""

    def is_meant(cargo: Cargo) -> bool:
        return selection.matches(cargo.job, cargo.payload)

    return selection.filtered(_pages(storage, selection), is_meant)


def _pages(storage: Storage, selection: Selection) -> Iterator[Cargo]:
    if selection.selector.sort != "seq":
        yield from _sorted(storage, selection)
        return
    selector, size = selection.selector, 50
    while True:
        page = storage.export(selector._replace(limit=size))
        yield from page
        if len(page) < size:
            return
        selector = selector._replace(after=page[-1].job.seq)
        weight = sum(len(one.payload or b"") + len(one.result or b"") for one in page)
        size = min(_PAGE_JOBS, max(1, size * _PAGE_BYTES // max(1, weight)))


def _sorted(storage: Storage, selection: Selection) -> Iterator[Cargo]:
    """``export`` knows one order only."""
    limit = None if selection.deep else selection.limit
    return cargo_of(storage, storage.jobs(selection.selector._replace(limit=limit)))


def cargo_of(storage: Storage, found: Sequence[Job]) -> Iterator[Cargo]:
    """These jobs with their bytes, in this order. One that was purged meanwhile is left out."""
    from hueycore.model.jobs import Selector

    for start in range(0, len(found), _BY_ID):
        group = found[start : start + _BY_ID]
        queues = tuple({job.queue for job in group})
        page = storage.export(Selector(queues=queues, keys=tuple(job.id for job in group)))
        by_id = {(one.job.queue, one.job.id): one for one in page}
        for job in group:
            if (one := by_id.get((job.queue, job.id))) is not None:
                yield one

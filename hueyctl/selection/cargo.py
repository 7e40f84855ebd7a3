"""The jobs that are meant with their bytes, a page in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo, Job
    from hueycore.model.records import Record
    from hueycore.storage.base import Storage
    from hueyctl.selection.selection import Selection

_BY_ID = 50


def cargoes(storage: Storage, selection: Selection) -> Iterator[Cargo]:
    """The selected jobs in order, as they are at one moment where the selection is the storage's
    alone."""
    from hueycore.model.jobs import Cargo

    if selection.impossible:
        return iter(())
    ordered = selection.order is not None or selection.selector.sort != "seq"
    if selection.deep or selection.limit is not None or ordered:
        return cargo_of(storage, selection.jobs(storage))
    pages = storage.dump(selection.selector)
    return (one for page in pages for one in page if isinstance(one, Cargo))


def everything(storage: Storage, selection: Selection) -> Iterator[Cargo | Record]:
    """All selected jobs at one moment, and before them what their queues have besides."""
    pages = storage.dump(selection.selector, records=True)
    return (one for page in pages for one in page)


def cargo_of(storage: Storage, found: Iterable[Job]) -> Iterator[Cargo]:
    """These jobs with their bytes, in this order. One that was purged meanwhile is left out."""
    from hueycore.model.jobs import Selector

    jobs = iter(found)
    while group := list(islice(jobs, _BY_ID)):
        queues = tuple({job.queue for job in group})
        page = storage.export(Selector(queues=queues, keys=tuple(job.id for job in group)))
        by_id = {(one.job.queue, one.job.id): one for one in page}
        for job in group:
            if (one := by_id.get((job.queue, job.id))) is not None:
                yield one

"""Jobs that change their storage: at the source goes what the target has, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from hueycore.model.jobs import Job, Selector
from hueycore.model.states import LIVE, State
from hueyctl import errors, exits

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo
    from hueycore.storage.base import Storage
    from hueyctl.changes.arrival import Numbered
    from hueyctl.changes.target import Target
    from hueyctl.context import Session


class Mover:
    """The source of a dump. While one of its consumers may take jobs nothing is moved."""

    def __init__(self, session: Session, target: Target) -> None:
        self._session, self._target = session, target
        self._source: Storage | None = None
        self._moved = self._stay = 0

    def open(self, source: str) -> None:
        """The storage that a dump says it is from. Exit 6 when it is worked on."""
        self._source = self._session.other(source)
        target = self._target.look()
        if target is not None and target.url == self._source.url:
            raise errors.CliError("the jobs are there already", exits.REFUSED)
        self._refuse_consumers(self._source)

    def movable(self, batch: list[Numbered]) -> list[Numbered]:
        """Without the groups that stay: those that are not at the source any more, that run, or
        that were torn from what they hang together with."""
        source = self._of_source()
        self._refuse_consumers(source)
        here = _by_id(source, [one.job for _, one in batch])
        found: list[Numbered] = []
        for _, members in groupby(batch, lambda one: one[1].group or -one[0]):
            group = list(members)
            there = [here.get((one.job.queue, one.job.id)) for _, one in group]
            if not any(there):
                continue  # moved by an earlier run
            if any(job is not None and job.state is State.RUNNING for job in there) or _is_torn(
                [one for _, one in group]
            ):
                self._stay += len(group)
                continue
            found += group
        return found

    def move(
        self, target: Storage, came: Sequence[Numbered], there: Sequence[Numbered]
    ) -> Iterator[tuple[int, Job, str]]:
        """Delete at the source what ``came``, and of what was ``there`` before what is the same
        job. Answers with what could not go, and why."""
        source = self._of_source()
        known = _by_id(target, [one.job for _, one in there])
        sure = list(came)
        for number, one in there:
            other = known.get((one.job.queue, one.job.id))
            if other is not None and _is_same(other, one.job):
                sure.append((number, one))
            else:
                yield number, one.job, f"another job has the id {one.job.id}, or one of its group"
        gone = {job[:2] for job in source.discard([one.job for _, one in sure], waiting=True)}
        self._moved += len(gone)
        left = [(number, one.job) for number, one in sure if (one.job.seq, one.job.id) not in gone]
        still = _by_id(source, [job for _, job in left])
        for number, job in left:
            if (job.queue, job.id) in still:
                yield number, job, f"job {job.id} has changed at the source: it is on both sides"

    def report(self, session: Session) -> None:
        session.notice(f"{self._moved} deleted at the source")
        if self._stay:
            raise errors.CliError(
                f"{self._stay} jobs stay at the source: they run, or hang together with jobs that "
                "do or are not in the dump",
                hint="run it again when they are over",
            )

    def _of_source(self) -> Storage:
        if self._source is None:
            raise errors.usage("--move needs a dump that says where it is from")
        return self._source

    def _refuse_consumers(self, source: Storage) -> None:
        paused = {row.queue for row in source.queues() if row.paused_at is not None}
        busy = [
            row
            for row in source.workers()
            if row.alive and row.takes_jobs and row.queue not in paused
        ]
        if busy:
            raise errors.CliError(
                f"a consumer works at the source ({busy[0].name}): a job could run on both sides",
                exits.REFUSED,
                f"stop it, or hueyctl pause --queue {busy[0].queue}",
            )


def _is_torn(group: Sequence[Cargo]) -> bool:
    """Whether a job that lives waits for one that is not here, or is waited for by one."""
    here = {one.job.seq: one for one in group}
    parents: Counter[int] = Counter()
    coming: Counter[int] = Counter()
    for one in group:
        source = here.get(one.job.source or 0)
        for child, parent in ((one.job.next, one), (one.job.seq, source)):
            if child is not None and parent is not None:
                parents[child] += 1
                coming[child] += not parent.delivered
    return any(
        one.job.state in LIVE
        and (
            one.job.waits > coming[one.job.seq]
            or one.job.inputs > parents[one.job.seq] + len(one.inputs)
            or (one.job.next is not None and not one.delivered and one.job.next not in here)
        )
        for one in group
    )


def _by_id(storage: Storage, jobs: Sequence[Job]) -> dict[tuple[str, str], Job]:
    queues = tuple({job.queue for job in jobs})
    keys = tuple(job.id for job in jobs)
    found = storage.jobs(Selector(queues=queues, keys=keys)) if jobs else []
    return {(job.queue, job.id): job for job in found}


def _is_same(job: Job, seen: Job) -> bool:
    """Whether a job of the target is one that has come there before."""
    return job.task == seen.task and abs(job.enqueued_at - seen.enqueued_at) < 1e-5

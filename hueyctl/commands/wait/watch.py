"""Looking until jobs are where they should be, and a line for each change of state."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hueycore.model.jobs import Selector
from hueycore.model.states import FINAL, State
from hueyctl import errors, exits, streams
from hueyctl.answers.results import Outcome
from hueyctl.answers.unserved import Unserved
from hueyctl.answers.watch import MOST, Timeout, looks
from hueyctl.output.results import failure_of, purged
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.context import Session


#: What keeps a queue from being empty, besides what is due.
_BUSY = (State.PENDING, State.BLOCKED, State.RUNNING)


def wait_empty(
    session: Session,
    storage: Storage,
    queues: tuple[str, ...],
    timeout: float | None,
    interval: float | None,
) -> int:
    """Until nothing of these queues is pending, blocked, running or due."""
    busy = Selector(queues=queues, states=_BUSY)
    later = Selector(queues=queues, states=(State.SCHEDULED,))
    unserved = Unserved(storage)
    left = 0
    try:
        for _ in looks(storage, timeout, interval or MOST):
            # Asked at each look, news or not: a scheduled job becomes due by itself.
            due = later._replace(where=(("run_at", "<=", time.time()),))
            left = storage.count(busy) + storage.count(due)
            if left == 0:
                break
            for text in unserved.look(_busy_queues(storage, queues)):
                session.notice(text)
    except Timeout:
        raise errors.CliError(f"timed out; {left} jobs are left", exits.TIMEOUT) from None
    return exits.OK


def _busy_queues(storage: Storage, queues: tuple[str, ...]) -> Iterator[str]:
    """Those of the queues, or of all, that have something to run."""
    now = time.time()
    due = storage.due()
    for depth in storage.depths():
        if queues and depth.queue not in queues:
            continue
        late = depth.state == State.SCHEDULED and due.get(depth.queue, now) < now
        if depth.count and (late or depth.state in _BUSY):
            yield depth.queue


class Watch:
    """Follows a fixed set of jobs until the goal is reached."""

    def __init__(
        self, session: Session, jobs: list[Job], goal: str, any_: bool, progress: bool
    ) -> None:
        self.session, self.output = session, session.output
        self.jobs = {job.address: job for job in jobs}
        self.goal, self.any = goal, any_
        self.progress = progress
        self.progress_text = ""
        self.changes: list[dict[str, Any]] = []

    def run(self, storage: Storage, timeout: float | None, interval: float | None) -> int:
        unserved = Unserved(storage)
        try:
            for news in looks(storage, timeout, interval or MOST):
                if news:
                    self._look(storage)
                self._warn(unserved)
                self._count()
                if self._is_over():
                    break
        except Timeout:
            still = " ".join(str(job.seq) for job in self.jobs.values() if not self._there(job))
            raise errors.CliError(f"timed out; still open: {still}", exits.TIMEOUT) from None
        finally:
            if self.progress:
                self._write_progress("")
            if self.output.format == "json":
                self.output.objects(self.changes)
        failed = [job for job in self.jobs.values() if self._has_failed(job)]
        if failed and not (self.any and any(map(self._reached, self.jobs.values()))):
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            raise errors.CliError(failure_of(Outcome(failed[0], None)) + more, exits.TASK_FAILED)
        return exits.OK

    def _warn(self, unserved: Unserved) -> None:
        queues = (job.queue for job in self.jobs.values() if not self._there(job))
        for text in unserved.look(queues):
            if self.progress:
                self._write_progress("")
            self.session.notice(text)

    def _look(self, storage: Storage) -> None:
        open_ = [job for job in self.jobs.values() if job.state not in FINAL]
        if not open_:
            return
        keys = tuple(job.id for job in open_)
        found = {job.address: job for job in storage.jobs(Selector(keys=keys))}
        for job in open_:
            newer = found.get(job.address)
            if newer is None:
                raise purged(job)
            if newer.state != job.state:
                self._say(job, newer)
            self.jobs[job.address] = newer

    def _say(self, old: Job, new: Job) -> None:
        from hueyctl.output.grid import shortened

        at = new.finished_at or (new.claimed_at if new.state == "running" else None) or time.time()
        change = {
            "seq": new.seq,
            "id": new.id,
            "from": str(old.state),
            "to": str(new.state),
            "at": rfc3339(at),
        }
        if self.output.format == "json":
            self.changes.append(change)
        elif self.output.format == "jsonl":
            self.output.document(change)
        elif self.output.on_tty:
            if self.progress:
                self._write_progress("")
            text = f"{new.seq:>7}  {old.state} → {new.state}  {streams.visible(new.task)}"
            self.output.line(shortened(text, streams.terminal_size()[0]))
        else:
            self.output.line("\t".join(str(value) for value in change.values()))

    def _reached(self, job: Job) -> bool:
        """Whether the job is where it should be."""
        if self.goal == "started":
            return job.state == "running" or job.started_at is not None
        return job.state == "done"

    def _has_failed(self, job: Job) -> bool:
        return job.state in FINAL and not self._reached(job)

    def _there(self, job: Job) -> bool:
        return self._reached(job) or job.state in FINAL

    def _is_over(self) -> bool:
        jobs = self.jobs.values()
        if self.any and any(map(self._reached, jobs)):
            return True
        if self.goal == "success" and not self.any and any(map(self._has_failed, jobs)):
            return True
        if self.any and self.goal == "done" and any(map(self._there, jobs)):
            return True
        return all(map(self._there, jobs))

    def _count(self) -> None:
        if self.progress:
            there = sum(map(self._there, self.jobs.values()))
            running = [job for job in self.jobs.values() if job.state == "running"]
            text = f"{there:,} of {len(self.jobs):,}, {len(running):,} running"
            if len(running) == 1 and running[0].progress:
                text += f": {streams.visible(running[0].progress)}"
            self._write_progress(text)

    def _write_progress(self, text: str) -> None:
        if text == self.progress_text:
            return
        from hueyctl.output.grid import shortened

        self.progress_text = text
        if streams.can_renew(sys.stderr):
            streams.renew(shortened(text, streams.terminal_size()[0] - 1))

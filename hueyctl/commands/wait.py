"""``hueyctl wait``: until jobs have ended, or the queue is empty."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits, streams
from hueyctl.answers.jobs import FINAL
from hueyctl.answers.watch import MOST, Timeout, looks
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.output.list_view import LIVE
from hueyctl.selection.options import ID_HELP, Choice, selector_options
from hueyctl.selection.params import DURATION, POSITIVE
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage

GOALS = ("done", "success", "started", "empty")


@command(
    "wait",
    examples=[
        "hueyctl wait 4312 --for success -t 2m",
        "hueyctl wait --for empty -t 10m",
        "hueyctl wait --task 'myapp.mail.*' --any -o jsonl",
    ],
    arguments=[ID_HELP],
    codes=[
        exits.NOT_FOUND,
        exits.TASK_FAILED,
        exits.UNAVAILABLE,
        exits.TIMEOUT,
        exits.INTERRUPTED,
    ],
)
@selector_options
@click.option(
    "--for",
    "goal",
    type=click.Choice(GOALS),
    default="done",
    show_default=True,
    help="done: ended, well or not. success: as done, but the first failure ends it. started: "
    "running or past it. empty: nothing of the queue is pending, blocked, running or due.",
)
@click.option("-t", "--timeout", type=DURATION, metavar="DUR", help="Exit 124 after this long.")
@click.option(
    "-i", "--interval", type=POSITIVE, metavar="S", help="Look at least this often (0.25)."
)
@click.option("--any", "any_", is_flag=True, help="One of the jobs is enough.")
@click.option(
    "--progress/--no-progress", default=None, help="A counter on stderr (default: on a terminal)."
)
def wait(
    session: Session,
    choice: Choice,
    goal: str,
    timeout: float | None,
    interval: float | None,
    any_: bool,
    progress: bool | None,
) -> int:
    """Wait until jobs have ended, and print each change of state.

    The jobs are those that match when the command starts. Exit 5 when one of them failed, 124
    when the time ran out first.
    """
    storage = session.looking()
    queues = session.check_queues(storage)
    if goal == "empty":
        if choice.narrows or any_:
            raise errors.usage("--for empty is about whole queues", "choose them with --queue")
        return _wait_empty(storage, queues, timeout, interval)
    if not choice.narrows:
        raise errors.usage("say which jobs to wait for", "ids, --task, --all, or --for empty")
    selection = choice.selection(queues, states=LIVE)
    jobs = list(selection.jobs(storage))
    selection.say_undecodable()
    _check_all_found(choice, selection.selector.keys, jobs)
    if not jobs:
        session.remark("No jobs match.")
        return exits.OK
    shown = progress if progress is not None else streams.is_tty(sys.stderr)
    watch = Watch(session, jobs, goal, any_, shown and not session.settings.quiet)
    return watch.run(storage, timeout, interval)


def _check_all_found(choice: Choice, keys: tuple[str, ...], jobs: list[Job]) -> None:
    if not choice.ids or choice.state or choice.where or choice.task:
        return
    found = {job.id for job in jobs} | {str(job.seq) for job in jobs}
    for key in keys:
        if key not in found:
            raise errors.CliError(f"no job {key}", exits.NOT_FOUND, "hueyctl list --state all")


def _wait_empty(
    storage: Storage, queues: tuple[str, ...], timeout: float | None, interval: float | None
) -> int:
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    busy = Selector(queues=queues, states=(State.PENDING, State.BLOCKED, State.RUNNING))
    later = Selector(queues=queues, states=(State.SCHEDULED,))
    left = 0
    try:
        for _ in looks(storage, timeout, interval or MOST):
            # Asked at each look, news or not: a scheduled job becomes due by itself.
            due = later._replace(where=(("run_at", "<=", time.time()),))
            left = storage.count(busy) + storage.count(due)
            if left == 0:
                break
    except Timeout:
        raise errors.CliError(f"timed out; {left} jobs are left", exits.TIMEOUT) from None
    return exits.OK


class Watch:
    """Follows a fixed set of jobs until the goal is reached."""

    def __init__(
        self, session: Session, jobs: list[Job], goal: str, any_: bool, progress: bool
    ) -> None:
        self.output = session.output
        self.jobs = {job.seq: job for job in jobs}
        self.goal, self.any = goal, any_
        self.progress = progress
        self.progress_text = ""
        self.changes: list[dict[str, Any]] = []

    def run(self, storage: Storage, timeout: float | None, interval: float | None) -> int:
        try:
            for news in looks(storage, timeout, interval or MOST):
                if news:
                    self._look(storage)
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
            from hueyctl.output.results import Outcome, failure_of

            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            raise errors.CliError(failure_of(Outcome(failed[0], None)) + more, exits.TASK_FAILED)
        return exits.OK

    def _look(self, storage: Storage) -> None:
        from hueycore.model.jobs import Selector

        open_ = [job for job in self.jobs.values() if job.state not in FINAL]
        if not open_:
            return
        keys = tuple(job.id for job in open_)
        found = {job.seq: job for job in storage.jobs(Selector(keys=keys))}
        for job in open_:
            newer = found.get(job.seq)
            if newer is None:
                from hueyctl.output.results import purged

                raise purged(job)
            if newer.state != job.state:
                self._say(job, newer)
            self.jobs[job.seq] = newer

    def _say(self, old: Job, new: Job) -> None:
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
            task = streams.visible(new.task)
            self.output.line(f"{new.seq:>7}  {old.state} → {new.state}  {task}")
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
            text = f"{there} of {len(self.jobs)}, {len(running)} running"
            if len(running) == 1 and running[0].progress:
                text += f": {streams.visible(running[0].progress)}"
            self._write_progress(text)

    def _write_progress(self, text: str) -> None:
        if text == self.progress_text:
            return
        self.progress_text = text
        try:
            sys.stderr.write(f"\r\x1b[K{text}" if streams.is_tty(sys.stderr) else "")
            sys.stderr.flush()
        except OSError:
            self.progress = False

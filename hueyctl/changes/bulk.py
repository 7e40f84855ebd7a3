"""Change many jobs: which ones, ask, do it, say what became of each.

A command describes itself with an ``Action`` and hands over to ``carry_out``::

    @command("revoke", ...)
    @selecting(all_help="Every job that waits or runs.")
    @bulk_options
    def revoke(session: Session, choice: Choice, how: How) -> int:
        action = Action("revoke", "revoked", states=LIVE,
                        apply=lambda storage, selector: storage.revoke(selector, how.reason))
        return carry_out(session, choice, how, action)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hueyctl import errors, exits, units
from hueyctl.changes.confirm import confirm
from hueyctl.changes.queues import looking_before_writing, queues_to_change
from hueyctl.changes.report import NOT_FOUND, REFUSED, Change
from hueyctl.output.counter import Counter
from hueyctl.selection.params import collected

if TYPE_CHECKING:
    from hueycore.model.jobs import Changed, Job, Selector
    from hueycore.storage.base import Storage
    from hueyctl.context import Session
    from hueyctl.selection.choice import Choice
    from hueyctl.selection.selection import Selection

#: Jobs that one transaction changes, so that workers are not kept waiting for long.
_GROUP = 500
#: The exit codes that such a command lists.
CODES = (
    exits.FAILURE,
    exits.NOT_FOUND,
    exits.NO_MATCH,
    exits.REFUSED,
    exits.UNAVAILABLE,
    exits.IO_ERROR,
    exits.CONFIG,
)


class How(NamedTuple):
    """The options of every command that changes jobs."""

    dry_run: bool
    yes: bool
    reason: str | None
    exit_code: bool


#: --dry-run, --yes, --reason and --exit-code; the command gets them as one ``how``.
bulk_options = collected(
    "how",
    How,
    {
        "dry_run": click.option("--dry-run", is_flag=True, help="Only say what would be changed."),
        "yes": click.option(
            "-y", "--yes", is_flag=True, allow_from_autoenv=False, help="Do not ask before."
        ),
        "reason": click.option("--reason", metavar="TEXT", help="Why; kept with what was changed."),
        "exit_code": click.option(
            "--exit-code", is_flag=True, help="Exit 4 when nothing was changed."
        ),
    },
)


@dataclass(slots=True, kw_only=True)
class Action:
    """What a command does to jobs.

    ``states`` are meant when none is named. ``apply`` changes the jobs of a selector in one
    transaction. ``fine`` are the states in which there is nothing to do; ``refuse`` says why a job
    must be left alone; ``past`` may say it per job. ``ask_above``: more jobs need a confirmation.
    """

    verb: str
    past: str | Callable[[Job], str]
    states: Sequence[str]
    apply: Callable[[Storage, Selector], Changed]
    fine: Sequence[str] = ()
    refuse: Callable[[Job], str | None] = lambda _job: None
    ask_above: int = 1

    def done_to(self, job: Job) -> str:
        return self.past if isinstance(self.past, str) else self.past(job)


def carry_out(session: Session, choice: Choice, how: How, action: Action) -> int:
    """The whole of such a command; answers the exit code."""
    return plan(session, choice, action).carry_out(session, how)


def plan(session: Session, choice: Choice, action: Action) -> Plan:
    """Find the jobs; nothing is changed yet. Exit 2 when nothing says which."""
    if not choice.narrows:
        raise errors.usage(
            f"say which jobs to {action.verb}", "ids, a filter such as --older-than, or --all"
        )
    storage = looking_before_writing(session)
    by_id = bool(choice.ids)
    # Every state is what --all means to a listing; a change is about those that it can be made to.
    meant = replace(choice, all_=False)
    filtered = choice.filters and not choice.all_
    found = partial(_queues_with, storage, meant, action) if filtered else None
    queues = queues_to_change(session, storage, by_id=by_id, found=found)
    selection = meant.selection(queues, states=action.states)
    jobs = list(selection.jobs(storage, session))
    selection.say_left_out()
    missing = _missing(storage, selection, jobs) if by_id else []
    return Plan(action, jobs, missing, queues, by_id)


def _queues_with(
    storage: Storage, choice: Choice, action: Action, known: Sequence[str]
) -> Iterator[str]:
    """Those of the queues that have jobs which are meant."""
    for name in known:
        selection = replace(choice, limit=None).selection((name,), states=action.states)
        if selection.deep:
            found = next(selection.jobs(storage), None) is not None
        else:
            found = selection.count(storage) > 0
        if found:
            yield name


def _missing(storage: Storage, selection: Selection, jobs: Sequence[Job]) -> list[str]:
    """The ids that no job has. One that another filter left out is not missing."""
    found = {job.id for job in jobs} | {str(job.seq) for job in jobs}
    queues = selection.selector.queues
    missing = []
    for key in selection.selector.keys:
        if key not in found:
            job = storage.job(key)
            if job is None or (queues and job.queue not in queues):
                missing.append(key)
    return missing


@dataclass(slots=True)
class Plan:
    """The jobs that a command is about to change."""

    action: Action
    jobs: list[Job]
    missing: list[str]
    queues: Sequence[str]
    by_id: bool
    #: More keys for the change document.
    more: dict[str, Any] = field(default_factory=dict)

    def carry_out(self, session: Session, how: How) -> int:
        change = self.begin(how)
        if not how.dry_run and self.jobs:
            self.ask(session, how)
            self.apply(session, change)
        return change.report(session, exit_code=how.exit_code)

    def begin(self, how: How) -> Change:
        """The change document, with what is refused before anything is done. Of ``jobs`` only
        those to be changed are left."""
        action = self.action
        change = Change(action.verb, matched=len(self.jobs), dry_run=how.dry_run, more=self.more)
        for key in self.missing:
            change.fail(key, NOT_FOUND, f"no job {key}")
        left = []
        for job in self.jobs:
            reason = action.refuse(job)
            if reason is not None and self.by_id:
                change.fail(job.id, REFUSED, f"job {job.seq} {reason}")
            elif reason is not None:
                # A filter did not ask for this very job.
                change.left_out.append(f"job {job.seq} {reason}")
            elif job.state not in action.fine:
                left.append(job)
        self.jobs = left
        if how.dry_run:
            for job in left:
                change.add(job, action.verb)
        return change

    def ask(self, session: Session, how: How, *, more: int = 0) -> None:
        """``more``: things to be changed besides the jobs."""
        number = len(self.jobs)
        if number + more > self.action.ask_above:
            parts = [units.counted(number, "job")] if number else []
            parts += [units.counted(more, "standing order")] if more else []
            what = f"{self.action.verb.capitalize()} {' and '.join(parts)}"
            confirm(session, f"{what}{self._names()}?", yes=how.yes)

    def _names(self) -> str:
        names = sorted({job.queue for job in self.jobs} or self.queues)
        return f" of queue {', '.join(names)}" if names else ""

    def tasks(self) -> set[str]:
        """The tasks of the jobs."""
        return {job.task for job in self.jobs}

    def apply(self, session: Session, change: Change) -> None:
        """Group by group. When the storage fails on the way, the rest is reported as failed."""
        storage = session.writing(self.jobs[0].queue)
        counter = Counter(session, lambda: len(self.jobs))
        try:
            self.apply_to(storage, change, counter.show)
        except KeyboardInterrupt:
            counter.clear()
            session.notice(f"{len(change.done):,} of {len(self.jobs):,} jobs were changed")
            raise
        finally:
            counter.clear()

    def apply_to(
        self,
        storage: Storage,
        change: Change,
        on_group: Callable[[int], None] = lambda _tried: None,
    ) -> None:
        """Into a storage that is open for writing. ``on_group`` is told how many were tried."""
        tried = 0
        for queue, group in _groups(self.jobs):
            self._try_group(storage, queue, group, change)
            tried += len(group)
            on_group(tried)

    def _try_group(
        self, storage: Storage, queue: str, group: Sequence[Job], change: Change
    ) -> None:
        from hueycore.exceptions import StorageError

        try:
            self._apply_group(storage, queue, group, change)
        except StorageError as error:
            if not change.done:
                raise
            for job in group:
                change.fail(job.id, "unavailable", f"job {job.seq}: {error}")

    def _apply_group(
        self, storage: Storage, queue: str, group: Sequence[Job], change: Change
    ) -> None:
        from hueycore.model.jobs import Selector

        # An id is one job of one queue; a number could also be the id of another job.
        keys = tuple(job.id for job in group)
        answer = self.action.apply(storage, Selector(queues=(queue,), keys=keys))
        changed = {ref.seq for ref in answer.changed}
        failed = {ref.seq: why for ref, why in answer.failed}
        for job in group:
            if job.seq in changed:
                change.add(job, self.action.done_to(job))
            else:
                why = failed.get(job.seq, "changed meanwhile")
                change.fail(job.id, REFUSED, f"job {job.seq} {_sentence(why)}")


def _groups(jobs: Sequence[Job]) -> Iterator[tuple[str, Sequence[Job]]]:
    by_queue: dict[str, list[Job]] = {}
    for job in jobs:
        by_queue.setdefault(job.queue, []).append(job)
    for queue, own in by_queue.items():
        for start in range(0, len(own), _GROUP):
            yield queue, own[start : start + _GROUP]


def _sentence(why: str) -> str:
    return why if why.startswith(("is ", "changed ")) else f"is {why}"

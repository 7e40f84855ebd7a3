"""What can be done to jobs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hueycore.model.states import LIVE, WAITING
from hueyctl import units
from hueyctl.changes import actions
from hueyctl.changes.bulk import Action, Plan
from hueyctl.dashboard.changes.forms import Form

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.changes.report import Change


class Verb(NamedTuple):
    """``action`` raises ``ValueError`` for a field that it cannot read. ``words`` begin its command
    line, ``options`` end it; ``undo`` says how one job gets back."""

    label: str
    past: str
    action: Callable[[Form], Action]
    words: tuple[str, ...]
    undo: Callable[[Job], tuple[str, dict[str, str]]] | None = None
    options: Callable[[Form], list[str]] = lambda _form: []
    apply: Callable[[Form, Plan, Storage, Change], None] = lambda _form, plan, storage, change: (
        plan.apply_to(storage, change)
    )
    #: What is to be known before.
    warning: str = ""
    #: More fields of its form, by name.
    inputs: tuple[str, ...] = ()
    #: The same where one of them cannot be read.
    plain: Callable[[], Action] = lambda: actions.retry(None)


def _back_by(name: str) -> Callable[[Job], tuple[str, dict[str, str]]]:
    return lambda job: (name, {"id": job.id, "queue": job.queue})


def _rescheduled_back(job: Job) -> tuple[str, dict[str, str]]:
    when = "now" if job.run_at <= time.time() else units.precise(job.run_at)
    fields = {"id": job.id, "queue": job.queue, "priority": str(job.priority)}
    return "reschedule", fields if job.waits else fields | {"when": when}


def _retry(form: Form) -> Action:
    rate = _rate(form)
    return actions.retry(form.reason, apart=1 / rate if rate else 0.0)


def _rate(form: Form) -> float:
    """Jobs in a second, 0 for all at once."""
    try:
        rate = float(form.word("rate") or 0)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < math.inf:
        raise ValueError(f"{form.word('rate')!r} is no number of jobs in a second")
    return rate


def _reschedule(form: Form) -> Action:
    when, priority = form.word("when"), form.word("priority")
    if form.view.ask.changes and not (when or priority):
        raise ValueError("say when, or which priority")
    run_at = max(time.time(), units.parse_when(when)) if when else None
    try:
        number = float(priority) if priority else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        raise ValueError(f"{priority!r} is no priority: a number, higher ones run first")
    return actions.reschedule(form.reason, run_at=run_at, priority=number)


def _reschedule_options(form: Form) -> list[str]:
    when, priority = form.word("when"), form.word("priority")
    if not when and not priority:
        return ["--now"]  # what the page begins with
    found = ["--now"] if when.lower() == "now" else ["--eta", when] if when else []
    return found + (["--priority", priority] if priority else [])


def _interrupt(form: Form) -> Action:
    from hueyctl.answers.workers import INTERRUPTING

    kinds = {row.address: row.kind for row in form.view.storage.workers()}

    def refuse(job: Job) -> str | None:
        if job.state != "running":
            return f"is {job.state}: there is nothing to interrupt"
        kind = kinds.get(job.worker_address, "gone")
        if kind in INTERRUPTING:
            return None
        return f"is in a worker ({kind}) that cannot interrupt a job, only ask it to stop: revoke"

    revoked = actions.revoke(form.reason, interrupt=True)
    return replace(revoked, verb="interrupt", states=("running",), refuse=refuse)


def _purge(_form: Form) -> Action:
    return replace(actions.retry(None), verb="purge")


def _discard(form: Form, plan: Plan, storage: Storage, change: Change) -> None:
    """As they were seen: what has run again since then stays."""
    from hueyctl.changes.backup import remove
    from hueyctl.changes.report import REFUSED

    gone = {(job.seq, job.id) for job in remove(storage, plan.jobs, form.reason)}
    for job in plan.jobs:
        if (job.seq, job.id) in gone:
            change.add(job, "purged")
        else:
            change.fail(job.id, REFUSED, f"job {job.seq} changed meanwhile, or is needed")


VERBS: Mapping[str, Verb] = {
    "retry": Verb(
        "Retry",
        "Retried",
        _retry,
        ("dead", "retry"),
        _back_by("revoke"),
        lambda form: ["--rate", f"{form.word('rate')}/s"] if form.word("rate") else [],
        inputs=("rate",),
    ),
    "revoke": Verb(
        "Revoke",
        "Revoked",
        lambda form: actions.revoke(form.reason),
        ("revoke",),
        _back_by("restore"),
        warning="Those that wait end now, those that run are asked to stop.",
    ),
    "restore": Verb(
        "Restore",
        "Restored",
        lambda form: actions.restore(form.reason),
        ("restore",),
        _back_by("revoke"),
    ),
    "reschedule": Verb(
        "Reschedule",
        "Rescheduled",
        _reschedule,
        ("reschedule",),
        _rescheduled_back,
        _reschedule_options,
        inputs=("when", "priority"),
        plain=lambda: actions.reschedule(None, run_at=None, priority=None),
    ),
    "interrupt": Verb(
        "Interrupt",
        "Interrupted",
        _interrupt,
        ("revoke",),
        options=lambda _form: ["--terminate"],
        warning="It is stopped wherever it is, in the middle of what it does.",
    ),
    "purge": Verb(
        "Purge",
        "Purged",
        _purge,
        ("dead", "purge"),
        apply=_discard,
        warning="They cannot come back.",
    ),
}


def possible(states: Collection[str]) -> list[str]:
    """The verbs for many jobs of these states, of any if none is named."""
    changed: dict[str, set[str]] = {
        "retry": {"dead"},
        "restore": {"revoked"},
        "reschedule": set(WAITING),
        "revoke": set(LIVE),
        "purge": {"dead"},
    }
    return [name for name, those in changed.items() if not states or those & set(states)]

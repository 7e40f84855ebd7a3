"""Acts on jobs. What can be undone is done at once to one of them; for all else a page shows first
what would happen, and to which."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hueycore.model.states import LIVE, WAITING
from hueyctl import units
from hueyctl.changes import actions
from hueyctl.changes.bulk import Action, How, Plan
from hueyctl.dashboard.asks import Answer, see
from hueyctl.dashboard.changes.chosen import MOST, Chosen
from hueyctl.dashboard.changes.forms import Form, writing
from hueyctl.dashboard.changes.notices import Notice
from hueyctl.dashboard.page import Page
from hueyctl.dashboard.render import html

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.changes.report import Change
    from hueyctl.dashboard.page import View

#: More jobs than this are changed when their number is typed.
TYPED = 100
#: Jobs that a page names.
_NAMED = 8


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
    found = ["--now"] if when.lower() == "now" else ["--eta", when] if when else []
    return found + (["--priority", priority] if priority else [])


def _interrupt(form: Form) -> Action:
    from hueyctl.answers.workers import INTERRUPTING

    kinds = {row.id: row.kind for row in form.view.storage.workers()}

    def refuse(job: Job) -> str | None:
        if job.state != "running":
            return f"is {job.state}: there is nothing to interrupt"
        kind = kinds.get(job.worker or 0, "gone")
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


def act(name: str) -> Callable[[View], Answer]:
    """What a form of this verb does."""
    verb = VERBS[name]

    def answer(view: View) -> Answer:
        form = Form(view)
        try:
            chosen = Chosen(form, verb.action(form))
        except ValueError as error:
            return _again(view, str(error))
        if not form.is_sure and (verb.undo is None or not chosen.is_one):
            return see(view.url("acts", name, **{**form.fields, "sure": None}))
        if problem := _problem(form, chosen):
            return _again(view, problem)
        return form.done(_carry_out(view, verb, form, chosen))

    return answer


def _again(view: View, problem: str) -> Answer:
    """The page of the act, with what was typed, and what is wrong with it."""
    shown = page(view, view.ask.path.rpartition("/")[2], problem)
    return html(view, shown, 422)


def _problem(form: Form, chosen: Chosen) -> str | None:
    """Why these are not changed yet."""
    if chosen.is_one or not form.is_sure:
        return None
    number, seen = len(chosen.jobs), form.word("count")
    if not seen.isdecimal() or number > int(seen):
        return f"By now {units.counted(number, 'job')} match. Look once more."
    if int(seen) > TYPED and form.word("number").replace(" ", "") != seen:
        return f"Type the number of jobs, {seen}."
    return None


def _carry_out(view: View, verb: Verb, form: Form, chosen: Chosen) -> Notice:
    action = verb.action(form)
    plan = Plan(action, chosen.jobs, chosen.missing, form.queues(), by_id=not chosen.by_filter)
    before = plan.jobs[0] if plan.jobs else None
    change = plan.begin(How(False, True, form.reason, False))
    if plan.jobs:
        with writing(view, plan.jobs[0].queue) as storage:
            verb.apply(form, plan, storage, change)
    said = _said(verb, change, before)
    undone = verb.undo is not None and chosen.is_one and change.number == 1
    return said._replace(undo=verb.undo(before) if undone and verb.undo and before else None)


def _said(verb: Verb, change: Change, before: Job | None) -> Notice:
    reasons = [failed.message for failed in change.failed] + change.left_out
    if not change.number:
        if reasons:
            return Notice(f"Nothing was done: {_listed(reasons)}.", failed=True)
        if before is not None:
            state = f"job {before.seq} is {before.state} already"
            return Notice(f"Nothing was done: {state}.", failed=True)
        return Notice("Nothing was done: no job matches.", failed=True)
    if change.number == 1 and before is not None and change.done[0].id == before.id:
        what = f"job {before.seq} ({before.task})"
        asked = change.done[0].action == "stopping" and verb.label != "Interrupt"
        done = f"Asked {what} to stop" if asked else f"{verb.past} {what}"
    else:
        done = f"{verb.past} {units.counted(change.number, 'job')}"
    if not reasons:
        return Notice(f"{done}.")
    left = units.counted(len(reasons), "job")
    return Notice(f"{done}. Left out {left}: {_listed(reasons)}.", failed=True)


def _listed(reasons: list[str]) -> str:
    more = f", and {units.grouped(len(reasons) - 3)} more" if len(reasons) > 3 else ""
    return "; ".join(reasons[:3]) + more


def page(view: View, name: str, problem: str = "") -> Page:
    """What an act would do: how many jobs, the first of them, its command, and the form."""
    verb, form = VERBS[name], Form(view)
    try:
        action = verb.action(form)
    except ValueError:
        action = actions.reschedule(None, run_at=None, priority=None)  # so far about any that waits
        action = replace(action, states=WAITING if name == "reschedule" else ("dead",))
    chosen = Chosen(form, action)
    plan = Plan(action, list(chosen.jobs), chosen.missing, (), by_id=not chosen.by_filter)
    change = plan.begin(How(True, True, None, False))
    reasons = [failed.message for failed in change.failed] + change.left_out
    options = [*verb.options(form), *(("--reason", form.reason) if form.reason else ()), "--yes"]
    number = len(chosen.jobs)
    return Page(
        "confirm.html",
        f"{verb.label} {units.counted(len(plan.jobs), 'job')}",
        (),
        {
            "name": name,
            "verb": verb,
            "jobs": plan.jobs[:_NAMED],
            "number": len(plan.jobs),
            "total": chosen.total,
            "most": MOST,
            "reasons": reasons[:_NAMED],
            "left_out": len(reasons),
            "line": chosen.command(verb.words, options),
            "fields": [*chosen.fields, ("count", str(number)), ("back", form.back)],
            "typed": str(number) if number > TYPED and not chosen.is_one else "",
            "problem": problem,
            "form": form,
        },
        place="jobs",
    )

"""Acts on jobs. What can be undone is done at once to one of them; for all else a page shows first
what would happen, and to which."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hueyctl import units
from hueyctl.changes.bulk import How, Plan
from hueyctl.dashboard.asks import Answer, number, see
from hueyctl.dashboard.changes.chosen import MOST, Chosen
from hueyctl.dashboard.changes.forms import Form, writing
from hueyctl.dashboard.changes.notices import Notice
from hueyctl.dashboard.changes.verbs import VERBS, Verb
from hueyctl.dashboard.page import Page
from hueyctl.dashboard.render import html

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueyctl.changes.report import Change
    from hueyctl.dashboard.page import View

#: More jobs than this are changed when their number is typed.
TYPED = 100
#: Jobs that a page names.
_NAMED = 8


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
    now, seen, shown = len(chosen.jobs), number(form.word("count")), number(form.word("shown"))
    if seen is None or shown is None or now > seen:
        return f"By now {units.counted(now, 'job')} match. Look once more."
    if shown > TYPED and number(form.word("number").replace(" ", "")) != shown:
        return f"Type the number of jobs, {shown}."
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
    except ValueError:  # the jobs are known all the same
        action = verb.plain()
    chosen = Chosen(form, action)
    plan = Plan(action, list(chosen.jobs), chosen.missing, (), by_id=not chosen.by_filter)
    change = plan.begin(How(True, True, None, False))
    reasons = [failed.message for failed in change.failed] + change.left_out
    options = [*verb.options(form), *(("--reason", form.reason) if form.reason else ()), "--yes"]
    shown = str(len(plan.jobs))
    counted = [("count", str(len(chosen.jobs))), ("shown", shown), ("back", form.back)]
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
            "fields": [*chosen.fields, *counted],
            "typed": shown if len(plan.jobs) > TYPED and not chosen.is_one else "",
            "problem": problem,
            "form": form,
        },
        place="jobs",
    )

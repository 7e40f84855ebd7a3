"""Acts on what is no job: pauses, schedules, locks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hueycore.system.ids import new_id
from hueyctl import errors, units
from hueyctl.changes import pauses
from hueyctl.changes.revocations import ID, TASK, check_name
from hueyctl.dashboard.asks import Answer, see
from hueyctl.dashboard.changes.forms import Form, enqueue, operator, writing
from hueyctl.dashboard.changes.notices import Notice
from hueyctl.dashboard.page import Missing, Page
from hueyctl.dashboard.render import html

if TYPE_CHECKING:
    from hueycore.model.limits import Lock
    from hueycore.model.schedules import Periodic
    from hueyctl.dashboard.page import View

#: What a form names of a queue: one task, all periodic tasks, one of these, or nothing.
_TARGETS = ("task", "scheduler", "periodic")


def _target(form: Form) -> str:
    """What is paused, in words."""
    queue = form.word("queue")
    if form.word("periodic"):
        return f"periodic task {form.word('periodic')}"
    if form.word("scheduler"):
        return f"the schedules of queue {queue}"
    return f"task {form.word('task')}" if form.word("task") else f"queue {queue}"


def _fields(form: Form) -> dict[str, str]:
    return {name: form.word(name) for name in ("queue", *_TARGETS) if form.word(name)}


def pause(view: View) -> Answer:
    """At once. ``for`` is how long, ``until`` until when. Once more changes that."""
    form = Form(view)
    queue, task, scheduler = form.queue(), form.word("task") or None, bool(form.word("scheduler"))
    try:
        pauses.check_target(task, scheduler)
        until = _until(form)
    except (ValueError, errors.CliError) as error:
        return form.done(Notice(f"Nothing was paused: {error}.", failed=True))
    by, reason, one = operator(view), form.reason, form.word("periodic")
    with writing(view, queue) as storage:
        if one and not storage.pause_periodic([one], by=by, reason=reason):
            return form.done(Notice(f"There is no periodic task {one}.", failed=True))
        if not one:
            storage.pause(task=task, scheduler=scheduler, until=until, by=by, reason=reason)
    return form.done(Notice(f"Paused {_target(form)}.", ("resume", _fields(form))))


def _until(form: Form) -> float | None:
    if form.word("for"):
        return time.time() + units.parse_duration(form.word("for"))
    return units.parse_when(form.word("until")) if form.word("until") else None


def resume(view: View) -> Answer:
    """At once."""
    form = Form(view)
    queue, task, scheduler = form.queue(), form.word("task") or None, bool(form.word("scheduler"))
    pauses.check_target(task, scheduler)
    one = form.word("periodic")
    before = None if one else pauses.look(view.storage, [queue], task, scheduler)[0]
    again = _fields(form)
    if before is not None and before.reason:
        again["reason"] = before.reason
    if before is not None and before.until is not None:
        again["until"] = units.precise(before.until)
    with writing(view, queue) as storage:
        if one:
            was_paused = bool(storage.resume_periodic([one]))
        else:
            was_paused = storage.resume(task=task, scheduler=scheduler)
    target = _target(form)
    if not was_paused:
        return form.done(Notice(f"Nothing was done: {target} was not paused.", failed=True))
    return form.done(Notice(f"Resumed {target}.", ("pause", again)))


def trigger(view: View) -> Answer:
    """One more job of a schedule, at once."""
    form = Form(view)
    queue = form.queue()
    row = _schedule(view, queue, form.word("periodic"))
    if row is None:
        gone = f"There is no periodic task {form.word('periodic')} any more."
        return form.done(Notice(gone, failed=True))
    with writing(view, queue) as storage:
        born = enqueue(storage, row.job(new_id()), f"triggered: {row.name}")
    if not born.fresh:
        return form.done(Notice(f"Job {born.seq} of {row.name} is there already.", failed=True))
    undo = ("revoke", {"id": born.id, "queue": queue})
    return form.done(Notice(f"Queued job {born.seq} of {row.name}.", undo))


def _schedule(view: View, queue: str, name: str) -> Periodic | None:
    rows = view.storage.periodic(whole=True)
    return next((row for row in rows if (row.queue, row.name) == (queue, name)), None)


# --- standing orders ------------------------------------------------------------------------------


def withdraw(view: View) -> Answer:
    """The order not to run a task, or an id, is over at once."""
    form = Form(view)
    queue, name, kind = form.queue(), form.word("target"), _kind(form)
    with writing(view, queue) as storage:
        order = storage.revocation(kind, name)
        if not storage.clear_revocation(kind, name):
            return form.done(Notice(f"Nothing was done: {name} was not revoked.", failed=True))
    again = {"queue": queue, "kind": form.word("kind"), "target": name}
    if order is not None and order.reason:
        again["reason"] = order.reason
    if order is not None and order.until is not None:
        again["until"] = units.precise(order.until)
    if order is not None and order.once:
        again["once"] = "yes"
    return form.done(Notice(f"{name} may run again.", ("forbid", again)))


def forbid(view: View) -> Answer:
    """The jobs of a task end revoked from now on, instead of running; what ``withdraw`` undoes."""
    form = Form(view)
    queue, name, kind = form.queue(), form.word("target"), _kind(form)
    try:
        if kind == TASK:
            check_name(name)
        until = _until(form)
    except (ValueError, errors.CliError) as error:
        return form.done(Notice(f"Nothing was revoked: {error}.", failed=True))
    once, reason = bool(form.word("once")), form.reason
    with writing(view, queue) as storage:
        storage.set_revocation(kind, name, until=until, once=once, reason=reason, by=operator(view))
    fields = {"queue": queue, "kind": form.word("kind"), "target": name}
    return form.done(Notice(f"Jobs of {name} end revoked from now on.", ("withdraw", fields)))


def _kind(form: Form) -> str:
    return TASK if form.word("kind") == "task" else ID


# --- locks ----------------------------------------------------------------------------------------


def unlock(view: View) -> Answer:
    """Free the lock that the page has shown, and no later one of its name."""
    form = Form(view)
    queue, name = form.queue(), form.word("lock")
    lock = _lock(view, queue, name)
    if lock is None:
        return form.done(Notice(f"Nobody holds lock {name} any more.", failed=True))
    if not form.is_sure:
        return see(view.url("acts", "unlock", **form.fields))
    if form.word("held") != _held(lock):
        shown = unlock_page(view, "By now another has it. Look once more.")
        return html(view, shown, 422)
    with writing(view, queue) as storage:
        freed = storage.unlock(name)
    said = f"Freed lock {name}." if freed else f"Nobody held lock {name} any more."
    return form.done(Notice(said, failed=not freed))


def unlock_page(view: View, problem: str = "") -> Page:
    """Who holds a lock, and the form that frees it."""
    form = Form(view)
    queue, name = form.queue(), form.word("lock")
    lock = _lock(view, queue, name)
    if lock is None:
        raise Missing(f"Nobody holds lock {name}")
    force = ("--force",) if lock.alive else ()
    line = view.command("lock", "release", name, *force, *_queue_words(view, queue))
    fields = [("queue", queue), ("lock", name), ("held", _held(lock)), ("back", form.back)]
    values = {"lock": lock, "line": line, "fields": fields, "problem": problem, "form": form}
    return Page("unlock.html", f"Free lock {name}", (), values, place="limits")


def _queue_words(view: View, queue: str) -> tuple[str, ...]:
    """Those that ``View.command`` does not say."""
    return () if view.queues == (queue,) else ("-Q", queue)


def _lock(view: View, queue: str, name: str) -> Lock | None:
    found = (lock for lock in view.storage.locks() if (lock.queue, lock.name) == (queue, name))
    return next(found, None)


def _held(lock: Lock) -> str:
    return f"{lock.owner} {lock.since}"

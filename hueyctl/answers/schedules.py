"""Why a periodic task does not fire, or when it does: one answer, as ``why`` has for jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl.answers.queues import command_on
from hueyctl.answers.reason import Answer, Reason, shell_line, terms
from hueyctl.units import brief, relative

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hueycore.model.jobs import Job
    from hueycore.model.schedules import Periodic
    from hueycore.storage.base import Storage

#: A consumer fires what is due within milliseconds; a busy machine may take seconds.
LATE = 5.0


def explain(storage: Storage, row: Periodic, now: float) -> Answer:
    """The first thing that keeps a schedule from firing; else when it fires. Its state is waiting,
    paused or overdue."""
    state, reason = next(_obstacles(storage, row, now))
    return Answer(None, row.name, state, reason)


def _obstacles(storage: Storage, row: Periodic, now: float) -> Iterator[tuple[str, Reason]]:
    if row.paused_at is not None:
        resume = shell_line("periodic", "resume", row.name)
        said = terms(row.paused_by, why=row.pause_reason)
        text = f"it has been paused for {brief(now - row.paused_at)}{said}"
        yield "paused", Reason(text, row.paused_at, {"schedule": row.name}, resume)
    for order in storage.revocations():
        if order.kind == "paused-scheduler" and order.queue == row.queue:
            resume = shell_line("resume", "--scheduler", row.queue)
            said = terms(order.by, why=order.reason)
            text = f"periodic tasks of queue {row.queue} have been paused for "
            text += f"{brief(now - order.since)}{said}"
            yield "paused", Reason(text, order.since, {"queue": row.queue}, resume)
        if (order.kind, order.queue, order.name) == ("revoked-task", row.queue, row.task):
            restore = command_on(storage, row.queue, "restore", "--task", row.task)
            text = f"task {row.task} is revoked{terms(why=order.reason)}: its runs end revoked"
            yield "waiting", Reason(text, order.since, {"task": row.task}, restore)
    yield from _no_consumer(storage, row)
    if row.next_run < now - LATE:
        yield _overdue(row, now)
    yield _waiting(storage, row, now)


def _no_consumer(storage: Storage, row: Periodic) -> Iterator[tuple[str, Reason]]:
    mine = [each for each in storage.workers() if each.queue == row.queue and each.alive]
    if not any(each.state == "running" for each in mine):
        consume = shell_line("consume", "APP", "--queue", row.queue)
        text = f"no live consumer serves queue {row.queue}"
        yield "waiting", Reason(text, None, {"queue": row.queue}, consume)


def _overdue(row: Periodic, now: float) -> tuple[str, Reason]:
    text = f"overdue since {brief(now - row.next_run)}: "
    if row.origin == "stored":
        text += "consumers are up, but run without periodic tasks (-n) or cannot read its schedule"
    else:
        text += "no live consumer has it in its code, or they run without periodic tasks (-n)"
    return "overdue", Reason(text, row.next_run, None, "hueyctl workers")


def _waiting(storage: Storage, row: Periodic, now: float) -> tuple[str, Reason]:
    text = f"it fires {relative(row.next_run, now)}"
    last = _last_job(storage, row)
    if last is None:
        return "waiting", Reason(text)
    text += f"; its last run, job {last.seq}, is {last.state}"
    return "waiting", Reason(text, row.last_run, {"job": last.seq}, f"hueyctl why {last.seq}")


def _last_job(storage: Storage, row: Periodic) -> Job | None:
    """The last job that it fired, unless that was purged."""
    from hueycore.model.jobs import Selector

    if row.last_id is None:
        return None
    found = storage.jobs(Selector(queues=(row.queue,), keys=(row.last_id,)))
    return found[0] if found else None

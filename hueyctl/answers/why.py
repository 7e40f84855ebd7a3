"""Why a job is where it is: one answer from the storage, and the command that would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hueycore.model.states import FINAL
from hueyctl.answers.endings import ending
from hueyctl.answers.keys import in_the_way
from hueyctl.answers.queues import command_on, is_paused, serves
from hueyctl.answers.reason import Answer, Reason, shell_line, terms
from hueyctl.answers.usual import Usual, remedy
from hueyctl.units import brief, grouped, relative

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hueycore.model.jobs import Job
    from hueycore.model.reports import WorkerRow
    from hueycore.storage.base import Storage


def explain(storage: Storage, job: Job, now: float) -> Answer:
    """The first thing that holds the job back; for one that has ended, how it ended."""
    if job.state == "running":
        reason = _running(storage, job, now)
    elif job.state in FINAL:
        reason = ending(storage, job, now)
    else:
        reason = next(_obstacles(Facts(storage, job, now)))
    return Answer(job.seq, job.id, str(job.state), reason)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is asked about a waiting job, each thing once and only when it is needed."""

    storage: Storage
    job: Job
    now: float

    @property
    def is_due(self) -> bool:
        return self.job.state != "scheduled" or self.job.run_at <= self.now

    def lasts(self, until: float | None) -> bool:
        """Whether something that ends at ``until`` is still there when the job is due."""
        return until is None or until > max(self.now, self.job.run_at)


def _obstacles(facts: Facts) -> Iterator[Reason]:
    job = facts.job
    yield from _expired(facts)
    yield from _order(facts)
    if job.state == "blocked":
        if not job.waits:
            yield from _paused(facts)
        yield _blocked(facts)
    if not facts.is_due:
        yield _not_due(facts)
    yield from _paused(facts)
    yield from _no_consumer(facts)
    yield _in_the_queue(facts)


def _expired(facts: Facts) -> Iterator[Reason]:
    job, now = facts.job, facts.now
    counts = job.expires_in is None or job.state != "scheduled"
    if counts and job.expires_at is not None and job.expires_at <= now:
        text = f"expired {relative(job.expires_at, now)}: the next consumer that looks will end it"
        yield Reason(text, job.expires_at)


def _order(facts: Facts) -> Iterator[Reason]:
    """A standing revocation comes first: the job will not run, whatever else is in its way."""
    job = facts.job
    for order in facts.storage.revocations():
        is_mine = (order.kind, order.name) in (("revoked-id", job.id), ("revoked-task", job.task))
        if order.queue == job.queue and is_mine and facts.lasts(order.until):
            whole = order.kind == "revoked-task"
            what = f"task {job.task} is" if whole else "its id is"
            once = " once" if order.once else ""
            said = once + terms(until=order.until, why=order.reason, now=facts.now)
            text = f"{what} revoked{said}: it ends revoked when its turn comes"
            blocking = {order.kind.removeprefix("revoked-"): order.name}
            target = ("--task", job.task) if whole else (job.id,)
            change = command_on(facts.storage, job.queue, "restore", *target)
            yield Reason(text, order.since, blocking, change)


def _blocked(facts: Facts) -> Reason:
    if facts.job.waits:
        return _stages(facts)
    if facts.job.key_name is None:
        return Reason("the other jobs of its call are not in yet", facts.job.enqueued_at)
    return in_the_way(facts.storage, facts.job, facts.now)


def _stages(facts: Facts) -> Reason:
    job = facts.job
    parents = _parents(facts.storage, job)
    open_ = [parent for parent in parents if not parent.delivered]
    total = max(len(parents), job.waits)
    what = f"waits for {job.waits} of {total} stages" if total > 1 else "waits for the stage before"
    blocking = {"waits": job.waits, "of": total, "jobs": [parent.seq for parent in open_]}
    if not open_:
        return Reason(what, job.enqueued_at, blocking)
    # One that is over and has delivered nothing is in the way for ever; one that runs is not.
    first = min(open_, key=lambda parent: (parent.finished_at is None, parent.state == "running"))
    what += f": job {first.seq} ({first.task}) is {first.state}"
    more = f", and {len(open_) - 1} more" if len(open_) > 1 else ""
    return Reason(what + more, job.enqueued_at, blocking, f"hueyctl why {first.seq}")


def _parents(storage: Storage, job: Job) -> list[Job]:
    """The stages whose results it needs."""
    from hueycore.model.jobs import Selector

    mine = Selector(queues=(job.queue,))
    found = storage.jobs(mine._replace(where=(("next", "=", job.seq),)))
    if job.source is not None:
        found += storage.jobs(mine._replace(where=(("seq", "=", job.source),)))
    return found


def _not_due(facts: Facts) -> Reason:
    from hueycore.model.retry import NOT_FOUND

    job = facts.job
    wait = brief(job.run_at - facts.now)
    change = f"hueyctl reschedule {job.seq} --now"
    if job.errors:
        error = job.errors[-1]
        number = f"retry {job.attempt} of {job.attempt + job.retries}"
        what = "put back, again" if error.get("counted") is False else number
        text = f"{what} in {wait}, after {error.get('type')}: {error.get('message')}"
        if error.get("type") == NOT_FOUND:
            text = f"{error.get('message')}; the consumers look for it again in {wait}"
        at = error.get("at")
        return Reason(text, at if isinstance(at, (int, float)) else None, None, change)
    return Reason(f"not due: in {wait}", job.enqueued_at, None, change)


def _paused(facts: Facts) -> Iterator[Reason]:
    job, now = facts.job, facts.now
    for row in facts.storage.queues():
        if row.queue == job.queue and row.paused_at is not None and is_paused(row, now):
            said = terms(row.paused_by, row.paused_until, row.pause_reason, now)
            text = f"queue {row.queue} has been paused for {brief(now - row.paused_at)}{said}"
            blocking = {"queue": row.queue}
            yield Reason(text, row.paused_at, blocking, shell_line("resume", row.queue))
    for order in facts.storage.revocations():
        is_mine = (order.kind, order.queue, order.name) == ("paused-task", job.queue, job.task)
        if is_mine and facts.lasts(order.until):
            said = terms(order.by, order.until, order.reason, now)
            text = f"task {job.task} has been paused for {brief(now - order.since)}{said}"
            change = command_on(facts.storage, job.queue, "resume", "--task", job.task)
            yield Reason(text, order.since, {"task": job.task}, change)


def _no_consumer(facts: Facts) -> Iterator[Reason]:
    job = facts.job
    mine = _consumers(facts)
    if any(row.state == "running" for row in mine):
        return
    if mine:
        text = f"the consumer of queue {job.queue} is stopping, and there is no other"
        blocking = {"queue": job.queue, "worker": mine[0].name}
    else:
        text, blocking = f"no live consumer serves queue {job.queue}", {"queue": job.queue}
    yield Reason(text, job.run_at, blocking, _consume(job))


def _consumers(facts: Facts) -> list[WorkerRow]:
    return [row for row in facts.storage.workers() if serves(row, facts.job.queue)]


def _in_the_queue(facts: Facts) -> Reason:
    job = facts.job
    number = facts.storage.ahead(job.seq, queue=job.queue)
    alive = _consumers(facts)
    busy = sum(len(row.running) for row in alive)
    slots = sum(row.slots for row in alive)
    blocking = {"jobs": number, "busy": busy, "workers": slots}
    if number:
        ahead = "1 job is" if number == 1 else f"{grouped(number)} jobs are"
        text = f"{ahead} ahead of it; {busy} of {slots} workers are busy"
        change = f"hueyctl reschedule {job.seq} --priority {_higher(facts)}"
        return Reason(text, job.run_at, blocking, change)
    if slots and busy >= slots:
        all_busy = "the only worker is" if slots == 1 else f"all {slots} workers are"
        text = f"it is next; {all_busy} busy"
        return Reason(text, job.run_at, blocking, "hueyctl workers")
    return Reason("it is next, and runs as soon as a worker looks", job.run_at, blocking)


def _higher(facts: Facts) -> int:
    """A priority above all that waits."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    first = Selector(
        queues=(facts.job.queue,), states=(State.PENDING,), sort="running-order", limit=1
    )
    return int(max(job.priority for job in [facts.job, *facts.storage.jobs(first)])) + 1


def _consume(job: Job) -> str:
    return shell_line("consume", "APP", "--queue", job.queue)


def _running(storage: Storage, job: Job, now: float) -> Reason:
    workers = {row.address: row for row in storage.workers()}
    row = workers.get(job.worker_address)
    since = job.claimed_at
    span = brief(now - since) if since is not None else "?"
    if row is None or not row.alive:
        name = row.name if row else f"number {job.worker}"
        text = f"its worker {name} is dead; the next consumer of queue {job.queue} takes it back"
        return Reason(text, since, {"worker": name}, _consume(job))
    blocking = {"worker": row.name, "host": row.host, "pid": row.pid}
    if job.seq not in {seq for _, seq in row.running}:
        text = f"held: claimed by {row.name} {span} ago, not started yet"
        return Reason(text, since, blocking, "hueyctl workers")
    asked = "; it was asked to stop" if job.cancel_requested else ""
    progress = f" ({job.progress})" if job.progress else ""
    stuck = Usual(storage.totals).stuck(job, now)
    if stuck is not None:
        text = f"stuck on {row.name}: it {stuck}{progress}{asked}"
        return Reason(text, since, blocking, remedy(job, workers))
    text = f"running on {row.name} for {span}{progress}{asked}"
    return Reason(text, since, blocking, None if asked else f"hueyctl revoke {job.seq}")

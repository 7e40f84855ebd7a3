"""Why a job is where it is: one answer from the storage, and the command that would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hueyctl.answers.keys import in_the_way
from hueyctl.changes.confirm import shell_line
from hueyctl.units import brief, relative, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hueycore.model.jobs import Job
    from hueycore.model.reports import WorkerRow
    from hueycore.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Answer:
    """``because`` is a sentence without its full stop; ``blocking`` names what is in the way."""

    job: Job
    because: str
    since: float | None = None
    blocking: dict[str, Any] | None = None
    next: str | None = None

    @property
    def seq(self) -> int:
        return self.job.seq

    @property
    def state(self) -> str:
        return str(self.job.state)

    @property
    def name(self) -> str:
        return self.job.id

    def as_object(self) -> dict[str, Any]:
        return {
            "seq": self.job.seq,
            "state": str(self.job.state),
            "because": self.because,
            "since": None if self.since is None else rfc3339(self.since),
            "blocking": self.blocking,
            "next": self.next,
        }


def explain(storage: Storage, job: Job, now: float) -> Answer:
    """The first thing that holds the job back; for one that has ended, how it ended."""
    if job.state == "running":
        return _running(storage, job, now)
    if job.state in ("done", "dead", "revoked", "expired"):
        return _ended(storage, job, now)
    return next(_obstacles(Obstacles(storage, job, now)))


@dataclass(frozen=True, slots=True)
class Obstacles:
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


def _obstacles(facts: Obstacles) -> Iterator[Answer]:
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


def _expired(facts: Obstacles) -> Iterator[Answer]:
    job, now = facts.job, facts.now
    if job.expires_at is not None and job.expires_at <= now:
        text = f"expired {relative(job.expires_at, now)}: the next consumer that looks will end it"
        yield Answer(job, text, job.expires_at)


def _order(facts: Obstacles) -> Iterator[Answer]:
    """A standing revocation comes first: the job will not run, whatever else is in its way."""
    job = facts.job
    for order in facts.storage.revocations():
        is_mine = (order.kind, order.name) in (("revoked-id", job.id), ("revoked-task", job.task))
        if order.queue == job.queue and is_mine and facts.lasts(order.until):
            whole = order.kind == "revoked-task"
            what = f"task {job.task} is" if whole else "its id is"
            once = " once" if order.once else ""
            terms = f"{once}{_left(order.until, facts.now)}{_because(order.reason)}"
            text = f"{what} revoked{terms}: it ends revoked when its turn comes"
            blocking = {order.kind.removeprefix("revoked-"): order.name}
            target = ("--task", job.task) if whole else (job.id,)
            yield Answer(job, text, order.since, blocking, shell_line("restore", *target))


def _left(until: float | None, now: float) -> str:
    return f", {brief(until - now)} left" if until is not None else ""


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


def _blocked(facts: Obstacles) -> Answer:
    if facts.job.waits:
        return _stages(facts)
    return Answer(facts.job, *in_the_way(facts.storage, facts.job, facts.now))


def _stages(facts: Obstacles) -> Answer:

    job = facts.job
    parents = _parents(facts.storage, job)
    open_ = [parent for parent in parents if not parent.delivered]
    total = max(len(parents), job.waits)
    what = f"waits for {job.waits} of {total} stages" if total > 1 else "waits for the stage before"
    blocking = {"waits": job.waits, "of": total, "jobs": [parent.seq for parent in open_]}
    if not open_:
        return Answer(job, what, job.enqueued_at, blocking)
    # One that is over and has delivered nothing is in the way for ever; one that runs is not.
    first = min(open_, key=lambda parent: (parent.finished_at is None, parent.state == "running"))
    what += f": job {first.seq} ({first.task}) is {first.state}"
    more = f", and {len(open_) - 1} more" if len(open_) > 1 else ""
    return Answer(job, what + more, job.enqueued_at, blocking, f"hueyctl why {first.seq}")


def _parents(storage: Storage, job: Job) -> list[Job]:
    """The stages whose results it needs."""
    from hueycore.model.jobs import Selector

    found = storage.jobs(Selector(where=(("next", "=", job.seq),)))
    if job.source is not None:
        found += storage.jobs(Selector(where=(("seq", "=", job.source),)))
    return found


def _not_due(facts: Obstacles) -> Answer:
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
        return Answer(job, text, at if isinstance(at, (int, float)) else None, None, change)
    return Answer(job, f"not due: in {wait}", job.enqueued_at, None, change)


def _paused(facts: Obstacles) -> Iterator[Answer]:
    job, now = facts.job, facts.now
    for row in facts.storage.queues():
        until = row.paused_until
        if row.queue == job.queue and row.paused_at is not None and (until is None or until > now):
            by = f" by {row.paused_by}" if row.paused_by else ""
            terms = f"{by}{_left(until, now)}{_because(row.pause_reason)}"
            text = f"queue {row.queue} has been paused for {brief(now - row.paused_at)}{terms}"
            blocking = {"queue": row.queue}
            yield Answer(job, text, row.paused_at, blocking, shell_line("resume", row.queue))
    for order in facts.storage.revocations():
        is_mine = (order.kind, order.queue, order.name) == ("paused-task", job.queue, job.task)
        if is_mine and facts.lasts(order.until):
            by = f" by {order.by}" if order.by else ""
            terms = f"{by}{_left(order.until, now)}{_because(order.reason)}"
            text = f"task {job.task} has been paused for {brief(now - order.since)}{terms}"
            change = shell_line("resume", "--task", job.task)
            yield Answer(job, text, order.since, {"task": job.task}, change)


def _no_consumer(facts: Obstacles) -> Iterator[Answer]:
    job = facts.job
    mine = _crew(facts)
    if any(row.state == "running" for row in mine):
        return
    if mine:
        text = f"the consumer of queue {job.queue} is stopping, and there is no other"
        blocking = {"queue": job.queue, "worker": mine[0].name}
    else:
        text, blocking = f"no live consumer serves queue {job.queue}", {"queue": job.queue}
    yield Answer(job, text, job.run_at, blocking, _consume(job))


def _crew(facts: Obstacles) -> list[WorkerRow]:
    """The living consumers of the job's queue."""
    rows = facts.storage.workers()
    return [row for row in rows if row.queue == facts.job.queue and row.alive and row.takes_jobs]


def _in_the_queue(facts: Obstacles) -> Answer:
    job = facts.job
    number = facts.storage.ahead(job.seq)
    alive = _crew(facts)
    busy = sum(len(row.running) for row in alive)
    slots = sum(row.slots for row in alive)
    blocking = {"jobs": number, "busy": busy, "workers": slots}
    if number:
        ahead = "1 job is" if number == 1 else f"{number} jobs are"
        text = f"{ahead} ahead of it; {busy} of {slots} workers are busy"
        change = f"hueyctl reschedule {job.seq} --priority {_higher(facts)}"
        return Answer(job, text, job.run_at, blocking, change)
    if slots and busy >= slots:
        all_busy = "the only worker is" if slots == 1 else f"all {slots} workers are"
        text = f"it is next; {all_busy} busy"
        return Answer(job, text, job.run_at, blocking, "hueyctl workers")
    return Answer(job, "it is next, and runs as soon as a worker looks", job.run_at, blocking)


def _higher(facts: Obstacles) -> int:
    """A priority above all that waits."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    first = Selector(
        queues=(facts.job.queue,), states=(State.PENDING,), sort="running-order", limit=1
    )
    return int(max(job.priority for job in [facts.job, *facts.storage.jobs(first)])) + 1


def _consume(job: Job) -> str:
    return shell_line("consume", "APP", "--queue", job.queue)


def _worker(storage: Storage, job: Job) -> WorkerRow | None:
    return next((row for row in storage.workers() if row.id == job.worker), None)


def _running(storage: Storage, job: Job, now: float) -> Answer:
    row = _worker(storage, job)
    since = job.claimed_at
    span = brief(now - since) if since is not None else "?"
    if row is None or not row.alive:
        name = row.name if row else f"number {job.worker}"
        text = f"its worker {name} is dead; the next consumer of queue {job.queue} takes it back"
        return Answer(job, text, since, {"worker": name}, _consume(job))
    blocking = {"worker": row.name, "host": row.host, "pid": row.pid}
    if job.seq not in {seq for _, seq in row.running}:
        text = f"held: claimed by {row.name} {span} ago, not started yet"
        return Answer(job, text, since, blocking, "hueyctl workers")
    asked = "; it was asked to stop" if job.cancel_requested else ""
    progress = f" ({job.progress})" if job.progress else ""
    text = f"running on {row.name} for {span}{progress}{asked}"
    return Answer(job, text, since, blocking, None if asked else f"hueyctl revoke {job.seq}")


def _ended(storage: Storage, job: Job, now: float) -> Answer:
    at = job.finished_at
    ago = relative(at, now) if at is not None else ""
    if job.state == "done":
        return Answer(job, f"done {ago}", at, None, f"hueyctl result {job.seq}")
    if job.state == "dead":
        return Answer(job, _cause_of_death(job), at, None, f"hueyctl dead retry {job.seq}")
    if job.state == "expired":
        return Answer(
            job, f"expired {ago}: not started in time", at, None, f"hueyctl restore {job.seq}"
        )
    if job.reason == "upstream":
        return _upstream(storage, job, ago)
    why = f": {job.reason}" if job.reason not in (None, "revoked") else ""
    if job.reason == "canceled" and job.errors and job.errors[-1].get("message"):
        why += f" ({job.errors[-1]['message']})"
    return Answer(job, f"revoked {ago}{why}", at, None, f"hueyctl restore {job.seq}")


def _cause_of_death(job: Job) -> str:
    tries = "1 try" if job.attempt == 1 else f"{job.attempt} tries"
    error = f"{job.errors[-1].get('type')}: {job.errors[-1].get('message')}" if job.errors else None
    if error and job.reason in (None, "failed"):
        return f"dead after {tries} because of {error}"
    more = f" ({error})" if error else ""
    return f"dead after {tries}: {job.reason}{more}"


def _upstream(storage: Storage, job: Job, ago: str) -> Answer:
    """A stage before it failed; that one is where to look."""
    failed = storage.culprit(job.seq)
    if failed is None:
        text = f"revoked {ago}: a stage before it failed"
        return Answer(job, text, job.finished_at, None, f"hueyctl restore {job.seq}")
    text = f"revoked {ago}: job {failed.seq} ({failed.task}), a stage before it, is {failed.state}"
    return Answer(job, text, job.finished_at, {"job": failed.seq}, f"hueyctl why {failed.seq}")

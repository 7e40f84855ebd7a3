"""What is wrong with the queues of a storage, the worst first, each with the command against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.model.states import State
from hueyctl.answers.queues import command_on, is_paused
from hueyctl.answers.reason import shell_line, terms
from hueyctl.answers.usual import remedy
from hueyctl.units import brief, counted, grouped, rfc3339

if TYPE_CHECKING:
    from hueyctl.answers.look import Look

CRITICAL, WARNING = "critical", "warning"
#: The states whose jobs a look for alarms has to count.
COUNTED = (State.PENDING, State.DEAD)
#: A share of failed runs that is worth a line, of so many runs in the last minutes.
_FAILING, _RUNS, _WINDOW = 0.2, 10, 900.0
#: Who restarts a consumer is not to be paged: so long may a queue be without one, seconds.
_RESTART = 60.0
#: More dead letters than these are counted and not read.
_MANY_DEAD = 20_000


class Alarm(NamedTuple):
    """Something that wants a look. ``kind`` is one of stuck, consumer, worker, lock, dead, failing,
    paused, revoked, periodic; ``about`` names what it is about; ``next`` is a command line."""

    level: str
    kind: str
    queue: str
    text: str
    since: float | None
    about: dict[str, Any]
    next: str

    def as_object(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "kind": self.kind,
            "queue": self.queue,
            "message": self.text,
            "since": None if self.since is None else rfc3339(self.since),
            "about": self.about,
            "next": self.next,
        }


def alarms(look: Look, *, of_work: bool = True) -> list[Alarm]:
    """Everything that is wrong, the worst first. ``of_work``: dead letters and tasks that fail as
    well, for which others have figures with limits."""
    found = [
        alarm
        for question in _QUESTIONS
        if of_work or question not in _OF_WORK
        for alarm in question(look)
    ]
    return sorted(found, key=lambda alarm: alarm.level != CRITICAL)


def _depth(look: Look, queue: str, state: State) -> tuple[int, float | None]:
    """How many jobs of a queue are in a state, and since when the oldest of them is pending."""
    for row in look.depths:
        if (row.queue, row.state) == (queue, state):
            return row.count, row.oldest
    return 0, None


def _consumers(look: Look) -> Iterator[Alarm]:
    """Queues whose jobs wait for nobody, and runs whose worker is gone."""
    for row in look.queues:
        if look.is_served(row.queue):
            continue
        lost = [job for job in look.claimed if job.queue == row.queue]
        due = look.due.get(row.queue, look.now)
        pending, since = _depth(look, row.queue, State.PENDING)
        if not pending and not lost and due >= look.now:
            continue
        text = f"no consumer serves queue {row.queue}"
        if pending:
            text += f": {counted(pending, 'job')} wait{'s' if pending == 1 else ''}"
            text += f", the oldest for {brief(look.now - since)}" if since is not None else ""
        elif not lost:
            text += ": what is due does not run"
        if lost:
            text += f"; {counted(len(lost), 'run')} {'was' if len(lost) == 1 else 'were'} lost"
        about = {"queue": row.queue, "pending": pending, "lost": [job.seq for job in lost]}
        command = shell_line("consume", "APP", "--queue", row.queue)
        left_for = look.now - min(since or look.now, due)
        level = CRITICAL if lost or left_for > _RESTART else WARNING
        yield Alarm(level, "consumer", row.queue, text, since, about, command)


def _dead_workers(look: Look) -> Iterator[Alarm]:
    for row in look.consumers:
        if row.alive or look.is_served(row.queue):
            continue  # who lives takes its jobs back within a second
        text = f"consumer {row.name} (process {row.pid} on {row.host}) died"
        about = {"worker": row.name, "pid": row.pid}
        yield Alarm(CRITICAL, "worker", row.queue, text, None, about, "hueyctl doctor")


def _stuck(look: Look) -> Iterator[Alarm]:
    workers = {row.address: row for row in look.consumers}
    for job in look.running:
        how = look.usual.stuck(job, look.now)
        if how is not None:
            row = workers.get(job.worker_address)
            on = f" on {row.name}" if row is not None else ""
            asked = "; it was asked to stop" if job.cancel_requested else ""
            text = f"job {job.seq} {job.task} {how}{on}{asked}"
            about = {"job": job.seq, "worker": None if row is None else row.name}
            command = remedy(job, workers)
            yield Alarm(CRITICAL, "stuck", job.queue, text, job.claimed_at, about, command)


def _locks(look: Look) -> Iterator[Alarm]:
    for lock in look.storage.locks():
        if lock.alive or not look.is_about(lock.queue):
            continue
        text = f"lock {lock.name}: its holder {lock.holder} (process {lock.pid}) is dead"
        command = command_on(look.storage, lock.queue, "lock", "release", lock.name)
        about = {"lock": lock.name}
        yield Alarm(WARNING, "lock", lock.queue, text, lock.since, about, command)


def _failing(look: Look) -> Iterator[Alarm]:
    from hueyctl.answers.rates import sums_of

    since = (look.now - _WINDOW) // 60 * 60
    names = [row.queue for row in look.queues]
    found = sums_of(look.metrics(since), names, since, look.now).tasks(_WINDOW)
    for row in sorted(found, key=lambda row: -row.rates.failed):
        rates = row.rates
        if rates.runs >= _RUNS and (rates.failure_ratio or 0) >= _FAILING:
            text = f"{row.task} failed in {rates.failed} of {rates.runs} runs of {brief(_WINDOW)}"
            about = {"task": row.task, "failed": rates.failed, "runs": rates.runs}
            command = "hueyctl stats --by task"
            yield Alarm(WARNING, "failing", row.queue, text, None, about, command)


def _dead(look: Look) -> Iterator[Alarm]:
    from hueycore.model.jobs import Selector

    for row in look.queues:
        number, _ = _depth(look, row.queue, State.DEAD)
        if not number:
            continue
        text, since = counted(number, "dead letter"), None
        about: dict[str, Any] = {"jobs": number}
        if number <= _MANY_DEAD:
            chosen = Selector(queues=(row.queue,), states=(State.DEAD,))
            for first in look.storage.dead_groups(chosen)[:1]:  # none, if they went meanwhile
                since = first.last
                most = "" if first.number == number else f"{grouped(first.number)} "
                text += f", {most}of {first.task}: {first.error}"
                about |= {"task": first.task, "error": first.error}
        yield Alarm(WARNING, "dead", row.queue, text, since, about, "hueyctl dead summary")


def _paused(look: Look) -> Iterator[Alarm]:
    for row in look.queues:
        if row.paused_at is None or not is_paused(row, look.now):
            continue
        waits, _ = _depth(look, row.queue, State.PENDING)
        said = terms(row.paused_by, row.paused_until, row.pause_reason, look.now)
        text = f"queue {row.queue} has been paused for {brief(look.now - row.paused_at)}{said}"
        text += f"; {counted(waits, 'job')} wait{'s' if waits == 1 else ''}" if waits else ""
        about = {"queue": row.queue}
        command = shell_line("resume", row.queue)
        yield Alarm(WARNING, "paused", row.queue, text, row.paused_at, about, command)


#: A standing order: its kind of alarm, what it says, the command that ends it.
_ORDERS = {
    "paused-task": ("paused", "task {} has been paused for", ("resume", "--task")),
    "paused-scheduler": (
        "paused", "periodic tasks of {} have been paused for", ("resume", "--scheduler"),
    ),
    "revoked-task": ("revoked", "task {} has been revoked for", ("restore", "--task")),
}  # fmt: skip


def _orders(look: Look) -> Iterator[Alarm]:
    for order in look.orders:
        if order.kind not in _ORDERS:
            continue  # an id that was revoked before its job came
        kind, text, command = _ORDERS[order.kind]
        name = order.queue if order.kind == "paused-scheduler" else order.name
        said = f"{text.format(name)} {brief(look.now - order.since)}"
        said += terms(order.by, order.until, order.reason, look.now)
        about = {command[1].removeprefix("--"): name}
        if order.kind == "paused-scheduler":
            line = shell_line(*command, name)
        else:
            line = command_on(look.storage, order.queue, *command, name)
        yield Alarm(WARNING, kind, order.queue, said, order.since, about, line)


def _periodic(look: Look) -> Iterator[Alarm]:
    from hueyctl.answers import schedules

    for row in look.storage.periodic(whole=True):
        if not look.is_about(row.queue) or not look.is_served(row.queue):
            continue  # that nobody serves it is said once for the queue
        if row.next_run >= look.now - schedules.LATE or row.paused_at is not None:
            continue
        answer = schedules.explain(look.storage, row, look.now)
        if answer.state == "overdue":
            text = f"periodic {row.name} is {answer.reason.because}"
            about, command = {"periodic": row.name}, shell_line("why", row.name)
            yield Alarm(WARNING, "periodic", row.queue, text, row.next_run, about, command)


_QUESTIONS = (
    _consumers, _dead_workers, _stuck, _failing, _dead, _paused, _orders, _locks, _periodic,
)  # fmt: skip
_OF_WORK = (_failing, _dead)

"""``hueyctl pause``: workers finish what they have, and take no more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits
from hueyctl.answers.watch import Timeout, looks
from hueyctl.changes import pauses
from hueyctl.changes.queues import queues_of_task
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.operator import operator
from hueyctl.selection.params import DURATION, POSITIVE

if TYPE_CHECKING:
    from hueycore.storage.base import Storage


@command(
    "pause",
    examples=[
        "hueyctl pause",
        'hueyctl pause --task myapp.mail.send --for 30m --reason "SMTP down"',
        "hueyctl pause mail --wait -t 5m",
        "hueyctl pause --list",
    ],
    arguments=[("QUEUE", "A queue of the storage; by default that of the application or URL.")],
    codes=[*pauses.CODES, exits.TIMEOUT, exits.INTERRUPTED],
)
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@click.option("--task", metavar="NAME", help="Only the jobs of this task.")
@click.option("--scheduler", is_flag=True, help="Only periodic tasks: they do not fire.")
@click.option("--for", "span", type=POSITIVE, metavar="DUR", help="Go on by itself after this.")
@click.option("-W", "--wait", "wait_", is_flag=True, help="Wait until nothing is running any more.")
@click.option("-t", "--timeout", type=DURATION, metavar="DUR", help="With --wait: at most this.")
@click.option("--reason", metavar="TEXT", help="Why; shown to whoever asks.")
@click.option("--list", "list_", is_flag=True, help="Show what is paused now.")
def pause(
    session: Session,
    queues: tuple[str, ...],
    task: str | None,
    scheduler: bool,
    span: float | None,
    wait_: bool,
    timeout: float | None,
    reason: str | None,
    list_: bool,
) -> int:
    """Pause queues: what runs is finished, what waits stays, new jobs are still accepted.

    Pausing again changes how long and why. --wait gives the way free for maintenance; when its
    time runs out, the exit code is 124 and the pause stands.
    """
    if list_:
        if queues or task or scheduler or span or wait_ or reason:
            raise errors.usage("--list shows every pause", "leave out the rest, or say --queue")
        pauses.show_all(session)
        return exits.OK
    if timeout is not None and not wait_:
        raise errors.usage("--timeout needs --wait")
    pauses.check_target(task, scheduler)
    chosen = pauses.chosen_queues(session, queues, _queues_of(task))
    until = None if span is None else time.time() + span
    for queue in chosen:
        session.writing(queue).pause(
            task=task, scheduler=scheduler, until=until, by=operator(), reason=reason
        )
    if wait_:
        _wait(session.looking(), chosen, task, timeout)
    pauses.show(session, chosen, task, scheduler)
    return exits.OK


def _queues_of(task: str | None) -> Callable[[Storage, Sequence[str]], Iterable[str]] | None:
    """Where a task is; a queue as a whole has to be named."""
    if task is None:
        return None
    return lambda storage, known: queues_of_task(storage, task, known)


def _wait(storage: Storage, queues: Sequence[str], task: str | None, timeout: float | None) -> None:
    left = 0
    try:
        for _ in looks(storage, timeout):
            left = _running(storage, queues, task)
            if left == 0:
                return
    except Timeout:
        what = "1 job still runs" if left == 1 else f"{left} jobs still run"
        raise errors.CliError(f"timed out; {what}, and the pause stands", exits.TIMEOUT) from None


def _running(storage: Storage, queues: Sequence[str], task: str | None) -> int:
    """How many jobs a living worker holds: those of a dead one run no more, they only look so."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State

    alive = {row.address for row in storage.workers() if row.alive}
    where = (("task", "=", task),) if task is not None else ()
    jobs = storage.jobs(Selector(queues=tuple(queues), states=(State.RUNNING,), where=where))
    return sum(job.worker_address in alive for job in jobs)

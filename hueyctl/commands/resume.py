"""``hueyctl resume``: undo pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import exits
from hueyctl.answers.reason import shell_line
from hueyctl.changes import pauses
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hueycore.storage.base import Storage


@command(
    "resume",
    examples=["hueyctl resume", "hueyctl resume mail", "hueyctl resume --task myapp.mail.send"],
    arguments=[("QUEUE", "A queue of the storage; by default that of the application or URL.")],
    codes=pauses.CODES,
)
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@click.option("--task", metavar="NAME", help="Only the pause of this task.")
@click.option("--scheduler", is_flag=True, help="Only the pause of periodic tasks.")
def resume(session: Session, queues: tuple[str, ...], task: str | None, scheduler: bool) -> int:
    """Let the workers take jobs of paused queues again, at once.

    A task that was paused by itself stays so until it is named with --task, periodic tasks until
    --scheduler is said.
    """
    pauses.check_target(task, scheduler)

    def found(storage: Storage, known: Sequence[str]) -> list[str]:
        return pauses.queues_at_rest(storage, task, scheduler, known)

    chosen = pauses.chosen_queues(session, queues, found)
    for queue in chosen:
        if not session.writing(queue).resume(task=task, scheduler=scheduler):
            what = f"queue {queue}" if task is None else f"task {task} of queue {queue}"
            what = f"the scheduler of {what}" if scheduler else what
            session.remark(f"{what[0].upper()}{what[1:]} was not paused.")
    pauses.show(session, chosen, task, scheduler)
    if task is None and not scheduler:
        _tell_what_is_left(session, chosen)
    return exits.OK


def _tell_what_is_left(session: Session, queues: tuple[str, ...]) -> None:
    for order in session.looking().revocations():
        if order.queue not in queues:
            continue
        if order.kind == "paused-task":
            after = shell_line("resume", "--task", order.name)
            session.notice(f"task {order.name} is still paused: {after}")
        elif order.kind == "paused-scheduler":
            session.notice("periodic tasks are still paused: hueyctl resume --scheduler")

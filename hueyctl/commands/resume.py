"""``hueyctl resume``: undo pause."""

from __future__ import annotations

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.operating import pausing
from hueyctl.operating.asking import shell_line
from hueyctl.operating.orders import check_name


@command(
    "resume",
    examples=["hueyctl resume", "hueyctl resume mail", "hueyctl resume --task myapp.mail.send"],
    arguments=[("QUEUE", "A queue of the storage; by default that of the application or URL.")],
    codes=pausing.CODES,
)
@click.argument("names", nargs=-1, metavar="[QUEUE]...")
@click.option("--task", metavar="NAME", help="Only the pause of this task.")
def resume(session: Session, names: tuple[str, ...], task: str | None) -> int:
    """Let the workers take jobs of paused queues again, at once.

    A task that was paused by itself stays so until it is named with --task.
    """
    if task is not None:
        check_name(task)
    queues = pausing.chosen_queues(session, names)
    for queue in queues:
        if not session.writing(queue).resume(task=task):
            what = f"queue {queue}" if task is None else f"task {task} of queue {queue}"
            session.remark(f"{what[0].upper()}{what[1:]} was not paused.")
    pausing.show(session, queues, task)
    if task is None:
        _tell_tasks(session, queues)
    return exits.OK


def _tell_tasks(session: Session, queues: tuple[str, ...]) -> None:
    for order in session.looking().revocations():
        if order.kind == "paused-task" and order.queue in queues:
            after = shell_line("resume", "--task", order.name)
            session.notice(f"task {order.name} is still paused: {after}")

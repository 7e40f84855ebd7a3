"""``hueyctl restore``: undo a revocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits
from hueyctl.answers.reason import shell_line
from hueyctl.changes.bulk import CODES, How, Plan, bulk_options, plan
from hueyctl.changes.queues import looking_before_writing, queues_to_change
from hueyctl.changes.report import Change
from hueyctl.changes.revocations import ID, TASK, standing
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selecting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hueycore.model.flags import Revocation


@command(
    "restore",
    examples=[
        "hueyctl restore 4312",
        "hueyctl restore --task myapp.mail.send",
        "hueyctl restore --all --dry-run",
    ],
    arguments=[ID_HELP],
    codes=CODES,
)
@selecting(leave_out=("task",), all_help="Every revoked job, and every standing order.")
@bulk_options
@click.option("--task", metavar="NAME", help="Take back the standing order about this task.")
def restore(session: Session, choice: Choice, how: How, task: str | None) -> int:
    """Undo revoke: jobs that were revoked wait again, with their old time if it is yet to come.

    Given an id, also a job that expired, an order about an id that no job has yet, and one that
    runs and was asked to stop: it is asked no more.
    """
    if task is not None:
        if choice.narrows:
            raise errors.usage("--task is about a whole task, filters choose jobs")
        return _restore_task(session, how, task)
    return Restoration(session, choice, how).run()


def _restore_task(session: Session, how: How, task: str) -> int:
    """Take the order back. Exit 3 when there is none."""
    storage = looking_before_writing(session)

    def orders(queues: Sequence[str]) -> list[Revocation]:
        every = standing(storage, queues)
        return [order for order in every if (order.kind, order.name) == (TASK, task)]

    queues = queues_to_change(
        session, storage, found=lambda known: [order.queue for order in orders(known)]
    )
    found = orders(queues)
    if not found:
        raise errors.CliError(
            f"task {task} is not revoked", exits.NOT_FOUND, "hueyctl revoke --list"
        )
    change = Change("restore", matched=1, dry_run=how.dry_run)
    for order in found:
        if not how.dry_run:
            session.writing(order.queue).clear_revocation(TASK, task)
    change.add_order("restore" if how.dry_run else "restored", task)
    return change.report(session, exit_code=how.exit_code)


class Restoration:
    """The jobs that are meant, and the standing orders about ids (with --all, of tasks too)."""

    def __init__(self, session: Session, choice: Choice, how: How) -> None:
        self.session, self.choice, self.how = session, choice, how

    def run(self) -> int:
        from hueyctl.changes import actions

        action = actions.restore(self.how.reason)
        planned = plan(self.session, self.choice, action)
        found = self._orders(planned)
        planned.missing = [key for key in planned.missing if key not in {o.name for o in found}]
        tasks = planned.tasks()
        change = planned.begin(self.how)
        if not self.how.dry_run:
            planned.ask(self.session, self.how, more=len(found) if self.choice.all_ else 0)
            if planned.jobs:
                planned.apply(self.session, change)
        self._take_back(found, change)
        self._warn(tasks - {order.name for order in found})
        return change.report(self.session, exit_code=self.how.exit_code)

    def _orders(self, planned: Plan) -> list[Revocation]:
        orders = standing(self.session.looking(), planned.queues)
        if self.choice.all_ and not self.choice.state:
            return orders
        keys = set(planned.missing) | {job.id for job in planned.jobs}
        return [one for one in orders if one.kind == ID and one.name in keys]

    def _take_back(self, found: Sequence[Revocation], change: Change) -> None:
        for order in found:
            if not self.how.dry_run:
                self.session.writing(order.queue).clear_revocation(order.kind, order.name)
            change.matched += 1
            change.add_order("restore" if self.how.dry_run else "restored", order.name)

    def _warn(self, tasks: set[str]) -> None:
        """A job of a task that is still revoked ends revoked again."""
        for order in standing(self.session.looking(), ()):
            if order.kind == TASK and order.name in tasks:
                after = shell_line("restore", "--task", order.name)
                self.session.notice(f"task {order.name} is still revoked: {after}")

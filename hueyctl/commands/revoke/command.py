"""``hueyctl revoke``: jobs, or a whole task from now on."""

from __future__ import annotations

import click

from hueyctl import errors
from hueyctl.changes.bulk import CODES, How, Plan, bulk_options, plan
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selecting
from hueyctl.selection.params import in_future


@command(
    "revoke",
    examples=[
        "hueyctl revoke 4312 4313",
        'hueyctl revoke --task myapp.mail.send --until tomorrow --reason "SMTP down"',
        "hueyctl revoke --state scheduled --where 'task ~ report' --older-than 1d --dry-run",
        "hueyctl revoke 4312 --terminate",
        "hueyctl revoke --list",
    ],
    arguments=[ID_HELP],
    codes=CODES,
)
@selecting(leave_out=("task",), all_help="Every job that waits or runs.")
@bulk_options
@click.option(
    "--task", metavar="NAME", help="The whole task: from now on its jobs end revoked, not run."
)
@click.option("--until", metavar="WHEN", help="With --task: only until then.")
@click.option("--once", is_flag=True, help="With --task: only the next job.")
@click.option(
    "--terminate",
    is_flag=True,
    help="Interrupt jobs that run in worker processes; others are only asked.",
)
@click.option("--list", "list_", is_flag=True, help="Show the tasks and ids that are revoked now.")
def revoke(
    session: Session,
    choice: Choice,
    how: How,
    task: str | None,
    until: str | None,
    once: bool,
    terminate: bool,
    list_: bool,
) -> int:
    """Revoke jobs: those that wait end now, those that run are asked to stop.

    --task leaves a standing order for a task, jobs that are still to come included. To revoke what
    waits of some tasks now, use --where 'task = NAME' or 'task ~ PART'.
    """
    if (until or once) and not task:
        raise errors.usage("--until and --once are about a whole task", "say --task NAME")
    if terminate and task:
        raise errors.usage("--terminate is about jobs, --task about a whole task")
    from hueyctl.commands.revoke.orders import revoke_task, show

    if list_:
        if task or choice.narrows:
            raise errors.usage("--list shows every standing order", "leave out the rest")
        return show(session, how)
    if task is not None:
        if choice.narrows:
            raise errors.usage(
                "--task revokes a whole task, filters choose jobs", "choose with --where 'task ~ …'"
            )
        return revoke_task(session, how, task, _moment(until, choice.utc), once)
    from hueyctl.changes import actions

    action = actions.revoke(how.reason, interrupt=terminate)
    planned = plan(session, choice, action)
    if terminate:
        _say_cooperative(session, planned)
    return planned.carry_out(session, how)


def _say_cooperative(session: Session, planned: Plan) -> None:
    """Which of the jobs no force can interrupt."""
    from hueyctl.answers.workers import INTERRUPTING

    kinds = {row.address: row.kind for row in session.looking().workers()}
    asked = [
        job
        for job in planned.jobs
        if job.worker and kinds.get(job.worker_address) not in INTERRUPTING
    ]
    if asked:
        names = ", ".join(str(job.seq) for job in asked[:5]) + (", …" if len(asked) > 5 else "")
        kind = kinds.get(asked[0].worker_address, "gone")
        session.notice(f"{names}: its worker ({kind}) cannot interrupt a job, only ask it to stop")


def _moment(text: str | None, utc: bool) -> float | None:
    return None if text is None else in_future("--until", text, utc=utc)

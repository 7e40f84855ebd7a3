"""``hueyctl wait``: until jobs have ended, or the queue is empty."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits, streams
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selector_options
from hueyctl.selection.params import DURATION, POSITIVE

if TYPE_CHECKING:
    from hueycore.model.jobs import Job

GOALS = ("done", "success", "started", "empty")


@command(
    "wait",
    examples=[
        "hueyctl wait 4312 --for success -t 2m",
        "hueyctl wait --for empty -t 10m",
        "hueyctl wait --task 'myapp.mail.*' --any -o jsonl",
    ],
    arguments=[ID_HELP],
    codes=[
        exits.NOT_FOUND,
        exits.NO_MATCH,
        exits.TASK_FAILED,
        exits.UNAVAILABLE,
        exits.CONFIG,
        exits.TIMEOUT,
        exits.INTERRUPTED,
    ],
)
@selector_options
@click.option(
    "--for",
    "goal",
    type=click.Choice(GOALS),
    default="done",
    show_default=True,
    help="done: ended, well or not. success: as done, but the first failure ends it. started: "
    "running or past it. empty: nothing of the queue is pending, blocked, running or due.",
)
@click.option("-t", "--timeout", type=DURATION, metavar="DUR", help="Exit 124 after this long.")
@click.option(
    "-i", "--interval", type=POSITIVE, metavar="S", help="Look at least this often (0.25)."
)
@click.option("--allow-empty", is_flag=True, help="No ids on stdin are nothing to wait for.")
@click.option("--any", "any_", is_flag=True, help="One of the jobs is enough.")
@click.option(
    "--progress/--no-progress", default=None, help="A counter on stderr (default: on a terminal)."
)
def wait(
    session: Session,
    choice: Choice,
    goal: str,
    timeout: float | None,
    interval: float | None,
    allow_empty: bool,
    any_: bool,
    progress: bool | None,
) -> int:
    """Wait until jobs have ended, and print each change of state.

    The jobs are those that match when the command starts. Exit 5 when one of them failed, 124
    when the time ran out first.
    """
    from hueycore.model.states import LIVE
    from hueyctl.commands.wait.watch import Watch, wait_empty

    storage = session.looking()
    queues = session.check_queues(storage)
    if goal == "empty":
        if choice.narrows or any_:
            raise errors.usage("--for empty is about whole queues", "choose them with --queue")
        return wait_empty(session, storage, queues, timeout, interval)
    if not choice.narrows:
        raise errors.usage("say which jobs to wait for", "ids, --task, --all, or --for empty")
    selection = choice.selection(queues, states=LIVE)
    if selection.impossible and not allow_empty:
        hint = "what was to write them may have failed; --allow-empty if that is as it should be"
        raise errors.CliError("no id came on stdin", exits.NO_MATCH, hint)
    jobs = list(selection.jobs(storage, session))
    selection.say_left_out()
    _check_all_found(choice, selection.selector.keys, jobs)
    if not jobs:
        session.remark("No jobs match.")
        return exits.OK
    shown = progress if progress is not None else streams.is_tty(sys.stderr)
    watch = Watch(session, jobs, goal, any_, shown and not session.settings.quiet)
    return watch.run(storage, timeout, interval)


def _check_all_found(choice: Choice, keys: tuple[str, ...], jobs: list[Job]) -> None:
    if not choice.ids or choice.state or choice.where or choice.task:
        return
    found = {job.id for job in jobs} | {str(job.seq) for job in jobs}
    for key in keys:
        if key not in found:
            raise errors.CliError(f"no job {key}", exits.NOT_FOUND, "hueyctl list --state all")

"""``hueyctl logs``: what the runs of a job have logged."""

from __future__ import annotations

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.params import Whole


@command(
    "logs",
    examples=[
        "hueyctl logs 4312",
        "hueyctl logs 4312 -f",
        "hueyctl logs 4312 --tail 20 -o jsonl",
    ],
    arguments=[("ID", "The number or the long id of a job.")],
    codes=[exits.NOT_FOUND, exits.REFUSED, exits.UNAVAILABLE, exits.CONFIG, exits.INTERRUPTED],
)
@click.argument("id_", metavar="ID")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until the job has ended.")
@click.option(
    "-n",
    "--limit",
    "--tail",
    "tail",
    type=Whole(0),
    metavar="N",
    help="Begin with the last N lines; 0 for all.",
)
def logs(session: Session, id_: str, follow: bool, tail: int | None) -> int:
    """Print the log lines that the runs of a job have left: time, try, level and message.

    Lines are kept where the application asks for it: @huey.task(keep_logs=True), or
    Huey(keep_logs="INFO"). A run keeps its first thousand, a job the newest two thousand. Exit 6
    when the job has run and kept none.
    """
    from hueycore.model.states import FINAL
    from hueyctl.answers.watch import looks
    from hueyctl.commands.logs.view import JobLog
    from hueyctl.selection.ids import find

    if follow and session.output.format == "json":
        raise errors.usage("an array never ends with --follow", "use -o jsonl")
    storage = session.looking()
    job = find(storage, id_, session.check_queues(storage))
    last = 0
    for _ in looks(storage) if follow else (True,):
        # The job first: what it says with its ending is there when it has ended.
        job = find(storage, job.id, (job.queue,))
        found = storage.log(job.seq, last, queue=job.queue)
        skipped = len(found) - tail if tail and not last else 0
        JobLog(session, job).show(found[max(0, skipped) :], stream=follow)
        last = found[-1].line if found else last
        if job.state in FINAL:
            break
    if not last:
        if job.started_at is not None and job.state != "running":
            hint = "@huey.task(keep_logs=True) keeps them from the next run on"
            raise errors.CliError(f"job {job.seq} has kept no log lines", exits.REFUSED, hint)
        session.remark("Nothing so far.")
    return exits.OK

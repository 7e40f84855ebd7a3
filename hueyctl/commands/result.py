"""``hueyctl result``: what a job returned."""

from __future__ import annotations

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.ids import find, read_ids
from hueyctl.selection.options import ID_HELP
from hueyctl.selection.params import DURATION


@command(
    "result",
    examples=[
        "hueyctl result 4312",
        "hueyctl result 4312 --wait -t 30s --raw > out.txt",
        "hueyctl result 4312 4313 --json",
    ],
    arguments=[ID_HELP],
    codes=[
        exits.NOT_FOUND,
        exits.NO_MATCH,
        exits.TASK_FAILED,
        exits.REFUSED,
        exits.UNAVAILABLE,
        exits.CONFIG,
        exits.TIMEOUT,
    ],
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--pop", is_flag=True, help="Take the value: nobody can read it again.")
@click.option("--traceback", is_flag=True, help="Also the traceback of a failure, on stderr.")
@click.option("--wait", "wait_", is_flag=True, help="Wait until the job has ended.")
@click.option(
    "-t", "--timeout", type=DURATION, metavar="DUR", help="With --wait: give up after this long."
)
@click.option("-r", "--raw", is_flag=True, help="Strings without quotes, as they are.")
@click.option("--exit-code", is_flag=True, help="Exit 4 when there is no result yet.")
def result(
    session: Session,
    ids: tuple[str, ...],
    pop: bool,
    traceback: bool,
    wait_: bool,
    timeout: float | None,
    raw: bool,
    exit_code: bool,
) -> int:
    """Print the results of jobs as JSON values. Never waits unless told to.

    A value that is not plain data is not decoded, because that could execute code; its size is
    printed instead, and --pop leaves it. A failed job prints its error on stderr and exits 5.
    """
    from hueyctl.output import results

    if timeout is not None and not wait_:
        raise errors.usage("--timeout needs --wait")
    storage = session.looking()
    queues = session.check_queues(storage)
    missing: errors.CliError | None = None
    jobs = []
    for key in read_ids(ids):
        try:
            jobs.append(find(storage, key, queues))
        except errors.CliError as error:
            if missing is not None:
                session.notice(missing.message)
            missing = error
    if wait_ and jobs:
        jobs = results.wait_final(session, storage, jobs, timeout)
    outcomes = [results.read(session, storage, job) for job in jobs]
    if pop:
        outcomes = results.take(session, outcomes)
    if outcomes or missing is None:
        results.show(session, outcomes, raw=raw, traceback=traceback)
    if missing is not None:
        raise missing
    return results.verdict(session, outcomes, exit_code=exit_code)

"""``hueyctl run``: call a task in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits, streams
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.producers.arguments import GRAMMAR, call_options, parse_words
from hueyctl.selection.params import POSITIVE

if TYPE_CHECKING:
    from hueycore import Huey, Task


@command(
    "run",
    examples=[
        "hueyctl run myapp.utils.reindex products",
        "hueyctl run myapp.report.build year:=2026 --timeout 5m --json",
        "hueyctl run --job 4312 --timeout 30s -v",
    ],
    arguments=[
        ("TASK", "The dotted name of a task or function."),
        ("ARG", GRAMMAR),
    ],
    codes=[
        exits.NOT_FOUND,
        exits.TASK_FAILED,
        exits.REFUSED,
        exits.UNAVAILABLE,
        exits.CONFIG,
        exits.TIMEOUT,
    ],
)
@click.argument("task", required=False, metavar="TASK")
@click.argument("words", nargs=-1, metavar="[ARG]...")
@call_options
@click.option("--job", "job_id", metavar="ID", help="Make the call of this job; it stays as it is.")
@click.option(
    "-t",
    "--timeout",
    type=POSITIVE,
    metavar="DUR",
    help="Interrupt it after this long; by default the task's own timeout.",
)
@click.option("--no-hooks", is_flag=True, help="Leave out the hooks of the application.")
def run(session: Session, task: str | None, words: tuple[str, ...], **given: Any) -> int:
    """Call a task here and now, and print what it returns as JSON.

    Nothing is queued or stored: no retries, no result, no signals. The call is checked and its
    words are converted as by enqueue; what the task prints goes to stderr.
    """
    has_words = bool(words or given["more_args"] or given["more_kwargs"])
    if (task is None) == (given["job_id"] is None) or (has_words and task is None):
        raise errors.usage("say either which task, or which --job", "hueyctl run --help")
    if not session.has_app:
        raise errors.usage("run needs the application", "say --app MODULE:ATTR")
    huey = session.app_to_write()
    if given["job_id"] is not None:
        wanted = _of_job(session, huey, given["job_id"])
    else:
        wanted = _of_words(session, huey, task or "", words, given)
    if given["timeout"] is not None:
        wanted.timeout = given["timeout"]
    from hueyctl.commands.run.call import call

    _show(session, call(huey, wanted, hooks=not given["no_hooks"]))
    return exits.OK


def _of_words(
    session: Session, huey: Huey, name: str, words: tuple[str, ...], given: dict[str, Any]
) -> Task:
    from hueyctl.producers.tasks import fit_call, own_task

    call = parse_words(words, given["more_args"], given["more_kwargs"])
    wrapper = own_task(session, huey, name)
    call = fit_call(call, wrapper, convert=not given["no_coerce"], check=not given["no_check"])
    return wrapper.task_class(tuple(call.args), call.kwargs)


def _of_job(session: Session, huey: Huey, key: str) -> Task:
    """The call that a job has stored, whatever became of the job."""
    from hueycore.exceptions import SerializationError
    from hueycore.runs.inputs import call_of
    from hueyctl.producers.tasks import find_task
    from hueyctl.selection.ids import find

    storage = session.looking()
    job = find(storage, key, session.check_queues(storage))
    if job.state == "running":
        session.notice(f"job {job.seq} is running in a consumer as well")
    wrapper = find_task(session, huey, job.task)
    try:
        args, kwargs = call_of(
            storage.payloads([job])[0], job.inputs, huey.serializer, lambda: storage.inputs(job.seq)
        )
    except SerializationError as error:
        message = f"the call of job {job.seq} cannot be read: {error}"
        raise errors.CliError(message, exits.TASK_FAILED) from error
    return wrapper.task_class(
        tuple(args),
        kwargs,
        id=job.id,
        retries=job.retries,
        retry_delay=job.retry_delay,
        priority=job.priority,
        timeout=job.timeout,
    )


def _show(session: Session, value: Any) -> None:
    from hueycore.serializer import safe_repr
    from hueyctl.answers.payloads import jsonable
    from hueyctl.output.results import text_of_value

    try:
        value = jsonable(value)
    except Exception:  # too large or endless, or a str() that raises
        value = safe_repr(value, 200)
    if session.output.is_json:
        session.output.document(value)
    else:
        session.output.line(streams.visible_lines(text_of_value(value)))

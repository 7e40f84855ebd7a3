"""``hueyctl enqueue``: queue calls of tasks, one or a file full."""

from __future__ import annotations

import time
from typing import Any

import click

from hueyctl import errors, exits, units
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.producers.answer import announce, call_of, wait_for
from hueyctl.producers.app import AppProducer
from hueyctl.producers.arguments import GRAMMAR, Call, CallingCommand, call_options, parse_words
from hueyctl.producers.base import Order, Producer, Queued
from hueyctl.producers.file import FileProducer
from hueyctl.selection.params import DURATION, Integer, Number, Whole


@command(
    "enqueue",
    examples=[
        "hueyctl enqueue myapp.utils.reindex products",
        "hueyctl enqueue myapp.mail.send to=ann@example.com retries:=3 body=@letter.txt --delay 5m",
        "hueyctl enqueue myapp.report.build -W -t 2m -- -5 --full",
        "hueyctl enqueue myapp.report.build --then myapp.mail.send --on-error myapp.ops.alert",
        "hueyctl enqueue --copy 4312 --edit",
        "hueyctl enqueue --from jobs.jsonl --delay 5m -q",
        "hueyctl enqueue myapp.utils.reindex products --unique products --if-exists replace",
    ],
    arguments=[
        ("TASK", "The dotted name of a task or function; with --from for lines that name none."),
        ("ARG", GRAMMAR),
    ],
    codes=[
        exits.FAILURE,
        exits.NOT_FOUND,
        exits.TASK_FAILED,
        exits.REFUSED,
        exits.UNAVAILABLE,
        exits.IO_ERROR,
        exits.CONFIG,
        exits.TIMEOUT,
    ],
    cls=CallingCommand,
)
@click.argument("task", required=False, metavar="TASK")
@click.argument("words", nargs=-1, metavar="[ARG]...")
@call_options
@click.option("--copy", metavar="ID", help="Make the call of this job again; it stays as it is.")
@click.option(
    "--edit", is_flag=True, help="With --copy: edit the arguments first, as JSON in $EDITOR."
)
@click.option("--delay", type=DURATION, metavar="DUR", help="Run after this long.")
@click.option("--eta", metavar="WHEN", help=f"Run at this time, like {units.EXAMPLE_TIMES}.")
@click.option(
    "--expires", metavar="WHEN", help="Do not start it after this time, or so long after it could."
)
@click.option("--utc", is_flag=True, help="Times without an offset are UTC, not local.")
@click.option("--priority", type=Number(), metavar="N", help="Higher runs first.")
@click.option("--retries", type=Whole(0), metavar="N", help="Tries after a failure.")
@click.option("--retry-delay", type=DURATION, metavar="DUR", help="How long before a retry.")
@click.option("--id", "id_", metavar="ID", help="The long id; one that waits is not doubled.")
@click.option("--unique", metavar="KEY", help="Be the only one of the task with this key.")
@click.option(
    "--if-exists",
    type=click.Choice(["keep", "replace", "fail"]),
    metavar="HOW",
    help="With --unique, when there is one: keep it, replace its arguments and time, or fail "
    "(default).",
)
@click.option(
    "--then",
    multiple=True,
    metavar="TASK",
    help="Then run this task with its value; may be given several times.",
)
@click.option(
    "--on-error", metavar="TASK", help="Call this task with the exception when it fails for good."
)
@click.option(
    "-W",
    "--wait",
    "wait_",
    is_flag=True,
    help="Wait for the job (with --then for the last one), print its result.",
)
@click.option(
    "-t", "--timeout", type=DURATION, metavar="DUR", help="With --wait: give up after this long."
)
@click.option(
    "--from",
    "source",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Read jobs from a file of JSON lines, - for stdin: task, args, kwargs, delay, eta, "
    "expires, priority, retries, retry_delay, id, unique.",
)
@click.option(
    "--batch",
    type=Integer(1, 100_000),
    metavar="N",
    help="With --from: jobs per transaction; by default 5000, in Redis 1000.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be queued, queue nothing.")
@click.option("--create", is_flag=True, help="Make the storage of --url when it is missing.")
def enqueue(session: Session, task: str | None, words: tuple[str, ...], **given: Any) -> int:
    """Queue a call of a task, and print the long id of the job.

    With --app the call is checked against the task's signature and strings become what the
    annotations say; a name that no task has is imported, and called by its path. With --url alone
    the name and the arguments are taken as they are, and max_pending, which only the application
    knows, bounds nothing.

    --copy queues the call of a job once more, with its priority and retries, whatever became of it;
    without --app only if its arguments can be read, or need not be. Who leaves the editor
    of --edit without saving queues nothing.
    """
    _check_usage(task, words, given)
    if given["copy"] is not None:
        queued = _copy(session, given)
    else:
        producer = _producer(session, given)
        if given["source"] is not None:
            from hueyctl.commands.enqueue.jsonlines import feed

            return feed(session, producer, given["source"], _order(task, given), given)
        call = parse_words(words, given["more_args"], given["more_kwargs"])
        queued = _queue(session, producer, _order(task, given)._replace(call=call), given)
    if queued is None:
        return exits.OK
    if given["wait_"]:
        return wait_for(session, queued, given["timeout"])
    announce(session, [queued])
    return exits.OK


def _queue(
    session: Session, producer: Producer, order: Order, given: dict[str, Any]
) -> Queued | None:
    """Queue the job; None where that was a dry run."""
    prepared = producer.prepare(order._replace(id=given["id_"]))
    if given["dry_run"]:
        _show_dry_run(session, producer, prepared)
        return None
    return producer.commit([prepared])[0]


def _copy(session: Session, given: dict[str, Any]) -> Queued | None:
    from hueyctl.commands.enqueue import copy

    job = copy.job_to_copy(session, given["copy"])
    # Values that were stored have their types; what is typed into the editor is converted.
    given["no_coerce"] = given["no_coerce"] or not given["edit"]
    producer = _producer(session, given, job.queue)
    order = copy.order_of(job, _order(job.task, given))
    order = copy.with_call(session, producer, order, to_edit=given["edit"])
    if not given["edit"]:
        return _queue(session, producer, order, given)
    from hueyctl.commands.enqueue.editor import edited

    def accept(call: Call) -> Queued | None:
        return _queue(session, producer, order._replace(call=call), given)

    return edited(session, order.call, accept, f"hueyctl enqueue --copy {job.seq}")


def _check_usage(task: str | None, words: tuple[str, ...], given: dict[str, Any]) -> None:
    batch = given["source"] is not None
    copies = given["copy"] is not None
    if copies and (task is not None or batch or given["more_args"] or given["more_kwargs"]):
        raise errors.usage("--copy has the task and its arguments", "--edit changes them")
    if given["edit"] and not copies:
        raise errors.usage("--edit needs --copy")
    if task is None and not batch and not copies:
        raise errors.usage("say which task", "hueyctl enqueue --help")
    if batch and (words or given["more_args"] or given["more_kwargs"] or given["id_"]):
        raise errors.usage("with --from the arguments and ids stand in the file")
    if batch and given["wait_"]:
        raise errors.usage("--from does not wait", "pipe the ids: … | hueyctl wait -")
    if given["timeout"] is not None and not given["wait_"]:
        raise errors.usage("--timeout needs --wait")
    if given["delay"] is not None and given["eta"] is not None:
        raise errors.usage("--delay and --eta exclude each other")
    if given["wait_"] and given["dry_run"]:
        raise errors.usage("--dry-run queues nothing to wait for")
    if given["if_exists"] is not None and given["unique"] is None and not batch:
        raise errors.usage("--if-exists needs --unique")
    if given["unique"] is not None and not 0 < len(given["unique"]) <= 255:
        raise errors.usage("a --unique key has 1 to 255 characters")
    if given["id_"] is not None and not 0 < len(given["id_"]) <= 255:
        raise errors.usage("an --id has 1 to 255 characters")


def _producer(session: Session, given: dict[str, Any], queue: str | None = None) -> Producer:
    # A dry run looks at everything and creates nothing.
    create = given["create"] and not given["dry_run"]
    if given["then"] or given["on_error"]:
        return _pipelines(session, given, create, queue)
    if session.has_app:
        return AppProducer(
            session, convert=not given["no_coerce"], check=not given["no_check"], create=create
        )
    return FileProducer(session, create=create, queue=queue)


def _pipelines(
    session: Session, given: dict[str, Any], create: bool, queue: str | None
) -> Producer:
    from hueyctl.commands.enqueue.followers import After, AppPipelines, FilePipelines

    after = After(given["then"], given["on_error"])
    if not session.has_app:
        return FilePipelines(session, after, create=create, queue=queue)
    convert, check = not given["no_coerce"], not given["no_check"]
    return AppPipelines(session, after, convert=convert, check=check, create=create)


def _order(task: str | None, given: dict[str, Any]) -> Order:
    """What the options say of every job."""
    now = time.time()
    run_at = None if given["delay"] is None else now + given["delay"]
    if given["eta"] is not None:
        run_at = _when(given["eta"], "--eta", now, given["utc"])
    expires_at = expires_in = None
    if given["expires"] is not None:
        expires_in = units.parse_ahead(given["expires"])
        if expires_in is None:
            expires_at = _when(given["expires"], "--expires", now, given["utc"])
    return Order(
        task or "",
        parse_words((), None, None),
        None,
        run_at,
        expires_at,
        given["priority"],
        given["retries"],
        given["retry_delay"],
        given["unique"],
        given["if_exists"] or "fail",
        given["delay"],
        expires_in,
    )


def _when(text: str, option: str, now: float, utc: bool) -> float:
    try:
        return units.parse_when(text, utc=utc, now=now)
    except ValueError as error:
        raise errors.usage(f"{option}: {error}") from None


def _show_dry_run(session: Session, producer: Producer, prepared: Any) -> None:
    """Say what would be queued: on stdout as JSON, otherwise on stderr."""
    described = producer.describe(prepared)
    if session.output.is_json:
        session.output.document(described)
        return
    at = f" at {described['run_at']}" if described["run_at"] else ""
    session.notice(f"would queue {call_of(producer.row(prepared))}{at}")

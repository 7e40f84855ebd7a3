"""One more job like another: the same call, or one with other arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.exceptions import DuplicateJob, PayloadTooLarge
from hueycore.model.jobs import NewJob
from hueycore.system.ids import new_id
from hueyctl import errors
from hueyctl.answers.payloads import Arguments, decode_arguments
from hueyctl.answers.reason import shell_line
from hueyctl.dashboard.asks import Answer
from hueyctl.dashboard.changes.forms import Form, enqueue, writing
from hueyctl.dashboard.changes.notices import Notice
from hueyctl.dashboard.page import Missing, Page
from hueyctl.dashboard.render import html
from hueyctl.producers.arguments import Call, parse_words

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.dashboard.page import View

#: What a copy has of a job. What was promised to follow it, or is awaited of it, it has not.
_KEPT = (
    *("task", "priority", "retries", "retry_delay", "retry_backoff", "timeout", "max_crashes"),
    *("at_most_once", "result_ttl", "key_name", "expires_in"),
)


class _Original(NamedTuple):
    job: Job
    payload: bytes
    #: None when they can only be read by the application.
    arguments: Arguments | None


def _original(view: View, form: Form) -> _Original:
    """Raises ``Missing``."""
    key = form.word("id")
    jobs = [job for job in [view.storage.job(key)] if job is not None]
    if not jobs or (view.queues and jobs[0].queue not in view.queues):
        raise Missing(f"There is no job {key}: it was never there, or it was purged")
    (job,) = jobs
    storage = view.board.open(queue=job.queue)
    try:
        payload = storage.payload(job.seq)
    finally:
        storage.close()
    if payload is None:
        raise Missing(f"There is no job {key} any more: it was purged")
    return _Original(job, payload, decode_arguments(payload))


def copy(view: View) -> Answer:
    """The same call at once, another one if arguments were sent."""
    form = Form(view)
    original = _original(view, form)
    job = original.job
    try:
        with writing(view, job.queue) as storage:
            born = enqueue(storage, _new_job(storage, original, form), f"copy of job {job.seq}")
    except (ValueError, PayloadTooLarge, errors.CliError, DuplicateJob) as error:
        message = error.message if isinstance(error, errors.CliError) else str(error)
        return html(view, page(view, message), 422)
    undo = ("revoke", {"id": born.id, "queue": job.queue})
    return form.done(Notice(f"Queued job {born.seq}, a copy of job {job.seq}.", undo))


def _new_job(storage: Storage, original: _Original, form: Form) -> NewJob:
    job = original.job
    if job.inputs:
        raise ValueError("it takes the results of earlier stages, which no copy has: retry it")
    kept: dict[str, Any] = {name: getattr(job, name) for name in _KEPT}
    if not _has_arguments(form):
        return NewJob(new_id(), payload=original.payload, preview=job.preview, **kept)
    from hueyctl.producers.base import check_size
    from hueyctl.producers.file import MAX_PAYLOAD, serializer_of

    call = _call(form)
    serializer = serializer_of(storage)
    args = tuple(call.args)
    payload = serializer.serialize((args, call.kwargs))
    check_size(payload, MAX_PAYLOAD)
    return NewJob(new_id(), payload=payload, preview=serializer.preview(args, call.kwargs), **kept)


def _has_arguments(form: Form) -> bool:
    return "args" in form.fields or "kwargs" in form.fields


def _call(form: Form) -> Call:
    """Raises ``CliError`` for what is not JSON, in the words of the command line."""
    return parse_words((), form.word("args") or "[]", form.word("kwargs") or "{}")


def page(view: View, problem: str = "") -> Page:
    """The call of a job, to be changed; what was typed stays."""
    form = Form(view)
    original = _original(view, form)
    job, arguments = original.job, original.arguments
    if _has_arguments(form):
        args, kwargs = form.word("args"), form.word("kwargs")
    else:
        args = _written(arguments.args) if arguments else ""
        kwargs = _written(arguments.kwargs) if arguments else ""
    return Page(
        "copy.html",
        f"Run job {job.seq} once more",
        (),
        {
            "job": job,
            "known": arguments is not None,
            "args": args,
            "kwargs": kwargs,
            "line": _command(view, job, args, kwargs) if arguments is not None else None,
            "problem": problem,
            "fields": [("id", job.id), ("back", form.back)],
            "form": form,
        },
        place="jobs",
    )


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _command(view: View, job: Job, args: str, kwargs: str) -> str:
    given = ["--args", _line(args)] if _line(args) not in ("", "[]") else []
    given += ["--kwargs", _line(kwargs)] if _line(kwargs) not in ("", "{}") else []
    if job.priority:
        given += [f"--priority={job.priority:g}"]
    if job.retries:
        given += ["--retries", str(job.retries), "--retry-delay", f"{job.retry_delay:g}"]
    # After a double dash nothing is an option.
    task = ("--", job.task) if job.task.startswith("-") else (job.task,)
    return shell_line("enqueue", *given, "-Q", job.queue, "-u", view.board.url, *task)


def _line(written: str) -> str:
    """On one line, if it is JSON."""
    try:
        return json.dumps(json.loads(written), ensure_ascii=False)
    except (ValueError, RecursionError):
        return written

"""Everything that is known of a job, read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hueyctl.answers.history import Event, timeline, worker_name
from hueyctl.answers.jobs import error_text, last_error
from hueyctl.answers.payloads import decode_arguments, dumps
from hueyctl.answers.tracebacks import of_application
from hueyctl.output.columns import Style, cell, job_columns, time_text
from hueyctl.units import brief

if TYPE_CHECKING:
    from hueycore.model.events import LogLine
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.answers.reason import Reason
    from hueyctl.context import Session

Pair = tuple[str, str]

#: Stages that are read for a drawing: those of a chord with more are not all counted.
_DRAWN = 5000

#: Shown when they say something.
_KEYS = (
    "queue", "reason", "id", "priority", "progress", "run_at", "expires_at", "timeout", "attempt",
    "retries", "retry_delay", "crashes", "at_most_once", "key_name", "unique_key", "unique_until",
    "cancel_requested", "wait_s", "run_s",
)  # fmt: skip
_USUAL = {
    "priority": 0, "retries": 0, "retry_delay": 0, "crashes": 0, "at_most_once": False,
    "cancel_requested": False, "reason": None,
}  # fmt: skip


class Sheet(NamedTuple):
    """A job, why it is where it is, what came of it, and what is around it."""

    job: Job
    reason: Reason
    arguments: list[Pair]
    #: The value as text; None of a job that has none.
    result: str | None
    events: list[Event]
    stages: list[Job]
    log: Sequence[LogLine]
    #: Of the last error, None unless it was asked for.
    traceback: str | None

    @property
    def error(self) -> str | None:
        found = last_error(self.job)
        return None if found is None else error_text(found)


def read(session: Session, storage: Storage, job: Job, *, traceback: bool) -> Sheet:
    from hueyctl.answers.why import explain
    from hueyctl.output import results

    result = None
    if job.state == "done":
        result = results.text_of(results.read(session, storage, job), raw=False)
    text = (last_error(job) or {}).get("traceback") if traceback else None
    if text and not session.settings.verbose:
        text = of_application(str(text))
    return Sheet(
        job=job,
        reason=explain(storage, job, session.output.style.now).reason,
        arguments=list(_arguments(storage, job)),
        result=result,
        events=timeline(job, worker_name(storage, job)),
        stages=storage.stages(job.seq, _DRAWN, queue=job.queue),
        log=storage.log(job.seq, queue=job.queue),
        traceback=str(text).rstrip("\n") if text else None,
    )


def keys(sheet: Sheet, style: Style) -> Iterator[Pair]:
    """What the row says of the job besides its state, its arguments, and its result."""
    job = sheet.job
    known = job_columns(style.now)
    for key in _KEYS:
        text = cell(known[key], job, style)
        value = known[key].value(job)
        if text and (key not in _USUAL or value != _USUAL[key]):
            yield key.removesuffix("_s") if known[key].kind == "span" else key, text
    yield from sheet.arguments
    if sheet.result is not None:
        yield "result", sheet.result


def _arguments(storage: Storage, job: Job) -> Iterator[Pair]:
    arguments = decode_arguments(storage.payload(job.seq, queue=job.queue))
    if arguments is None:
        yield "args", job.preview if job.preview is not None else "(cannot be shown)"
        return
    for place, value in enumerate(arguments.args):
        yield f"args.{place}", dumps(value)
    for name, value in arguments.kwargs.items():
        yield f"kwargs.{name}", dumps(value)


def parts_of(event: Event, style: Style) -> list[str]:
    """Time, what happened, and what is known of it."""
    parts = (
        time_text(event.at, style),
        event.event,
        f"try {event.attempt}" if event.attempt else None,
        f"on {event.worker}" if event.worker else None,
        f"after {brief(event.run_s)}" if event.run_s is not None else None,
        event.error,
    )
    return [part for part in parts if part]

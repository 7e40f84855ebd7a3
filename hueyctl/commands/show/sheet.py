"""A job as a sheet of keys and values, for people; the same lines with tabs for a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hueyctl import streams, units
from hueyctl.answers.history import timeline, worker_name
from hueyctl.answers.jobs import error_text, last_error
from hueyctl.answers.payloads import decode_arguments, dumps
from hueyctl.commands.show.stages import draw
from hueyctl.output.columns import Column, cell, job_columns, time_text

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

Pair = tuple[str, str]
_LAST_LINES = 10

#: Stages that are read for a drawing: those of a chord with more are not all counted.
_DRAWN = 5000

#: Shown when they say something; the first three always do.
_KEYS = (
    "task", "state", "queue", "reason", "id", "priority", "progress", "run_at", "expires_at",
    "timeout", "attempt", "retries", "retry_delay", "crashes", "at_most_once", "key_name",
    "unique_key", "unique_until", "cancel_requested", "wait_s", "run_s",
)  # fmt: skip
_USUAL = {
    "priority": 0, "retries": 0, "retry_delay": 0, "crashes": 0, "at_most_once": False,
    "cancel_requested": False, "reason": None,
}  # fmt: skip


def write(
    session: Session, storage: Storage, jobs: Sequence[Job], *, traceback: bool, stages: int
) -> None:
    """Print the sheet of each job."""
    output = session.output
    if output.format == "name":
        for job in jobs:
            output.line(streams.visible(job.id))
        return
    if output.columns:
        output.rows(jobs, job_columns(output.style.now), output.columns)
        return
    for number, job in enumerate(jobs):
        pairs = list(_pairs(session, storage, job, stages))
        text = (last_error(job) or {}).get("traceback") if traceback else None
        if output.format in ("table", "wide", "plain"):
            if number:
                output.line("")
            _write_aligned(session, job, pairs, text)
        else:
            if text:
                pairs.append(("traceback", str(text)))
            output.rows(pairs, _COLUMNS, ("key", "value"))


_COLUMNS = {
    "key": Column("key", "KEY", "text", lambda pair: pair[0]),
    "value": Column("value", "VALUE", "text", lambda pair: pair[1]),
}


def _write_aligned(session: Session, job: Job, pairs: Sequence[Pair], text: Any) -> None:
    output = session.output
    output.line(f"job {job.seq}")
    width = max(len(key) for key, _ in pairs)
    before = ""
    for key, value in pairs:
        # A key of several lines is written once.
        shown = "" if key == before else key
        before = key
        output.line(streams.visible(f"  {shown:<{width}}  {value}").rstrip())
    if text:
        output.line(streams.visible_lines(str(text).rstrip("\n")))


def _pairs(session: Session, storage: Storage, job: Job, stages: int) -> Iterator[Pair]:
    style = session.output.style
    known = job_columns(style.now)
    if session.output.format not in ("table", "wide", "plain"):
        yield "seq", str(job.seq)
    for key in _KEYS:
        text = cell(known[key], job, style)
        value = known[key].value(job)
        if text and (key not in _USUAL or value != _USUAL[key]):
            yield key.removesuffix("_s") if known[key].kind == "span" else key, text
    yield from _arguments(storage, job)
    error = last_error(job)
    if error is not None:
        yield "error", error_text(error)
    yield from _timeline(session, storage, job)
    for line in draw(storage.stages(job.seq, _DRAWN), job, stages):
        yield "stages", line
    yield from _log(session, storage, job)


def _arguments(storage: Storage, job: Job) -> Iterator[Pair]:
    arguments = decode_arguments(storage.payloads([job])[0])
    if arguments is None:
        yield "args", job.preview if job.preview is not None else "(cannot be shown)"
        return
    for place, value in enumerate(arguments.args):
        yield f"args.{place}", dumps(value)
    for name, value in arguments.kwargs.items():
        yield f"kwargs.{name}", dumps(value)


def _timeline(session: Session, storage: Storage, job: Job) -> Iterator[Pair]:
    for event in timeline(job, worker_name(storage, job)):
        parts: Iterable[str | None] = (
            time_text(event.at, session.output.style),
            event.event,
            f"try {event.attempt}" if event.attempt else None,
            f"on {event.worker}" if event.worker else None,
            f"after {units.brief(event.run_s)}" if event.run_s is not None else None,
            event.error,
        )
        yield "timeline", "  ".join(part for part in parts if part)


def _log(session: Session, storage: Storage, job: Job) -> Iterator[Pair]:
    lines = storage.log(job.seq)
    if len(lines) > _LAST_LINES:
        yield "log", f"… {len(lines) - _LAST_LINES} more: hueyctl logs {job.seq}"
    for line in lines[-_LAST_LINES:]:
        at = time_text(line.at, session.output.steady)
        message = line.message.partition("\n")[0]
        yield "log", f"{at}  try {line.attempt}  {line.level}  {message}"

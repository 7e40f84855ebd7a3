"""The sheets of jobs in the format of the settings: pages for people, pairs for a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hueyctl import streams
from hueyctl.commands.show.page import write as write_page
from hueyctl.commands.show.sheet import Pair, Sheet, keys, parts_of, read
from hueyctl.commands.show.stages import draw
from hueyctl.output.columns import Column, Style, job_columns, part_columns, time_text

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.context import Session


def write(session: Session, storage: Storage, jobs: Sequence[Job], *, traceback: bool) -> None:
    """Print the sheet of each job."""
    output = session.output
    if output.format == "name":
        for job in jobs:
            output.line(streams.visible(job.id))
        return
    if output.columns:
        known = job_columns(output.style.now) | part_columns(storage, output.columns)
        output.rows(jobs, known, output.columns)
        return
    for number, job in enumerate(jobs):
        sheet = read(session, storage, job, traceback=traceback)
        if output.format in ("table", "wide", "plain"):
            write_page(session, sheet, another=number > 0)
        else:
            output.rows(_pairs(sheet, output.style), _COLUMNS, ("key", "value"))


_COLUMNS = {
    "key": Column("key", "KEY", "text", lambda pair: pair[0]),
    "value": Column("value", "VALUE", "text", lambda pair: pair[1]),
}


def _pairs(sheet: Sheet, style: Style) -> Iterator[Pair]:
    job = sheet.job
    yield from (("seq", str(job.seq)), ("task", job.task), ("state", str(job.state)))
    if sheet.error is not None:
        yield "error", sheet.error
    yield "because", sheet.reason.because
    if sheet.reason.next:
        yield "next", sheet.reason.next
    yield from keys(sheet, style)
    for event in sheet.events:
        yield "timeline", "  ".join(parts_of(event, style))
    for line in draw(sheet.stages, job, len(sheet.stages) + 1, 1000):
        yield "stages", "".join(text for text, _ in line)
    for entry in sheet.log:
        message = entry.message.partition("\n")[0]
        at = time_text(entry.at, style)
        yield "log", f"{at}  try {entry.attempt}  {entry.level}  {message}"
    if sheet.traceback:
        yield "traceback", sheet.traceback

"""What a command prints of jobs that it has queued: their ids, or their results."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hueyctl.producers.base import Queued
from hueyctl.selection.ids import find

if TYPE_CHECKING:
    from hueycore.model.jobs import Job, NewJob
    from hueycore.storage.base import Storage
    from hueyctl.context import Session


def wait_for(session: Session, queued: Queued, timeout: float | None) -> int:
    """Wait for a job, or for the last stage after it, and print the result; answers the exit
    code."""
    from hueyctl.output import results

    storage = session.looking()
    session.notice(f"queued {_call(storage, queued)}")
    wanted = find(storage, queued.last or queued.id)
    job = results.wait_final(session, storage, [wanted], timeout)[0]
    outcome = results.read(session, storage, job)
    results.show(session, [outcome], raw=False, traceback=session.settings.verbose > 0)
    return results.verdict(session, [outcome], exit_code=False)


def announce(session: Session, queued: list[Queued]) -> None:
    """Print ids on stdout, one per line, or the jobs as JSON."""
    output = session.output
    if output.is_json:
        from hueyctl.answers.jobs import read_object

        storage = session.looking()
        jobs: list[Job | None] = [storage.job(each.id) for each in queued]
        objects = [read_object(storage, job, time.time()) for job in jobs if job is not None]
        if output.format == "json" and len(objects) == 1:
            output.document(objects[0])
        else:
            output.objects(objects)
        return
    output.write("".join(f"{each.id}\n" for each in queued))
    if len(queued) == 1 and session.remarks:
        verb = "Queued" if queued[0].fresh else "Already queued:"
        session.remark(f"{verb} {_call(session.looking(), queued[0])}")


def _call(storage: Storage, queued: Queued) -> str:
    """The number of a job, and the call that its row has."""
    job = storage.job(queued.id)
    return f"{queued.seq}  {queued.task if job is None else call_of(job)}"


def call_of(job: Job | NewJob) -> str:
    """The call as it will be made, as far as its arguments may be shown."""
    return f"{job.task}({'…' if job.preview is None else job.preview})"

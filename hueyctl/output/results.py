"""Results of jobs, shown the same by every command, and waiting for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hueycore.model.states import FINAL
from hueyctl import errors, exits, streams
from hueyctl.answers.budget import SAFE_LIMIT, WHOLE_LIMIT
from hueyctl.answers.payloads import dumps
from hueyctl.answers.results import Outcome, as_object, error_of, value_of, would_be_lost
from hueyctl.answers.tracebacks import of_application
from hueyctl.answers.unserved import Unserved
from hueyctl.answers.watch import Timeout, looks

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.context import Session


def read(session: Session, storage: Storage, job: Job) -> Outcome:
    """The outcome of a job."""
    if job.state not in FINAL:
        return Outcome(job, None)
    if storage.queue != job.queue:
        storage = session.looking(job.queue)
    return Outcome(job, storage.result(job.id, preserve=True))


def take(session: Session, found: Sequence[Outcome]) -> list[Outcome]:
    """The same, with values that are handed out for the last time. Exit 6, and all of them stay,
    when one cannot be shown."""
    for outcome in found:
        if (text := would_be_lost(outcome)) is not None:
            raise errors.CliError(
                f"job {outcome.job.seq} keeps its value, which would be lost: {text}",
                exits.REFUSED,
                "its application can take it: huey.result(id)",
            )
    return [
        Outcome(job, session.writing(job.queue).result(job.id, preserve=False))
        if job.state in FINAL
        else Outcome(job, None)
        for job, _ in found
    ]


def wait_final(
    session: Session, storage: Storage, jobs: Sequence[Job], timeout: float | None
) -> list[Job]:
    """The jobs as they are when all of them have ended. Exit 124 when the time runs out."""
    from hueycore.model.jobs import Selector

    wanted = {job.address: job for job in jobs}
    keys = tuple(job.id for job in jobs)
    unserved = Unserved(storage)
    try:
        for news in looks(storage, timeout):
            for text in unserved.look(_queues_of_open(wanted.values())):
                session.notice(text)
            if not news:
                continue
            found = {job.address: job for job in storage.jobs(Selector(keys=keys))}
            wanted = {place: found.get(place, job) for place, job in wanted.items()}
            gone = [job for place, job in wanted.items() if place not in found]
            if gone and any(job.state not in FINAL for job in gone):
                raise purged(gone[0])
            if all(job.state in FINAL for job in wanted.values()):
                return [wanted[job.address] for job in jobs]
    except Timeout:
        still = " ".join(str(job.seq) for job in wanted.values() if job.state not in FINAL)
        raise errors.CliError(f"timed out; still open: {still}", exits.TIMEOUT) from None
    raise AssertionError("looks() never ends by itself")


def _queues_of_open(jobs: Iterable[Job]) -> Iterator[str]:
    return (job.queue for job in jobs if job.state not in FINAL)


def purged(job: Job) -> errors.CliError:
    return errors.CliError(f"job {job.seq} was purged meanwhile", exits.NOT_FOUND)


def text_of(outcome: Outcome, *, raw: bool, limit: int = SAFE_LIMIT) -> str:
    """The value for people: JSON, or with ``raw`` a string as it is."""
    known, value, text = value_of(outcome, limit)
    if not known:
        return text or ""
    return value if raw and isinstance(value, str) else text_of_value(value)


def text_of_value(value: Any) -> str:
    """A JSON value on one line, with no control character in it."""
    return streams.visible_json(dumps(value))


def failure_of(outcome: Outcome) -> str:
    """One line that says how a job failed."""
    error = error_of(outcome)
    assert error is not None
    what = f"{error['type']}: {error['message']}" if error["type"] else str(error["message"])
    return f"job {outcome.job.seq} ({outcome.job.task}) is {outcome.job.state}: {what}"


def show(session: Session, outcomes: Sequence[Outcome], *, raw: bool, traceback: bool) -> None:
    """Print values on stdout, in the format of the settings."""
    output = session.output
    if output.is_json:
        objects = [as_object(outcome) for outcome in outcomes]
        if len(objects) == 1 and output.format == "json":
            output.document(objects[0])
        else:
            output.objects(objects)
    else:
        for outcome in outcomes:
            if outcome.ready and not outcome.failed:
                text = text_of(outcome, raw=raw, limit=WHOLE_LIMIT)
                output.write(text if raw and not output.on_tty else streams.visible_lines(text))
                output.line("")
    if traceback:
        for outcome in outcomes:
            error = error_of(outcome)
            if error and error["traceback"]:
                found = str(error["traceback"])
                found = found if session.settings.verbose else of_application(found)
                streams.say(streams.visible_lines(found.rstrip("\n")))


def verdict(session: Session, outcomes: Sequence[Outcome], *, exit_code: bool) -> int:
    """Say what failed or is not ready, and answer the exit code."""
    failed = [outcome for outcome in outcomes if outcome.failed]
    if failed:
        for outcome in failed[:-1]:
            session.notice(failure_of(outcome))
        raise errors.CliError(failure_of(failed[-1]), exits.TASK_FAILED)
    waiting = [outcome for outcome in outcomes if not outcome.ready]
    for outcome in waiting:
        session.notice(f"job {outcome.job.seq} has no result yet: it is {outcome.job.state}")
    return exits.NO_MATCH if waiting and exit_code else exits.OK

"""``enqueue --copy``: the call of a job once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hueyctl import errors, exits
from hueyctl.producers.base import Order, Producer
from hueyctl.selection.ids import find

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.model.limits import Limit
    from hueyctl.context import Session

_APP = "use -A MODULE:ATTR"


def job_to_copy(session: Session, key: str) -> Job:
    """The job of an id. Exit 3 when there is none."""
    if session.has_app:
        session.app()  # a command that writes may import what only a file names
    storage = session.looking()
    return find(storage, key, session.check_queues(storage))


def order_of(job: Job, order: Order) -> Order:
    """What the options say, and else what the job had: of its tries all, whatever is left."""
    retries = max(0, max(job.attempt, 1) - 1 + job.retries)
    return order._replace(
        task=job.task,
        priority=job.priority if order.priority is None else order.priority,
        retries=retries if order.retries is None else order.retries,
        retry_delay=job.retry_delay if order.retry_delay is None else order.retry_delay,
        like=job,
    )


def with_call(session: Session, producer: Producer, order: Order, *, to_edit: bool) -> Order:
    """The order with the job's call; without the application, and where nobody edits it, with
    bytes that need not be read. Exit 6 when it cannot be read here."""
    from hueycore.exceptions import SerializationError
    from hueyctl.producers.stored import PlainSerializer, stored_call

    job = order.like
    assert job is not None
    storage = session.looking(job.queue)
    if job.queue != producer.queue:
        raise errors.usage(
            f"job {job.seq} is in queue {job.queue!r}, not in {producer.queue!r}",
            f"say --queue {job.queue}, or --app of its application",
        )
    if not session.has_app and not to_edit and not job.inputs:
        return order._replace(payload=storage.payload(job.seq))
    if not session.has_app and to_edit and _has_own_keys(job, storage.limits()):
        raise errors.CliError(
            f"job {job.seq} has a key that may depend on its arguments", exits.REFUSED, _APP
        )
    serializer = session.app().serializer if session.has_app else PlainSerializer()
    try:
        call = stored_call(storage, job, serializer)
    except SerializationError as error:
        message = f"the call of job {job.seq} cannot be read: {error}"
        raise errors.CliError(message, exits.REFUSED, None if session.has_app else _APP) from error
    return order._replace(call=call)


def _has_own_keys(job: Job, limits: Sequence[Limit]) -> bool:
    """Whether a key of it need not be that of other arguments: only the application knows."""
    declared = {limit.key for limit in limits if limit.task == job.task}
    return job.unique_key is not None or (job.key_name or None) not in {None, *declared}

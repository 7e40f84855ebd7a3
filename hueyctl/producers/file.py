"""Queue jobs straight into a file, without an application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hueyctl import errors, exits
from hueyctl.producers.base import Order, Queued, check_size, describe

if TYPE_CHECKING:
    from hueycore.calendar.durations import When
    from hueycore.model.jobs import NewJob
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

#: What an application accepts unless it says otherwise.
MAX_PAYLOAD = 10_000_000


class FileProducer:
    """Takes names as given, and arguments as JSON gave them."""

    utc = True

    def __init__(self, session: Session, *, create: bool, queue: str | None = None) -> None:
        self.storage = session.writing(queue, create=create)
        self.queue = self.storage.queue
        self.serializer = serializer_of(self.storage)
        # What applications have declared; a key that depends on the call only they can make.
        self.keys = {limit.task: limit.key for limit in self.storage.limits()}

    def prepare(self, order: Order) -> NewJob:
        job = new_job(order, self.serializer)
        return job._replace(key_name=self.keys.get(job.task, job.key_name))

    def commit(self, prepared: Sequence[NewJob]) -> list[Queued]:
        answers = self.storage.enqueue(prepared)
        return [
            Queued(answer.id, answer.seq, job.task, answer.fresh)
            for answer, job in zip(answers, prepared, strict=True)
        ]

    def row(self, prepared: NewJob) -> NewJob:
        return prepared

    def expires(self, prepared: NewJob) -> When | None:
        return None

    def describe(self, prepared: NewJob) -> dict[str, Any]:
        return describe(prepared)


def new_job(order: Order, serializer: Any) -> NewJob:
    """The row of an order, with the defaults of a task that nobody configured."""
    from hueycore.model.jobs import NewJob
    from hueycore.system.ids import new_id

    args, kwargs = tuple(order.call.args), order.call.kwargs
    like = order.like
    if like is not None and order.payload is not None:
        payload, preview = order.payload, like.preview
    else:
        payload = serializer.serialize((args, kwargs))
        preview = serializer.preview(args, kwargs)
    check_size(payload, MAX_PAYLOAD)
    job = NewJob(
        id=order.id or new_id(),
        task=order.task,
        payload=payload,
        preview=preview,
        priority=order.priority or 0,
        run_at=order.run_at,
        expires_at=order.expires_at,
        retries=order.retries or 0,
        retry_delay=order.retry_delay or 0,
        delay=order.delay or 0,
        expires_in=order.expires_in,
    )
    if like is not None:
        job = job._replace(
            retry_backoff=like.retry_backoff,
            timeout=like.timeout,
            max_crashes=like.max_crashes,
            at_most_once=like.at_most_once,
            result_ttl=like.result_ttl,
            key_name=like.key_name,
            unique_key=like.unique_key,
            unique_until=like.unique_until,
            on_conflict=order.on_conflict,
        )
    if order.unique_key is None:
        return job
    return job._replace(
        unique_key=order.unique_key, unique_until="end", on_conflict=order.on_conflict
    )


def serializer_of(storage: Storage) -> Any:
    """The serializer that the queue's applications use, as its row says."""
    from hueycore.serializer import by_name

    named = next((row.serializer for row in storage.queues() if row.queue == storage.queue), None)
    serializer = by_name(named)
    if serializer is None:
        raise errors.CliError(
            f"queue {storage.queue!r} uses a serializer that only its application has: {named}",
            exits.REFUSED,
            "use -A MODULE:ATTR",
        )
    return serializer

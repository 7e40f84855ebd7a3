"""Queue jobs: through an application, or straight into a file without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hueyctl import errors, exits
from hueyctl.context import app_file
from hueyctl.producers.arguments import Call
from hueyctl.producers.tasks import find_task, fit_call

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.calendar.durations import When
    from hueycore.model.jobs import NewJob
    from hueycore.storage.base import Storage
    from hueycore.tasks.task import Task
    from hueyctl.context import Session


#: What an application accepts unless it says otherwise.
MAX_PAYLOAD = 10_000_000


class Order(NamedTuple):
    """One job that is wanted, in the words of the command line. Times are POSIX seconds; ``delay``
    as in ``NewJob``."""

    task: str
    call: Call
    id: str | None = None
    run_at: float | None = None
    expires_at: float | None = None
    priority: float | None = None
    retries: int | None = None
    retry_delay: float | None = None
    unique_key: str | None = None
    on_conflict: str = "fail"
    delay: float | None = None


class Queued(NamedTuple):
    """A job that is in the queue. ``fresh`` is False when one of this id or key was there already;
    ``last`` is the id of the last stage after it."""

    id: str
    seq: int | None
    task: str
    fresh: bool = True
    last: str | None = None


class Producer(Protocol):
    """``prepare`` refuses what cannot be queued; ``commit`` is one transaction."""

    @property
    def queue(self) -> str: ...
    @property
    def utc(self) -> bool: ...
    @property
    def storage(self) -> Storage: ...
    def prepare(self, order: Order) -> Any: ...
    def commit(self, prepared: Sequence[Any]) -> list[Queued]: ...
    def row(self, prepared: Any) -> NewJob: ...
    def expires(self, prepared: Any) -> When | None: ...
    def describe(self, prepared: Any) -> dict[str, Any]: ...


class FileProducer:
    """Without an application: names are taken as given, arguments as JSON gave them."""

    utc = True

    def __init__(self, session: Session, *, create: bool) -> None:
        self.storage = session.writing(create=create)
        self.queue = self.storage.queue
        self.serializer = _serializer_of(self.storage)
        # What applications have declared; a key that depends on the call only they can make.
        self.keys = {limit.task: limit.key for limit in self.storage.limits()}

    def prepare(self, order: Order) -> NewJob:
        job = new_job(order, self.serializer)
        return job._replace(key_name=self.keys.get(job.task))

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


class AppProducer:
    """Through the application: its task options, signatures, hooks and serializer. The storage
    is its own, unless ``--url`` or ``--queue`` name another."""

    def __init__(self, session: Session, *, convert: bool, check: bool, create: bool) -> None:
        self.session = session
        self.huey: Huey = session.app_to_write(create=create)
        if app_file(self.huey) is None:
            session.app_location()
        self.convert, self.check = convert, check

    @property
    def queue(self) -> str:
        return self.huey.name

    @property
    def utc(self) -> bool:
        return self.huey.utc

    @property
    def storage(self) -> Storage:
        return self.huey.storage

    def prepare(self, order: Order) -> Task:
        from hueycore.tasks.task import Task
        from hueycore.tasks.unique import make_unique

        wrapper = find_task(self.session, self.huey, order.task)
        call = fit_call(order.call, wrapper, convert=self.convert, check=self.check)
        task = Task(
            wrapper,
            tuple(call.args),
            call.kwargs,
            id=order.id,
            run_at=order.run_at,
            retries=order.retries,
            retry_delay=order.retry_delay,
            priority=order.priority,
            expires=_moment(order.expires_at),
        )
        task._delay = order.delay
        if order.unique_key is not None:
            task.unique = make_unique(
                task.unique, key=order.unique_key, on_conflict=order.on_conflict
            )
        return task

    def commit(self, prepared: Sequence[Task]) -> list[Queued]:
        results = self.huey.enqueue_many(prepared, max(1, len(prepared)))
        return [
            Queued(result.id, result.seq, task.task_name)
            for result, task in zip(results, prepared, strict=True)
        ]

    def row(self, prepared: Task) -> NewJob:
        serializer = self.huey.serializer
        payload = serializer.serialize((prepared.args, prepared.kwargs))
        preview = serializer.preview(prepared.args, prepared.kwargs)
        _check_size(payload, self.huey.max_payload)
        return prepared.wrapper.new_job(prepared, payload, preview)

    def expires(self, prepared: Task) -> When | None:
        return prepared.expires

    def describe(self, prepared: Task) -> dict[str, Any]:
        return describe(self.row(prepared))


def _check_size(payload: bytes, limit: int) -> None:
    from hueycore.exceptions import PayloadTooLarge

    if len(payload) > limit:
        raise PayloadTooLarge(f"the arguments take {len(payload):,} bytes; the limit is {limit:,}")


def new_job(order: Order, serializer: Any) -> NewJob:
    """The row of an order, with the defaults of a task that nobody configured."""
    from hueycore.model.jobs import NewJob
    from hueycore.system.ids import new_id

    args, kwargs = tuple(order.call.args), order.call.kwargs
    payload = serializer.serialize((args, kwargs))
    _check_size(payload, MAX_PAYLOAD)
    job = NewJob(
        id=order.id or new_id(),
        task=order.task,
        payload=payload,
        preview=serializer.preview(args, kwargs),
        priority=order.priority or 0,
        run_at=order.run_at,
        expires_at=order.expires_at,
        retries=order.retries or 0,
        retry_delay=order.retry_delay or 0,
        delay=order.delay or 0,
    )
    if order.unique_key is None:
        return job
    return job._replace(
        unique_key=order.unique_key, unique_until="end", on_conflict=order.on_conflict
    )


def describe(job: NewJob) -> dict[str, Any]:
    """A job that was not queued, for --dry-run."""
    from hueyctl.answers.payloads import decode_arguments
    from hueyctl.units import rfc3339

    arguments = decode_arguments(job.payload)
    return {
        "task": job.task,
        "args": arguments.args if arguments else None,
        "kwargs": arguments.kwargs if arguments else None,
        "args_repr": None if arguments else job.preview,
        "priority": job.priority,
        "run_at": None if job.run_at is None else rfc3339(job.run_at),
        "expires_at": None if job.expires_at is None else rfc3339(job.expires_at),
        "retries": job.retries,
        "retry_delay": job.retry_delay,
    }


def _serializer_of(storage: Storage) -> Any:
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


def _moment(posix: float | None) -> Any:
    from datetime import UTC, datetime

    return None if posix is None else datetime.fromtimestamp(posix, UTC)

"""Queue jobs through an application."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hueyctl.producers.base import Order, Queued, check_size, describe
from hueyctl.producers.tasks import fit_call, own_task

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.calendar.durations import When
    from hueycore.model.jobs import NewJob
    from hueycore.storage.base import Storage
    from hueycore.tasks.task import Task
    from hueyctl.context import Session


class AppProducer:
    """Uses its task options, signatures, hooks and serializer, and its own storage unless ``--url``
    or ``--queue`` name another."""

    def __init__(self, session: Session, *, convert: bool, check: bool, create: bool) -> None:
        self.session = session
        self.huey: Huey = session.app_to_write(create=create)
        if not self.huey.location.shared:
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
        self.session.make_queue(self.huey)
        return self.huey.storage

    def prepare(self, order: Order) -> Task:
        from hueycore.tasks.unique import make_unique

        wrapper = own_task(self.session, self.huey, order.task)
        call = fit_call(order.call, wrapper, convert=self.convert, check=self.check)
        task = wrapper.task_class(
            tuple(call.args),
            call.kwargs,
            id=order.id,
            run_at=order.run_at,
            retries=order.retries,
            retry_delay=order.retry_delay,
            priority=order.priority,
            expires=_moment(order.expires_at) if order.expires_in is None else order.expires_in,
        )
        task._delay, task._unchecked = order.delay, not self.check
        if order.unique_key is not None:
            task.unique = make_unique(
                task.unique, key=order.unique_key, on_conflict=order.on_conflict
            )
        return task

    def commit(self, prepared: Sequence[Task]) -> list[Queued]:
        self.session.make_queue(self.huey)
        results = self.huey.enqueue_many(prepared, max(1, len(prepared)))
        return [
            Queued(result.id, result.seq, task.task_name)
            for result, task in zip(results, prepared, strict=True)
        ]

    def row(self, prepared: Task) -> NewJob:
        serializer = self.huey.serializer
        payload = serializer.serialize((prepared.args, prepared.kwargs))
        preview = serializer.preview(prepared.args, prepared.kwargs)
        check_size(payload, self.huey.max_payload)
        return prepared.wrapper.new_job(prepared, payload, preview)

    def expires(self, prepared: Task) -> When | None:
        return prepared.expires

    def describe(self, prepared: Task) -> dict[str, Any]:
        return describe(self.row(prepared))


def _moment(posix: float | None) -> Any:
    return None if posix is None else datetime.fromtimestamp(posix, UTC)

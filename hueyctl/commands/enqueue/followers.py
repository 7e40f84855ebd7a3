"""``enqueue --then`` and ``--on-error``: jobs that others follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl.producers.app import AppProducer
from hueyctl.producers.arguments import Call
from hueyctl.producers.base import Order, Queued
from hueyctl.producers.file import FileProducer, new_job
from hueyctl.producers.tasks import own_task

if TYPE_CHECKING:
    from hueycore.model.jobs import NewJob
    from hueycore.tasks.task import Task
    from hueyctl.context import Session


class After(NamedTuple):
    """Tasks that run one after the other with the value of the one before, and the one that is
    called when any of them fails for good."""

    then: tuple[str, ...]
    on_error: str | None

    def as_object(self) -> dict[str, Any]:
        return {"then": list(self.then), "on_error": self.on_error}


class FilePipelines(FileProducer):
    def __init__(
        self, session: Session, after: After, *, create: bool, queue: str | None = None
    ) -> None:
        super().__init__(session, create=create, queue=queue)
        self.after = after

    def commit(self, prepared: Sequence[NewJob]) -> list[Queued]:
        from hueycore.model.pack import pack
        from hueycore.model.plan import Edge, Plan

        jobs: list[NewJob] = []
        edges = []
        for first in prepared:
            begin = len(jobs)
            jobs += [first, *(self._called(task) for task in self.after.then)]
            edges += [Edge(place, place + 1) for place in range(begin, len(jobs) - 1)]
        handlers = {}
        if self.after.on_error is not None:
            handler = pack([self._called(self.after.on_error)], Plan())
            handlers = dict.fromkeys(range(len(jobs)), handler)
        answers = self.storage.enqueue(jobs, Plan(edges, {}, {}, handlers))
        step = len(self.after.then) + 1
        return [
            Queued(first.id, first.seq, job.task, first.fresh, last.id)
            for job, first, last in zip(
                prepared, answers[::step], answers[step - 1 :: step], strict=True
            )
        ]

    def _called(self, task: str) -> NewJob:
        """A call whose arguments are what the one before gives."""
        return new_job(Order(task, Call([], {})), self.serializer)

    def describe(self, prepared: NewJob) -> dict[str, Any]:
        return {**super().describe(prepared), **self.after.as_object()}


class AppPipelines(AppProducer):
    def __init__(
        self, session: Session, after: After, *, convert: bool, check: bool, create: bool
    ) -> None:
        super().__init__(session, convert=convert, check=check, create=create)
        self.after = after
        self._then = [own_task(session, self.huey, task) for task in after.then]
        self._handler = after.on_error and own_task(session, self.huey, after.on_error)

    def commit(self, prepared: Sequence[Task]) -> list[Queued]:
        from hueycore.tasks.canvas import Pipeline

        pipelines = [Pipeline([first, *self._then]) for first in prepared]
        if self._handler:
            pipelines = [each.error(self._handler) for each in pipelines]
        found = []
        self.session.make_queue(self.huey)
        results = self.huey.enqueue_many(pipelines, len(pipelines))
        for task, stages in zip(prepared, results, strict=True):
            handles = list(stages)
            first, last = handles[0], handles[-1]
            found.append(Queued(first.id, first.seq, task.task_name, True, last.id))
        return found

    def describe(self, prepared: Task) -> dict[str, Any]:
        return {**super().describe(prepared), **self.after.as_object()}

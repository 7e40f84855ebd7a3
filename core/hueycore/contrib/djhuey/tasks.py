"""A backend for Django's Tasks framework, that of Django 6 or the backport on 5.2::

    TASKS = {"default": {"BACKEND": "hueycore.contrib.djhuey.tasks.HueyBackend"}}

The queue is that of ``settings.HUEY``, and ``manage.py run_huey`` runs its jobs. The row of the job
is the record of the task: nothing is stored beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.core.checks import CheckMessage
from django.db import transaction
from django.utils import timezone

from hueycore import signals as S
from hueycore.api import Huey
from hueycore.api.batch import Calls
from hueycore.contrib.djhuey import HUEY, close_db
from hueycore.contrib.djhuey.checks import TASK_OPTIONS, check_tasks
from hueycore.contrib.djhuey.framework import (
    BaseTaskBackend,
    Task,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    is_heard,
    normalize_json,
    task_enqueued,
    task_finished,
)
from hueycore.contrib.djhuey.guests import enqueue_inside
from hueycore.contrib.djhuey.jobs import FrameworkCall, Handle, wrapper_of
from hueycore.contrib.djhuey.queues import DEFAULT, huey_of, job_of
from hueycore.contrib.djhuey.records import declared, moment, result_of, without_row
from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import Job
from hueycore.model.states import FINAL
from hueycore.tasks.options import TaskOptions, task_options

#: Signals of the library that the framework is told of, as far as a job is born then, or over.
_HEARD = (
    S.SIGNAL_ENQUEUED,
    S.SIGNAL_COMPLETE,
    S.SIGNAL_ERROR,
    S.SIGNAL_TIMEOUT,
    S.SIGNAL_LOCKED,
    S.SIGNAL_RATE_LIMITED,
    S.SIGNAL_CANCELED,
    S.SIGNAL_REVOKED,
    S.SIGNAL_EXPIRED,
    S.SIGNAL_INTERRUPTED,
)


class HueyBackend(BaseTaskBackend):
    """``QUEUES`` are queues in the same file or database; ``default`` is that of ``settings.HUEY``.
    ``OPTIONS`` are options of ``Huey.task`` (``retries``, ``retry_delay``, ``timeout`` …) for the
    tasks of this backend. With ``ENQUEUE_ON_COMMIT`` a task is enqueued when the transaction of its
    caller commits; in the database that holds the queue it is a part of it in any case.

    Enqueueing raises what ``Huey.enqueue`` does, and ``ConfigurationError`` for options that there
    are not."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._params = params
        # Huey reads it among the options as well.
        own = self.options.get("enqueue_on_commit", False)
        self.enqueue_on_commit = bool(params.get("ENQUEUE_ON_COMMIT", own))
        #: What is wrong with the options: ``check`` says it, and who enqueues.
        self.fault: str | None = None
        self.task_options = self._options()

    def _options(self) -> TaskOptions:
        given = {name: value for name, value in self.options.items() if name != "enqueue_on_commit"}
        try:
            unknown = given.keys() - TASK_OPTIONS
            if unknown:
                raise ConfigurationError(f"there is no option {min(unknown)!r}")
            return task_options(**given)
        except (TypeError, ValueError, ConfigurationError) as error:
            self.fault = f'TASKS["{self.alias}"]["OPTIONS"]: {error}'
            return TaskOptions()

    # --- the framework's ------------------------------------------------------------------------

    def validate_task(self, task: Task) -> None:
        super().validate_task(task)
        wrapper_of(self, task.func)  # a consumer that has imported its module knows it now

    def enqueue(self, task: Task, args: Any, kwargs: Any) -> TaskResult:
        if self.fault:
            raise ConfigurationError(self.fault)
        self.validate_task(task)
        wrapper = wrapper_of(self, task.func)
        options = self.task_options  # those of the wrapper may be another backend's
        call: Any = wrapper.task_class(
            tuple(normalize_json(list(args))),
            normalize_json(kwargs),
            run_at=None if task.run_after is None else _posix(task.run_after),
            priority=task.priority or None,
            retries=options.retries,
            retry_delay=options.retry_delay,
            retry_backoff=options.retry_backoff,
            timeout=options.timeout,
            expires=options.expires,
        )
        call.asked = (self, task)
        huey = huey_of(task.queue_name)
        connection = transaction.get_connection()
        if connection.in_atomic_block and not huey.immediate:
            if enqueue_inside(huey, connection, call):
                transaction.on_commit(partial(_send_enqueued, call))
                return self._enqueued(task, call)
            if self.enqueue_on_commit:
                transaction.on_commit(partial(_enqueue, huey, call))
                return without_row(self, task, call)
        _enqueue(huey, call)
        return self.get_result(call.id) if huey.immediate else self._enqueued(task, call)

    def get_result(self, result_id: str) -> TaskResult:
        job = job_of(result_id)
        if job is None:
            raise TaskResultDoesNotExist(result_id)
        task = declared(job.task)
        if task is None:
            raise TaskResultDoesNotExist(result_id)
        return self._result(job, task)

    def check(self, **kwargs: Any) -> Iterator[CheckMessage]:
        yield from super().check(**kwargs)
        yield from check_tasks(self.alias, self._params, self.fault)

    def result_of(self, call: FrameworkCall) -> TaskResult:
        """Of a job whose call is at hand. Raises ``TaskResultDoesNotExist``."""
        job = job_of(call.id)
        task = declared(call.task_name)
        if job is None or task is None:
            raise TaskResultDoesNotExist(call.id)
        return self._result(job, task, call)

    def _result(self, job: Job, task: Task, call: FrameworkCall | None = None) -> TaskResult:
        """Of a row. Raises ``TaskResultDoesNotExist`` for one of a queue that is none of ours."""
        queue = job.queue
        if queue == HUEY.name and (not self.queues or DEFAULT in self.queues):
            queue = DEFAULT
        if self.queues and queue not in self.queues:
            raise TaskResultDoesNotExist(job.id)
        return result_of(self, job, task, queue, call)

    def _enqueued(self, task: Task, call: FrameworkCall) -> TaskResult:
        """Of a job that was enqueued just now; somebody may run it already."""
        stored = call.stored
        if stored is None:  # in a batch, or a transaction of ``huey.using``: it is yet to come
            return without_row(self, task, call)
        if stored.fresh and stored.enqueued_at is not None:
            return without_row(self, task, call, enqueued_at=moment(stored.enqueued_at))
        return self.result_of(call)


def _enqueue(huey: Huey, call: FrameworkCall) -> None:
    job = huey._producer.new_job(call)
    huey._producer.send(Calls((job,), (Handle(huey, call),)))


def _send_enqueued(call: FrameworkCall) -> None:
    if call.asked is not None:  # neither due now nor to be tried again
        (backend, task), call.asked = call.asked, None
        task_enqueued.send(type(backend), task_result=backend._enqueued(task, call))


def _on_signal(signal: str, call: Any, *args: Any) -> None:
    """Receiver of the library's signals, which come after the commit: tell the framework of a task
    that is enqueued, or over."""
    if not isinstance(call, FrameworkCall):
        return
    if signal == S.SIGNAL_ENQUEUED:
        _send_enqueued(call)
        return
    backend, task = call.wrapper.backend, declared(call.task_name)
    if task is None:
        return
    if signal == S.SIGNAL_COMPLETE and not is_heard(task_finished):
        _send_finished(backend, without_row(backend, task, call, TaskResultStatus.SUCCESSFUL))
        return
    job, claim = job_of(call.id), call._claim
    if job is None or job.state not in FINAL or (claim is not None and claim.claim != job.claim):
        return
    _send_finished(backend, backend._result(job, task, call))


@close_db
def _send_finished(backend: HueyBackend, result: TaskResult) -> None:
    task_finished.send(type(backend), task_result=result)


def _posix(moment: Any) -> float:
    aware = timezone.make_aware(moment) if timezone.is_naive(moment) else moment
    return float(aware.timestamp())


HUEY.signals.connect(_on_signal, *_HEARD)

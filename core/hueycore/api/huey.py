"""The queue as an application sees it: declare tasks, enqueue jobs, read results, steer.

``Huey`` is the composition root; it joins the registry, a serializer, signals and a storage. Names
and behaviour are those of Huey 3.5 unless a docstring says otherwise.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from hueycore import signals as S
from hueycore.api.aio import Awaiting
from hueycore.api.composer import Composing, is_composed
from hueycore.api.decorators import Declaring
from hueycore.api.guards_part import Guarding
from hueycore.api.hooks import Hooks
from hueycore.api.immediate import Immediate
from hueycore.api.operators import Steering
from hueycore.api.paths import Paths
from hueycore.api.producer import Parcel, Sending
from hueycore.api.results import Storing
from hueycore.api.schedules import Timetable
from hueycore.api.stepper import Stepping
from hueycore.exceptions import (
    ConfigurationError,
    PayloadTooLarge,
    SerializationError,
    TaskException,
    UnknownTask,
)
from hueycore.model.jobs import Claim, Job, NewJob, ResultRow
from hueycore.model.plan import Input
from hueycore.model.retention import Keeping
from hueycore.model.states import State
from hueycore.registry import Registry
from hueycore.runs.notebook import Notes
from hueycore.serializer import Serializer, describe
from hueycore.storage.base import Storage
from hueycore.storage.open import Location, open_storage
from hueycore.system import native
from hueycore.tasks.canvas import Pipeline, Stage, chord, group
from hueycore.tasks.joblog import KeepLogs, kept_level
from hueycore.tasks.result import ChordResult, Handle, Result, ResultGroup
from hueycore.tasks.task import PeriodicTask, Task

if TYPE_CHECKING:
    from hueycore.consumer.base import BaseConsumer

T = TypeVar("T")
logger = logging.getLogger("hueycore")

#: Jobs per transaction of ``enqueue_many``.
CHUNK = 5000


class Huey(
    Declaring,
    Composing,
    Paths,
    Timetable,
    Sending,
    Steering,
    Stepping,
    Guarding,
    Immediate,
    Awaiting,
    Storing,
    Hooks,
):
    """A named queue in a SQLite file.

    The file is opened at the first use, not here, so that importing an application touches no disk.

    :param name: the queue; several may share one file.
    :param filename: the SQLite file; ``:memory:`` keeps the queue in this process.
    :param results: whether results and errors are stored.
    :param store_none: whether a result of None is stored.
    :param utc: whether ``task.eta`` and naive timestamps are UTC (True) or local time.
    :param immediate: whether a call runs the job at once (see ``immediate``), in a queue in memory
        unless ``immediate_use_memory`` is False.
    :param serializer: pickle by default.
    :param compression: compress arguments and results, with gzip or with ``use_zlib``.
    :param allow_paths: which functions may run by their dotted path (``huey.call``), as patterns
        like ``myapp.*``. Every one with pickle, whose writers run code anyway; else none.
    :param max_payload: bytes of arguments that a job may have (``PayloadTooLarge``).
    :param max_pending: pending jobs that the queue may hold (``QueueFull``).
    :param mode: permissions of a new file.
    :param durability: ``standard``, ``full`` or ``fast``.
    :param keep: how long finished jobs are kept.
    :param keep_logs: keep the log lines of the tasks' runs with their jobs, from this level on
        (True is INFO); a task's own ``keep_logs`` wins. Lines that the level of their logger lets
        through, a thousand per run.
    :param events: record what becomes of the jobs (``hueyctl events``); False stops it, None leaves
        it as it is in the file.
    :param workers: default of the consumer, as are ``worker_type`` and ``shutdown_timeout``.
    """

    def __init__(
        self,
        name: str = "huey",
        filename: str | os.PathLike[str] = "huey.db",
        *,
        results: bool = True,
        store_none: bool = False,
        utc: bool = True,
        immediate: bool = False,
        immediate_use_memory: bool = True,
        serializer: Serializer | None = None,
        compression: bool = False,
        use_zlib: bool = False,
        allow_paths: Sequence[str] | None = None,
        max_payload: int = 10_000_000,
        max_pending: int | None = None,
        mode: int = 0o600,
        durability: str = "standard",
        keep: Keeping | None = None,
        keep_logs: KeepLogs = None,
        events: bool | None = None,
        force_network: bool = False,
        workers: int = 1,
        worker_type: str = "thread",
        shutdown_timeout: float | None = None,
    ) -> None:
        self.name = name
        self.filename = os.fspath(filename)
        self.results = results
        self.store_none = store_none
        self.utc = utc
        self.immediate_use_memory = immediate_use_memory
        self._immediate = immediate
        if serializer is not None and compression:
            raise ConfigurationError("give compression= to the serializer")
        self.serializer = serializer or Serializer(compression, use_zlib=use_zlib)
        self.max_payload = max_payload
        self.keep = keep or Keeping()
        self.keep_logs = keep_logs
        kept_level(keep_logs)
        self.notes = Notes(lambda: self.storage)
        self.consumer_defaults = {
            "workers": workers,
            "worker_type": worker_type,
            "shutdown_timeout": shutdown_timeout,
        }
        self._storage_options = {
            "mode": mode,
            "durability": durability,
            "max_pending": max_pending,
            "serializer": self.serializer.written_as,
            "force_network": force_network,
            "events": events,
        }
        self._storage: Storage | None = None
        self.registry = Registry()
        self.signals = S.Signal()
        self._init_hooks()
        self._init_guarding()
        self._init_stepping()
        self._init_awaiting()
        self._init_paths(allow_paths)

    # --- parts --------------------------------------------------------------------------------

    @property
    def storage(self) -> Storage:
        """The engine, opened now if it was not."""
        storage = self._storage
        if storage is None:
            with _opening:  # threads that come together share one
                storage = self._storage = self._storage or self._open_storage()
        return storage

    def create_storage(self) -> Storage:
        """Open the storage; override it to use another one."""
        return open_storage(Location(self.filename), self.name, **self._storage_options)

    def create_consumer(self, **options: Any) -> BaseConsumer:
        """A consumer of this queue; options as in Huey (see ``BaseConsumer``)."""
        # The one import against the direction of the house: Huey's API has it here.
        from hueycore.consumer import consumer_of

        return consumer_of(self, {**self.consumer_defaults, **options})

    def close(self) -> None:
        """Close the storage; the next use opens it again."""
        self.notes.stop()
        storage, self._storage = self._storage, None
        if storage is not None:
            self._leave_stepping(storage)
            self._leave_guarding(storage)
            storage.close()

    # --- producing ----------------------------------------------------------------------------

    @overload
    def enqueue(self, task: Task) -> Result[Any] | None: ...
    @overload
    def enqueue(self, task: Pipeline | group) -> ResultGroup | None: ...
    @overload
    def enqueue(self, task: chord) -> ChordResult | None: ...
    def enqueue(self, task: Stage) -> Handle | None:
        """Store a job; it is durable when this returns. None when ``results`` is off, as in Huey.

        A signature that was enqueued before gets a fresh id; an id of your own that is live
        already, or a unique key that is taken, answers with the handle of that job. Of a pipeline,
        group or chord all jobs are stored, in one transaction, and the answer has their handles.

        Raises ``SerializationError``, ``PayloadTooLarge``, ``QueueFull``, ``DuplicateJob``,
        ``StorageError``; of stages also ValueError and ``ConfigurationError`` for what cannot be
        joined."""
        if is_composed(task):
            parcel, handle = self._compose(task)
            self._send(parcel)
            return handle if self.results else None
        assert isinstance(task, Task)
        job = self._new_job(task)
        result: Result[Any] = Result(self, task)
        self._send(Parcel((job,), (result,)))
        return result if self.results else None

    @overload
    def enqueue_many(self, tasks: Iterable[Task], chunk: int = CHUNK) -> list[Result[Any]]: ...
    @overload
    def enqueue_many(self, tasks: Iterable[Stage], chunk: int = CHUNK) -> list[Any]: ...
    def enqueue_many(self, tasks: Iterable[Stage], chunk: int = CHUNK) -> list[Any]:
        """Store many jobs, ``chunk`` per transaction; an error loses nothing of the chunks that
        came before it. Returns handles in order, of a pipeline or chord as ``enqueue`` does."""
        results: list[Any] = []
        source = iter(tasks)
        while batch := list(islice(source, chunk)):
            if any(map(is_composed, batch)):
                parcel, handles = self._compose_all(batch)
                self._send(parcel)
                results += handles
                continue
            calls = cast("list[Task]", batch)
            jobs = [self._new_job(task) for task in calls]
            answers: list[Result[Any]] = [Result(self, task) for task in calls]
            self._send(Parcel(jobs, answers))
            results += answers
        return results

    def enqueue_group(self, tasks: Iterable[Task]) -> ResultGroup:
        """``enqueue_many`` that answers with a ``ResultGroup``."""
        return ResultGroup(self.enqueue_many(tasks))

    def _new_job(self, task: Task, more: tuple[Any, ...] = ()) -> NewJob:
        """The row of a call, with ``more`` arguments than the signature has."""
        if task._enqueued and task._generated and task._claim is None:
            task.renew_id()
        args = task.args + more if more else task.args
        payload = self._pack(task.task_name, args, task.kwargs)
        task._enqueued = True
        if task.wrapper.options.hold is not None:
            self._declare_limit(task.wrapper)
        return task.wrapper.new_job(task, payload, self.serializer.preview(args, task.kwargs))

    def _pack(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        payload = self.serializer.serialize((args, kwargs))
        if len(payload) > self.max_payload:
            raise PayloadTooLarge(
                f"the arguments of {name} take {len(payload):,} bytes; the limit is "
                f"{self.max_payload:,} (max_payload=). Store them elsewhere and pass a reference"
            )
        return payload

    # --- for the run --------------------------------------------------------------------------

    def build_error_result(self, task: Task, exception: BaseException) -> dict[str, Any]:
        """The dictionary that ``TaskException.metadata`` carries; override it to add to it."""
        error = describe_repr(exception)
        if isinstance(exception, TaskException):
            error = str(exception.metadata.get("error") or error)
        try:
            trace = "".join(traceback.format_exception(exception))
        except Exception:
            trace = "".join(traceback.format_tb(exception.__traceback__))
        return {"error": error, "retries": task.retries, "traceback": trace, "task_id": task.id}

    def error_of(self, id: str, row: ResultRow) -> dict[str, Any]:
        """Metadata for a job that has no stored error: from what the row keeps. Of a stage that was
        revoked because another one failed: the error of that one, as in Huey."""
        job = self.storage.job(str(row.seq))
        culprit = self.storage.culprit(row.seq) if row.reason == "upstream" else None
        if culprit is not None:
            return {**self._metadata_of(culprit), "state": str(row.state), "reason": row.reason}
        last = job.errors[-1] if job and job.errors else {}
        error = row.reason or str(row.state)
        if last and row.state is State.DEAD:
            error = f"{last['type']}({last['message']!r})"
        return {
            "error": error,
            "retries": job.retries if job else 0,
            "traceback": last.get("traceback", ""),
            "task_id": id,
            "state": str(row.state),
            "reason": row.reason,
        }

    def _metadata_of(self, job: Job) -> dict[str, Any]:
        row = self.storage.result(job.id, preserve=True)
        if row is None:
            return {"error": job.reason, "task_id": job.id}
        stored = None if row.result is None else self.serializer.deserialize(row.result)
        if job.state is not State.DONE and isinstance(stored, dict):
            return stored
        return self.error_of(job.id, row)

    def read_inputs(self, claim: Claim) -> list[Input]:
        """What the stages before a job give to its call."""
        return self.storage.inputs(claim.seq)

    def is_handled(self, claim: Claim) -> bool:
        """Whether somebody is called when this job fails for good."""
        return self.storage.is_handled(claim.seq)

    def read_job(self, seq: int, name: str) -> Task | None:
        """The stored call of a job, None when its task or payload cannot be read here."""
        payload = self.storage.payload(seq)
        if payload is None:
            return None
        try:
            wrapper = self.task_to_run(name)
            args, kwargs = self.serializer.deserialize(payload)
        except UnknownTask:
            return None
        except SerializationError:
            logger.exception("job %s cannot be read", seq)
            return None
        kind = PeriodicTask if wrapper.schedule_when is not None else Task
        return kind(wrapper, tuple(args), kwargs)

    def __len__(self) -> int:
        return self.pending_count()

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.filename}>"


class SqliteHuey(Huey):
    """Huey's name for a queue in a SQLite file."""


class MemoryHuey(Huey):
    """The same engine on ``:memory:``: for tests, and for jobs that may die with the process."""

    def create_storage(self) -> Storage:
        return self._storage_in_memory()


def describe_repr(error: BaseException) -> str:
    """``repr`` of an exception, also of one whose repr raises."""
    try:
        return repr(error)
    except Exception:
        return describe(error)


#: Held while a storage is opened.
_opening = native.Lock()


def _in_child() -> None:
    # It may be held by a thread that does not exist in the child.
    global _opening
    _opening = native.Lock()


os.register_at_fork(after_in_child=_in_child)

"""The queue as an application sees it: declare tasks, enqueue jobs, read results, operate.

``Huey`` is the composition root; it joins the registry, a serializer, signals and a storage. Names
and behaviour are those of Huey 3.5 unless a docstring says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, Self, Unpack, overload

from hueycore.api.aio import Aio, Loops
from hueycore.api.batch import Batches
from hueycore.api.decorators import Decorators
from hueycore.api.hooks import Hooks
from hueycore.api.jobs import Jobs
from hueycore.api.limits import DeclaredLimits, Limits
from hueycore.api.locks import LockHolder, Locks
from hueycore.api.operators import Operators
from hueycore.api.paths import Paths, PathTasks, patterns
from hueycore.api.producer import Producer
from hueycore.api.results import Results
from hueycore.api.runs import Runs
from hueycore.api.schedules import Schedules
from hueycore.api.steps import Steps
from hueycore.calendar.durations import number
from hueycore.exceptions import ConfigurationError
from hueycore.model.retention import Keeping
from hueycore.registry import Registry
from hueycore.runs.notebook import Notebook
from hueycore.serializer import Serializer
from hueycore.signals import Signal
from hueycore.storage.open import MEMORY, Location, SqliteLocation, locate
from hueycore.system.loggers import alias
from hueycore.tasks.canvas import Pipeline, Stage, chord, group
from hueycore.tasks.joblog import KeepLogs, kept_level
from hueycore.tasks.result import ChordResult, Handle, Result, ResultGroup
from hueycore.tasks.task import Task

if TYPE_CHECKING:
    from hueycore.api.migration import FromHuey
    from hueycore.api.moved import HueyOptions
    from hueycore.consumer.base import BaseConsumer

alias()

#: Where a queue is when nobody says it.
FILE = "huey.db"
#: The queue of an instance that has no name.
NAME = "huey"


class Huey(
    Decorators,
    Paths,
    Schedules,
    Batches,
    Aio,
    Steps,
    Jobs,
    Results,
    Operators,
    Locks,
    Limits,
    Hooks,
    Runs,
):
    """A named queue in a SQLite file, in a database of PostgreSQL, or on a Redis server.

    It is opened at the first use, not here, so that importing an application touches no disk.

    :param name: the queue; several may share one file or database.
    :param filename: the SQLite file; ``:memory:`` keeps the queue in this process.
    :param url: where the queue is, instead of ``filename``: ``postgresql://ann@db/app?schema=jobs``,
        ``redis://db:6379/0``, ``sqlite:////var/queue.db`` or a path. ``?name=`` names the queue
        when ``name`` does not. Raises ``ConfigurationError``.
    :param results: whether results and errors are stored.
    :param store_none: whether a result of None is stored.
    :param utc: whether ``task.eta`` and naive timestamps are UTC (True) or local time.
    :param immediate: whether a call runs the job at once (see ``immediate``), in a queue in memory
        unless ``immediate_use_memory`` is False.
    :param serializer: pickle by default.
    :param compression: compress arguments and results, with gzip or with ``use_zlib``.
    :param allow_paths: which functions may run by their dotted path (``huey.call``), as patterns
        like ``myapp.*``. Every one with pickle, whose writers run code anyway; else none.
        ``__main__.*`` besides lets a script enqueue its own functions for another run of it.
    :param max_payload: bytes of arguments that a job may have (``PayloadTooLarge``), and bytes of
        its result (``ResultTooLarge``: the job is dead).
    :param max_pending: pending jobs that the queue may hold (``QueueFull``).
    :param mode: permissions of a new file.
    :param durability: of a file, ``standard`` (the default), ``full`` or ``fast``; Huey's
        ``fsync=True`` is ``full``, ``fsync=False`` is ``fast``. A server has its own settings.
    :param timeout: seconds that a busy storage is tried before ``StorageBusy``.
    :param keep: how long finished jobs are kept.
    :param keep_logs: keep the log lines of the tasks' runs with their jobs, from this level on
        (True is INFO); a task's own ``keep_logs`` wins. Lines that the level of their logger lets
        through, a thousand per run.
    :param events: record what becomes of the jobs (``hueyctl events``); False stops it, None leaves
        it as it is stored.
    :param workers: default of the consumer, as are ``worker_type`` and ``shutdown_timeout``.
    :param storage_class: a subclass of one in ``hueycore.storage``; it may be an attribute of a
        subclass of ``Huey`` as well.

    Huey's other options of a storage are taken too: see ``HueyOptions``.
    """

    def __init__(
        self,
        name: str = NAME,
        filename: str | os.PathLike[str] = FILE,
        *,
        url: str | os.PathLike[str] | Location | None = None,
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
        durability: str | None = None,
        timeout: float = 5.0,
        keep: Keeping | None = None,
        keep_logs: KeepLogs = None,
        events: bool | None = None,
        force_network: bool = False,
        workers: int = 1,
        worker_type: str = "thread",
        shutdown_timeout: float | None = None,
        storage_class: Any = None,
        **others: Unpack[HueyOptions],
    ) -> None:
        if others:
            # Imported here: nobody else needs it.
            from hueycore.api.moved import storage_options

            durability = storage_options(others, durability, type(self).__name__)
        if serializer is not None and compression:
            raise ConfigurationError("give compression= to the serializer")
        kept_level(keep_logs)
        self.location = _location(filename, url)
        self.name = _queue(name, self.location)
        self.results = results
        self.store_none = store_none
        self.utc = utc
        self.immediate_use_memory = immediate_use_memory
        self.serializer = serializer or Serializer(compression, use_zlib=use_zlib)
        self.allow_paths = patterns(allow_paths, self.serializer)
        self.max_payload = max_payload
        self.keep = keep or self.location.keep
        self.keep_logs = keep_logs
        self.consumer_defaults = {
            "workers": workers,
            "worker_type": worker_type,
            "shutdown_timeout": shutdown_timeout,
        }
        self.registry = Registry()
        self.signals = Signal()
        self.pre_execute_hooks = {}
        self.post_execute_hooks = {}
        self.startup_hooks = {}
        self.shutdown_hooks = {}
        #: Whether this process has a consumer, or takes jobs out of the queue itself.
        self.works_here = False
        self._immediate = immediate
        if storage_class is not None:
            self.storage_class = storage_class
        self._storage_options = {
            "mode": mode,
            "durability": durability or "standard",
            "timeout": number("timeout", timeout, 0),
            "max_pending": max_pending,
            "serializer": self.serializer.written_as,
            "force_network": force_network,
            "events": events,
        }
        self._make_parts()

    def _make_parts(self) -> None:
        """What is of this queue alone."""
        self.notes = Notebook(lambda: self.storage)
        self._storage = self._worker = None
        self._producer = Producer(self)
        self._loops = Loops(self)
        self._path_tasks = PathTasks(self)
        self._limits = DeclaredLimits(self)
        self._lock_holder = LockHolder(self)

    def beside(self, queue: str) -> Self:
        """The same application with another queue, in the same file or database: its tasks, hooks
        and receivers are those of this one. Its consumer fires their periodic tasks as well, unless
        it is made with ``periodic=False``."""
        other = object.__new__(type(self))  # ``copy`` would find this one by its module
        other.__dict__.update(self.__dict__)
        other.name = queue
        other._make_parts()
        return other

    def __reduce__(self) -> Any:
        """By reference, as the instance of a task that its module has. Raises ``PicklingError``
        when there is none."""
        task = self.registry.importable()
        if task is None:
            raise PicklingError(
                f"{self!r} has no task in a module, by which it would be found again"
            )
        return attrgetter("huey"), (task,)

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
            if self._worker is not None:
                self._worker.leave(storage)
            self._lock_holder.leave(storage)
            self._limits.forget()
            storage.close()

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

        Raises TypeError for a call that the function does not take; ``ConfigurationError`` for a
        task of the script that runs (``__main__``), unless it works on the queue itself;
        ``SerializationError``, ``PayloadTooLarge``, ``QueueFull``, ``DuplicateJob``,
        ``StorageError``; of stages also ValueError and ``ConfigurationError`` for what cannot be
        joined. What a stage gets from the
        one before it is judged by its run."""
        handle = self._producer.enqueue(task)
        return handle if self.results else None

    @overload
    def enqueue_many(
        self, tasks: Iterable[Task], chunk: int | None = None
    ) -> list[Result[Any]]: ...
    @overload
    def enqueue_many(self, tasks: Iterable[Stage], chunk: int | None = None) -> list[Any]: ...
    def enqueue_many(self, tasks: Iterable[Stage], chunk: int | None = None) -> list[Any]:
        """Store many jobs, ``chunk`` per transaction (5,000; in Redis 1,000: it answers others
        in between). An error loses nothing of the chunks that came before it. Returns handles in
        order, of a pipeline or chord as ``enqueue`` does."""
        size = self.storage.chunk if chunk is None else chunk
        return self._producer.enqueue_many(tasks, size)

    def enqueue_group(self, tasks: Iterable[Task]) -> ResultGroup:
        """``enqueue_many`` that answers with a ``ResultGroup``."""
        return ResultGroup(self.enqueue_many(tasks))

    def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Copy the file, with all its queues, as it is at one moment, while others work on it: into
        a new file that only its owner may read, checked and synced before it gets its name. A
        ``shutil.copy`` of a file that is in use is no queue.

        Raises ``FileExistsError``, unless ``overwrite``; ``StorageCorrupt``, ``StorageFull``;
        ``ConfigurationError`` on a server, whose own tools copy a database."""
        self.storage.backup(os.fspath(path), overwrite=overwrite)

    def load_from_huey(
        self, path: str | os.PathLike[str], queue: str | None = None, *, dry_run: bool = False
    ) -> FromHuey:
        """Bring over what Huey left in a SQLite file, or on a Redis server that a URL names, for
        ``queue`` (by default one of this name):
        waiting jobs with their ids and what hangs on them, results, revocations. All of it in one
        transaction, and nothing twice, however often this is called. The old tables are only read;
        they may lie in this queue's own file. Redis's waiting messages are renamed first, and stay
        so: a consumer of Huey's finds them no more. Messages are read as this instance reads its
        own: its ``serializer``, its ``utc``, the classes that can be imported.

        What cannot be read is left out, and named in the answer. Raises ``StorageMissing``;
        ``StorageCorrupt`` when there is nothing of Huey's, ``ConfigurationError`` when there is
        nothing of this queue; ``StorageBusy`` while a consumer of Huey's has the file open."""
        # Imported here: needed once in the life of an application.
        from hueycore.api.migration import load
        from hueycore.storage.open import read_old

        old = read_old(path, queue or self.name, take=not dry_run)
        return load(self, old, dry_run=dry_run)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.location.name}>"


class SqliteHuey(Huey):
    """Huey's name for a queue in a SQLite file."""


class MemoryHuey(Huey):
    """The same engine on ``:memory:``: for tests, and for jobs that may die with the process. The
    arguments are in Huey's order."""

    def __init__(
        self,
        name: str = "huey",
        results: bool = True,
        store_none: bool = False,
        utc: bool = True,
        immediate: bool = False,
        serializer: Serializer | None = None,
        compression: bool = False,
        use_zlib: bool = False,
        immediate_use_memory: bool = True,
        storage_class: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            name,
            **{**options, "filename": MEMORY, "url": None},
            results=results,
            store_none=store_none,
            utc=utc,
            immediate=immediate,
            serializer=serializer,
            compression=compression,
            use_zlib=use_zlib,
            immediate_use_memory=immediate_use_memory,
            storage_class=storage_class,
        )


def _location(
    filename: str | os.PathLike[str], url: str | os.PathLike[str] | Location | None
) -> Location:
    if url is None:
        return SqliteLocation(os.fspath(filename))
    if os.fspath(filename) != FILE:
        raise ConfigurationError("filename= and url= both say where the queue is: give one of them")
    return url if isinstance(url, Location) else locate(os.fspath(url))


def _queue(name: str, location: Location) -> str:
    if location.queue in (None, name):
        return name
    if name != NAME:
        raise ConfigurationError(
            f"the URL names the queue {location.queue!r}, the application {name!r}: leave one out"
        )
    return location.queue

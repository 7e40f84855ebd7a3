"""The engine of Redis and Valkey: every verb that writes is one script, which nobody interrupts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.model.diagnosis import Diagnosis
from hueycore.model.reports import Info
from hueycore.storage.base import Storage
from hueycore.storage.redis import checkup, forks
from hueycore.storage.redis.bell import Bell
from hueycore.storage.redis.client import Client
from hueycore.storage.redis.due import Due
from hueycore.storage.redis.enqueue import Enqueue
from hueycore.storage.redis.events import Events
from hueycore.storage.redis.examine import Examination
from hueycore.storage.redis.exchange import Exchanges
from hueycore.storage.redis.flags import Flags
from hueycore.storage.redis.glance import Glances
from hueycore.storage.redis.limits import Limits
from hueycore.storage.redis.locks import Locks
from hueycore.storage.redis.migration import Migrations
from hueycore.storage.redis.periodic import Schedules
from hueycore.storage.redis.queries import Queries
from hueycore.storage.redis.reports import Reports
from hueycore.storage.redis.results import Results
from hueycore.storage.redis.retention import Retention
from hueycore.storage.redis.scripts import keys_of, prefix_of
from hueycore.storage.redis.stages import Stages
from hueycore.storage.redis.transfer import Transfer
from hueycore.storage.redis.watch import Watch
from hueycore.storage.redis.workers import Workers
from hueycore.system import native

__all__ = ["RedisStorage"]


class RedisStorage(
    Enqueue,
    Exchanges,
    Workers,
    Glances,
    Due,
    Schedules,
    Limits,
    Locks,
    Retention,
    Flags,
    Results,
    Queries,
    Reports,
    Stages,
    Events,
    Transfer,
    Migrations,
    Examination,
    Storage,
):
    """A queue in Redis or Valkey.

    ``url``: ``redis://``, ``rediss://`` or ``unix://``. ``client``: a client or a pool of the
    application's, used as it is. ``read_only``: look, never write. ``max_pending``: enqueue raises
    ``QueueFull`` above it. ``serializer``: the name of what payloads are written with, for those
    who have no application. ``events``: record what becomes of the queue's jobs, or no more; None
    leaves it as it is. ``operator``: the person whose verbs these are; they are recorded in any
    case. ``create``: does nothing here. Further ``options`` are those of the connections.

    It connects at its first use. Raises ``ConfigurationError``.
    """

    shared = True
    sees_starts = False
    numbers_apart = True
    overlaps = True

    def __init__(
        self,
        url: str = "",
        queue: str = "huey",
        *,
        client: Any = None,
        create: bool = True,
        read_only: bool = False,
        max_pending: int | None = None,
        serializer: str | None = None,
        events: bool | None = None,
        operator: str | None = None,
        **options: Any,
    ) -> None:
        self.queue = queue
        self.serializer = serializer
        self.max_pending = max_pending
        self.operator = operator
        self.read_only = read_only
        self.prefix, self.keys = prefix_of(queue), keys_of(queue)
        self._listed = False
        self.after_fork_in_child()
        forks.heirs.add(self)
        self._numbers, self._names, self._about = {}, {}, {}
        self.client = Client(url, client=client, **options)
        self.bell = Bell(self.client, self.key("bell"))
        self.watch = Watch(self.client, self.beat, self.key("worker"))
        if events is not None and not read_only:
            self.record_events(events)

    def after_fork_in_child(self) -> None:
        self.init_door()
        self._door, self._looking = native.Lock(), native.Lock()
        self._unanswered, self._links = {}, {}

    @property
    def url(self) -> str:
        return self.client.url

    def sql(
        self, query: str, params: Sequence[Any] = (), commit: bool = False, results: bool = False
    ) -> NoReturn:
        raise StorageError("a queue in Redis speaks no SQL")

    def leave_checkpoints_to_janitor(self) -> None:
        pass  # the server keeps its files by itself

    def checkpoint(self) -> None:
        pass

    def tool(self, verb: str) -> str | None:
        return checkup.TOOLS[verb]

    def backup(
        self,
        path: str,
        *,
        overwrite: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> NoReturn:
        raise ConfigurationError(self.tool("backup"))

    def restore(
        self, path: str, *, on_progress: Callable[[int, int], None] | None = None
    ) -> NoReturn:
        raise ConfigurationError(self.tool("restore"))

    def vacuum(self) -> NoReturn:
        raise ConfigurationError(self.tool("vacuum"))

    def info(self) -> Info:
        return checkup.info(self.client, self.keys)

    def checkup(self) -> Mapping[str, Callable[[], Iterable[Diagnosis]]]:
        return checkup.questions(self.client, self.keys, self.queue)

    def gauges(self) -> dict[str, float]:
        return checkup.gauges(self.client)

    def size(self) -> tuple[int, int]:
        return checkup.size(self.client, self.keys)

    def close(self) -> None:
        for link in self._links.values():
            link.drop()
        self.watch.close()
        self.bell.close()
        self.client.close()

"""The PostgreSQL engine: one schema of a database, every verb one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hueycore.storage.dsn import shown
from hueycore.storage.postgres.alive import Alive
from hueycore.storage.postgres.claims import Claims
from hueycore.storage.postgres.connections import DEADLINE
from hueycore.storage.postgres.database import Database
from hueycore.storage.postgres.events import Following
from hueycore.storage.postgres.examine import Examination
from hueycore.storage.postgres.glance import Glances
from hueycore.storage.postgres.guest import Guests
from hueycore.storage.postgres.hot import Hot
from hueycore.storage.postgres.owed import Owed
from hueycore.storage.postgres.statements import Connection
from hueycore.storage.postgres.wake import Wake
from hueycore.storage.sql.rooms import Rooms

__all__ = ["PostgresStorage"]


class PostgresStorage(
    Wake,
    Glances,
    Guests,
    Owed,
    Claims,
    Hot,
    Following,
    Examination,
    Rooms,
):
    """A queue in a schema of a PostgreSQL database.

    ``dsn``: a URL, or the ``key=value`` words of libpq. ``create``: make the schema and its tables
    when they are missing. ``read_only``: look, never write. ``timeout``: seconds that a queue which
    somebody else holds, or a server that has gone away, is tried. ``max_pending``: enqueue raises
    ``QueueFull`` above it. ``serializer``: the name of what payloads are written with, for those
    who have no application. ``events``: record what becomes of the queue's jobs, or no more; None
    leaves it as it is. ``operator``: the person whose verbs these are; they are recorded in any
    case.

    Raises ``StorageMissing``, ``StorageTooNew``, ``StorageReadOnly``, ``StorageError``.
    """

    shared = True
    sees_starts = False
    numbers_apart = False
    overlaps = False

    def __init__(
        self,
        dsn: str,
        queue: str = "huey",
        *,
        create: bool = True,
        read_only: bool = False,
        schema: str = "public",
        timeout: float = DEADLINE,
        max_pending: int | None = None,
        serializer: str | None = None,
        events: bool | None = None,
        operator: str | None = None,
    ) -> None:
        self.queue = queue
        self.serializer = serializer
        self.max_pending = max_pending
        self.operator = operator
        self._since = {}
        self._init_door()
        self._init_claims()
        self._init_owed()
        self.db = Database(dsn, queue, schema, create=create, read_only=read_only, timeout=timeout)
        self.alive = Alive(self.db, queue)
        if events is not None and not read_only:
            self.record_events(events)

    @property
    def url(self) -> str:
        return shown(self.db.dsn, self.db.schema)

    def left_by_huey(self) -> dict[str, int]:
        return {}

    def sql(
        self, query: str, params: Sequence[Any] = (), commit: bool = False, results: bool = False
    ) -> list[tuple[Any, ...]] | None:
        def body(con: Connection) -> list[tuple[Any, ...]]:
            cursor = con.execute(query, params)
            return cursor.fetchall() if cursor.description else []

        rows = self.db.transact(body) if commit else self.db.read(body, snapshot=True)
        return rows if results else None

    def close(self) -> None:
        self.alive.close()
        self.db.close()

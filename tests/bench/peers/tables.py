"""Queues of other libraries in PostgreSQL, all of which are asynchronous."""

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine
from functools import cached_property
from typing import Any

import psycopg

from peers.base import Consumer, Peer


class TablePeer(Peer):
    #: One of its tables.
    table: str
    #: Counts what waits and what runs.
    unfinished: str

    def __init__(self, url: str) -> None:
        super().__init__(url)
        (there,) = self.con.execute("select to_regclass(%s)", (self.table,)).fetchone() or (None,)
        if there is None:
            self.install()

    @cached_property
    def con(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def pending_count(self) -> int:
        (count,) = self.con.execute(self.unfinished).fetchone() or (0,)
        return int(count)

    def create_consumer(
        self, workers: int, worker_type: str = "thread", *, periodic: bool
    ) -> Consumer:
        if worker_type == "process":
            return Consumer(lambda: self.run(self.serve(1)), processes=workers)
        return Consumer(lambda: self.run(self.serve(workers)))

    def run(self, serve: Coroutine[Any, Any, None]) -> None:
        """As the library's own command does."""
        asyncio.run(serve)

    @abstractmethod
    def install(self) -> None: ...

    @abstractmethod
    async def serve(self, workers: int) -> None:
        """Run so many jobs at a time until cancelled."""

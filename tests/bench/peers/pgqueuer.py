"""pgqueuer: it takes ten jobs at a time and runs them all at once, however many workers are asked
for. Its consumer is on asyncpg and uvloop, which it recommends."""

import asyncio
import json
from collections.abc import Coroutine
from functools import cached_property, partial
from typing import Any

import asyncpg
import pgqueuer
import psycopg
import uvloop
from pgqueuer.db import AsyncpgDriver, SyncPsycopgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries, SyncQueries

from peers.tables import TablePeer


class PgQueuer(TablePeer):
    table = "pgqueuer"
    unfinished = "select count(*) from pgqueuer"

    def install(self) -> None:
        async def install() -> None:
            con = await asyncpg.connect(self.url)
            await Queries(AsyncpgDriver(con)).install()
            await con.close()

        asyncio.run(install())

    @cached_property
    def _queries(self) -> SyncQueries:
        return SyncQueries(SyncPsycopgDriver(psycopg.connect(self.url, autocommit=True)))

    def put(self, name: str, argument: Any) -> None:
        self._queries.enqueue(name, json.dumps(argument).encode())

    def put_many(self, name: str, arguments: tuple[Any, ...]) -> None:
        number = len(arguments)
        payloads = [json.dumps(each).encode() for each in arguments]
        self._queries.enqueue([name] * number, payloads, [0] * number)

    def run(self, serve: Coroutine[Any, Any, None]) -> None:
        uvloop.run(serve)

    async def serve(self, workers: int) -> None:
        queue = pgqueuer.PgQueuer(AsyncpgDriver(await asyncpg.connect(self.url)))

        async def perform(name: str, job: Job) -> None:
            self.perform(name, json.loads(job.payload or b""))

        for name in self._functions:
            queue.entrypoint(name, accepts_context=False)(partial(perform, name))
        await queue.run()

"""oban: asynchronous alone. Who enqueues has an event loop of its own here."""

import asyncio
from collections.abc import Coroutine
from functools import cached_property
from typing import Any

import oban
import uvloop
from oban.schema import install_sql

from peers.tables import TablePeer


@oban.worker(queue="bench")
class Call:
    """A job that names its function."""

    peer: TablePeer

    async def process(self, job: oban.Job) -> None:
        self.peer.perform(job.args["name"], job.args["argument"])


class Oban(TablePeer):
    table = "oban_jobs"
    unfinished = (
        "select count(*) from oban_jobs where state in ('available', 'executing', 'retryable')"
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        Call.peer = self

    def install(self) -> None:
        self.con.execute(install_sql())

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return uvloop.new_event_loop()

    @cached_property
    def _client(self) -> oban.Oban:
        pool = self._loop.run_until_complete(oban.Oban.create_pool(self.url))
        return oban.Oban(pool=pool)

    def put(self, name: str, argument: Any) -> None:
        job = Call.new({"name": name, "argument": argument})
        client = self._client
        self._loop.run_until_complete(client.enqueue(job))

    def put_many(self, name: str, arguments: tuple[Any, ...]) -> None:
        jobs = [Call.new({"name": name, "argument": each}) for each in arguments]
        client = self._client
        self._loop.run_until_complete(client.enqueue_many(jobs))

    def run(self, serve: Coroutine[Any, Any, None]) -> None:
        uvloop.run(serve)

    async def serve(self, workers: int) -> None:
        pool = await oban.Oban.create_pool(self.url)
        async with oban.Oban(pool=pool, queues={"bench": workers}):
            await asyncio.Event().wait()

"""procrastinate: asynchronous tasks, so many at a time."""

from functools import partial
from typing import Any

import procrastinate
from procrastinate import PsycopgConnector, SyncPsycopgConnector

from peers.tables import TablePeer


class Procrastinate(TablePeer):
    table = "procrastinate_jobs"
    unfinished = "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"

    def __init__(self, url: str) -> None:
        self._app = procrastinate.App(connector=SyncPsycopgConnector(conninfo=url, min_size=1))
        self._app.open()
        super().__init__(url)

    def install(self) -> None:
        self._app.schema_manager.apply_schema()

    def put(self, name: str, argument: Any) -> None:
        self._app.configure_task(name).defer(argument=argument)

    def put_many(self, name: str, arguments: tuple[Any, ...]) -> None:
        self._app.configure_task(name).batch_defer(*({"argument": each} for each in arguments))

    async def serve(self, workers: int) -> None:
        app = procrastinate.App(connector=PsycopgConnector(conninfo=self.url))

        async def perform(name: str, argument: Any) -> None:
            self.perform(name, argument)

        for name in self._functions:
            app.task(name=name)(partial(perform, name))
        async with app.open_async():
            await app.run_worker_async(concurrency=workers, install_signal_handlers=False)

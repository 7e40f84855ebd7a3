"""Celery: its threads, or its processes. It keeps no results here."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import celery
import redis

from peers.base import Consumer, Peer, Task


class Celery(Peer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._app = celery.Celery("bench", broker=url)

    def task(self) -> Callable[[Callable[..., Any]], Task]:
        named = super().task()

        def made(function: Callable[..., Any]) -> Task:
            name = function.__name__

            def perform(argument: Any) -> None:
                self.perform(name, argument)

            self._app.task(perform, name=name)
            return named(function)

        return made

    @cached_property
    def _redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def put(self, name: str, argument: Any) -> None:
        self._app.tasks[name].delay(argument)

    def pending_count(self) -> int:
        return int(self._redis.llen("celery")) + int(self._redis.hlen("unacked"))

    def create_consumer(
        self, workers: int, worker_type: str = "thread", *, periodic: bool
    ) -> Consumer:
        if worker_type == "process":  # which it starts by itself
            return Consumer(partial(self._serve, "prefork", workers), processes=1)
        return Consumer(partial(self._serve, "threads", workers))

    def _serve(self, pool: str, workers: int) -> None:
        # What its command runs, without the signals and the banner of that.
        self._app.WorkController(pool=pool, concurrency=workers, loglevel="ERROR").start()

"""RQ: a process for each worker, which forks one for each job."""

from typing import Any

import redis
import rq

from peers.base import Consumer, Peer


def call(name: str, argument: Any) -> None:
    """A job that names its function."""
    from app import huey

    huey.perform(name, argument)


class Rq(Peer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._queue = rq.Queue("bench", connection=redis.Redis.from_url(url))

    def put(self, name: str, argument: Any) -> None:
        self._queue.enqueue(call, name, argument)

    def put_many(self, name: str, arguments: tuple[Any, ...]) -> None:
        self._queue.enqueue_many([rq.Queue.prepare_data(call, (name, one)) for one in arguments])

    def pending_count(self) -> int:
        return int(self._queue.count) + len(self._queue.started_job_registry)

    def create_consumer(
        self, workers: int, worker_type: str = "thread", *, periodic: bool
    ) -> Consumer:
        if worker_type == "process":
            return Consumer(self._serve, processes=workers)
        return Consumer(self._serve)  # in a process of its own

    def _serve(self) -> None:
        queue = rq.Queue("bench", connection=redis.Redis.from_url(self.url))
        rq.Worker([queue], connection=queue.connection).work(logging_level="ERROR")

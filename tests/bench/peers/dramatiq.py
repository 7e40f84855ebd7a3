"""Dramatiq: threads, in one process or in several."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from peers.base import Consumer, Peer, Task


class Dramatiq(Peer):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._broker = RedisBroker(url=url)
        self._actors: dict[str, dramatiq.Actor[Any, Any]] = {}

    def task(self) -> Callable[[Callable[..., Any]], Task]:
        named = super().task()

        def made(function: Callable[..., Any]) -> Task:
            name = function.__name__
            perform = partial(self.perform, name)
            actor = dramatiq.actor(
                perform, actor_name=name, queue_name="bench", broker=self._broker
            )
            self._actors[name] = actor
            return named(function)

        return made

    def put(self, name: str, argument: Any) -> None:
        self._actors[name].send(argument)

    def pending_count(self) -> int:
        return int(self._broker.do_qsize("bench"))

    def create_consumer(
        self, workers: int, worker_type: str = "thread", *, periodic: bool
    ) -> Consumer:
        if worker_type == "process":
            return Consumer(partial(self._serve, 1), processes=workers)
        return Consumer(partial(self._serve, workers))

    def _serve(self, threads: int) -> None:
        dramatiq.Worker(self._broker, worker_threads=threads).start()
        threading.Event().wait()

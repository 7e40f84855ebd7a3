"""A queue of another library, with what the measures use of a Huey."""

import multiprocessing
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from settings import FOLDER

#: These libraries keep no results: the job of this name writes down what it answers.
ANSWERS = "since"
ANSWER = FOLDER / "answer"
Call = tuple[str, Any]


class Handle:
    def get(self, *, blocking: bool, timeout: float) -> float:
        end = time.monotonic() + timeout
        while not ANSWER.exists():
            if time.monotonic() > end:
                raise TimeoutError(f"no answer after {timeout} s")
            time.sleep(0.001)
        value = float(ANSWER.read_text())
        ANSWER.unlink()
        return value


class Task:
    def __init__(self, peer: "Peer", name: str) -> None:
        self._peer, self._name = peer, name

    def __call__(self, argument: Any) -> Handle:
        self._peer.put(self._name, argument)
        return Handle()

    def s(self, argument: Any) -> Call:
        return self._name, argument


class Peer(ABC):
    def __init__(self, url: str) -> None:
        self.url = url
        self._functions: dict[str, Callable[[Any], Any]] = {}

    def task(self) -> Callable[[Callable[..., Any]], Task]:
        def named(function: Callable[..., Any]) -> Task:
            self._functions[function.__name__] = function
            return Task(self, function.__name__)

        return named

    def perform(self, name: str, argument: Any) -> None:
        value = self._functions[name](argument)
        if name == ANSWERS:
            new = ANSWER.with_suffix(".new")
            new.write_text(str(value))
            os.replace(new, ANSWER)

    def enqueue_many(self, calls: Iterable[Call]) -> None:
        """Calls of one task."""
        names, arguments = zip(*calls, strict=True)
        self.put_many(names[0], arguments)

    @abstractmethod
    def pending_count(self) -> int:
        """What waits, and what runs."""

    @abstractmethod
    def create_consumer(
        self, workers: int, worker_type: str = "thread", *, periodic: bool
    ) -> "Consumer": ...

    @abstractmethod
    def put(self, name: str, argument: Any) -> None: ...

    def put_many(self, name: str, arguments: tuple[Any, ...]) -> None:
        """As quickly as the library can."""
        for argument in arguments:
            self.put(name, argument)


class Consumer:
    """In a thread, or in so many processes."""

    def __init__(self, run: Callable[[], None], processes: int = 0) -> None:
        self.run = run
        # Daemons: what is measured has run when they are stopped.
        forks = multiprocessing.get_context("fork")
        self._processes = [forks.Process(target=run, daemon=True) for _ in range(processes)]
        self._thread = None if processes else threading.Thread(target=run, daemon=True)

    def start(self) -> None:
        for each in (*self._processes, *filter(None, [self._thread])):
            each.start()

    def stop(self, *, graceful: bool) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.terminate()
            process.join()

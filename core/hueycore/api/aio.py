"""Enqueueing and waiting on an event loop, which nothing here blocks.

What the coroutines of one loop want at the same time is done together, in one short call in a
thread of the loop's executor: jobs share a commit, and one look at the storage serves all waiters.
The loop has no timer and no task of this module while no coroutine waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import WeakKeyDictionary

from hueycore.api.batch import Calls, taken
from hueycore.api.part import Part
from hueycore.api.producer import is_composed
from hueycore.exceptions import StorageError
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.tasks import standstill
from hueycore.tasks.canvas import Pipeline, Stage, chord, group
from hueycore.tasks.joblog import run_of_this_context
from hueycore.tasks.result import ChordResult, Handle, Result, ResultGroup
from hueycore.tasks.task import Task

if TYPE_CHECKING:
    import asyncio

#: Seconds between two looks: the first pause, and the longest.
PAUSE = (0.002, 0.02)
#: The pause after a look is at least so many times as long as the look.
PAUSE_PER_LOOK = 3

T = TypeVar("T")


class Aio(Part):
    """Part of ``Huey``: enqueueing and waiting on an event loop."""

    _loops: Loops

    @overload
    async def aenqueue(self, task: Task) -> Result[Any] | None: ...
    @overload
    async def aenqueue(self, task: Pipeline | group) -> ResultGroup | None: ...
    @overload
    async def aenqueue(self, task: chord) -> ChordResult | None: ...
    async def aenqueue(self, task: Stage) -> Handle | None:
        """``enqueue`` for a loop, which goes on while the job is written: it is durable when this
        returns. Jobs that are enqueued at the same time share a commit. If the caller is cancelled
        meanwhile, the job is in the queue or not.

        Raises ``SerializationError``, ``PayloadTooLarge``, ``QueueFull``, ``StorageError``."""
        producer = self._producer
        if is_composed(task):
            import asyncio

            calls, handle = await asyncio.to_thread(producer.compose, task)
            if not taken(self, calls):
                await asyncio.to_thread(producer.store, calls)
            return handle if self.results else None
        assert isinstance(task, Task)
        job = producer.new_job(task)
        result: Result[Any] = Result(self._huey, task)
        calls = Calls((job,), (result,))
        if not taken(self, calls):
            with self.signals.ahead_of(job.id):
                stored = await self._loops.writer().enqueue(job)
                producer.on_stored(calls, (stored,))
            if self._immediate:
                import asyncio

                await asyncio.to_thread(self._stepper.run_now, [stored])
        return result if self.results else None

    async def wait_on_loop(
        self, result: Result[Any], timeout: float | None, preserve: bool
    ) -> bool:
        """Wait until ``result`` has fetched its outcome; False when ``timeout`` seconds passed
        first."""
        run, loop = run_of_this_context.get(), running_loop()
        if run is None:
            return await self._loops.watch().wait(result, timeout, preserve)
        look = partial(standstill.warn, self.storage, run, result.id)
        timer = loop.call_later(standstill.PATIENCE, in_thread, loop, look, lambda done: None)
        try:
            return await self._loops.watch().wait(result, timeout, preserve)
        finally:
            timer.cancel()


class Loops:
    """The event loops on which one application enqueues and waits. A loop that is gone takes its
    writer and its watch with it."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._writers: WeakKeyDictionary[asyncio.AbstractEventLoop, Writer] = WeakKeyDictionary()
        self._watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()

    def writer(self) -> Writer:
        """The one of the running loop."""
        loop = running_loop()
        return self._writers.get(loop) or self._writers.setdefault(loop, Writer(self._part))

    def watch(self) -> Watch:
        """The one of the running loop."""
        loop = running_loop()
        return self._watches.get(loop) or self._watches.setdefault(loop, Watch(self._part))


class Writer:
    """The jobs that the coroutines of one loop enqueue. One commit at a time takes all that have
    come since the last."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._orders: list[tuple[NewJob, asyncio.Future[Enqueued]]] = []
        self._writing = False

    async def enqueue(self, job: NewJob) -> Enqueued:
        loop = running_loop()
        answer: asyncio.Future[Enqueued] = loop.create_future()
        self._orders.append((job, answer))
        if not self._writing:
            self._write(loop)
        return await answer

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        # A caller that was cancelled while it waited needs no job.
        orders = [order for order in self._orders if not order[1].done()]
        most = self._part.storage.chunk
        batch, self._orders = orders[:most], orders[most:]
        self._writing = bool(batch)
        if batch:
            in_thread(
                loop, partial(self._store, [job for job, _ in batch]), partial(self._answer, batch)
            )

    def _answer(
        self,
        batch: list[tuple[NewJob, asyncio.Future[Enqueued]]],
        done: asyncio.Future[list[Enqueued | Exception]],
    ) -> None:
        failed = done.exception()
        outcomes = [failed] * len(batch) if failed else done.result()
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            if answer.done():
                continue
            if isinstance(outcome, BaseException):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
        self._write(done.get_loop())

    def _store(self, jobs: Sequence[NewJob]) -> list[Enqueued | Exception]:
        """In a thread. The error of one job goes to its own coroutine alone."""
        try:
            return list(self._part.storage.enqueue(jobs))
        except Exception as error:
            hopeless = isinstance(error, StorageError) and type(error) is not StorageError
            if hopeless or len(jobs) == 1:
                return [error] * len(jobs)
        return [self._store([job])[0] for job in jobs]


class Waiter:
    """One coroutine that waits for one job. ``outcome``: True it is over, False too late."""

    __slots__ = ("deadline", "fresh", "outcome", "preserve", "result")

    def __init__(
        self,
        result: Result[Any],
        preserve: bool,
        deadline: float | None,
        outcome: asyncio.Future[bool],
    ) -> None:
        self.result = result
        self.preserve = preserve
        self.deadline = deadline
        self.outcome = outcome
        self.fresh = True  # no look has asked for it, whatever the storage's version says


class Watch:
    """The coroutines of one loop that wait for jobs. One look at a time, for all of them."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._waiters: dict[Waiter, None] = {}
        self._version: int | None = None
        self._pause = PAUSE[0]
        self._looking = False
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, result: Result[Any], timeout: float | None, preserve: bool) -> bool:
        loop = running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        waiter = Waiter(result, preserve, deadline, loop.create_future())
        self._waiters[waiter] = None
        self._look_after(0.0, loop)
        try:
            return await waiter.outcome
        finally:
            del self._waiters[waiter]
            if not self._waiters and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _look_after(self, pause: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._looking:
            return  # its answer sees the fresh waiter
        if self._timer is not None:
            if self._timer.when() <= loop.time() + pause:
                return
            self._timer.cancel()
        self._timer = loop.call_later(pause, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._looking = True
        waiters = list(self._waiters)
        fresh = [waiter for waiter in waiters if waiter.fresh]
        for waiter in fresh:
            waiter.fresh = False
            self._pause = PAUSE[0]
        look = partial(self._find, waiters, fresh, self._version)
        in_thread(loop, look, partial(self._answer, waiters, loop.time()))

    def _find(
        self, waiters: list[Waiter], fresh: list[Waiter], seen: int | None
    ) -> tuple[int, list[tuple[Waiter, Exception | None]]]:
        """In a thread: the storage's version, and the waiters whose job is over."""
        storage = self._part.storage
        version = storage.version()
        asked = fresh if version == seen else waiters
        over = set(storage.over([waiter.result.id for waiter in asked])) if asked else set()
        found: list[tuple[Waiter, Exception | None]] = []
        for waiter in asked:
            if waiter.result.id not in over or waiter.outcome.done():
                continue
            try:
                if waiter.result._settle(waiter.preserve):
                    found.append((waiter, None))
            except Exception as error:
                found.append((waiter, error))
        return version, found

    def _answer(self, waiters: list[Waiter], began: float, done: asyncio.Future[Any]) -> None:
        self._looking = False
        loop = done.get_loop()
        now = loop.time()
        failed = done.exception()
        if failed is not None:
            self._version, found = None, [(waiter, failed) for waiter in waiters]
        else:
            self._version, found = done.result()
        for waiter, error in found:
            if not waiter.outcome.done():
                if error is None:
                    waiter.outcome.set_result(True)
                else:
                    waiter.outcome.set_exception(error)
        for waiter in waiters:
            late = waiter.deadline is not None and waiter.deadline <= now
            if late and not waiter.outcome.done():
                waiter.outcome.set_result(False)
        self._go_on(found != [], now - began, loop)

    def _go_on(self, news: bool, took: float, loop: asyncio.AbstractEventLoop) -> None:
        waiters = [waiter for waiter in self._waiters if not waiter.outcome.done()]
        if not waiters:
            return
        first, longest = PAUSE
        self._pause = first if news else min(self._pause * 1.2, longest)
        fresh = any(waiter.fresh for waiter in waiters)
        self._look_after(0.0 if fresh else max(self._pause, PAUSE_PER_LOOK * took), loop)


def running_loop() -> asyncio.AbstractEventLoop:
    import asyncio

    return asyncio.get_running_loop()


def in_thread(
    loop: asyncio.AbstractEventLoop,
    call: Callable[[], T],
    then: Callable[[asyncio.Future[T]], None],
) -> None:
    """Run ``call`` in a thread of the loop's executor and ``then`` on the loop."""
    done: asyncio.Future[T] = loop.create_future()
    try:
        done = loop.run_in_executor(None, call)
    except RuntimeError as error:  # the executor, or the interpreter, is shutting down
        done.set_exception(error)
    done.add_done_callback(then)

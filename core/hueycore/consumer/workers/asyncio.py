"""Coroutines on one loop, for thousands of jobs that wait. Calls that block run in threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from hueycore import signals as S
from hueycore.consumer.outbox import OnCommit
from hueycore.consumer.workers.handover import Handover
from hueycore.consumer.workers.loop import Loop, SharedRun
from hueycore.consumer.workers.threads import Threads
from hueycore.consumer.workers.worker import Parts, Worker, call_hooks
from hueycore.exceptions import ConfigurationError
from hueycore.model.jobs import Claim
from hueycore.runs.coroutines import PATIENCE
from hueycore.runs.executor import Executor
from hueycore.runs.finished import Begun, Finished
from hueycore.system import native

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.consumer.workers.timeouts import Timeouts

T = TypeVar("T")
logger = logging.getLogger("hueycore.consumer")


class AsyncioKind:
    def __init__(self, huey: Huey, timeouts: Timeouts) -> None:
        if huey.wraps_runs:
            raise ConfigurationError(
                f"execute() or _execute() of {type(huey).__name__} is an override, and the runs of "
                "worker_type asyncio are on a loop, which nothing can be around: take threads or "
                "greenlets, or @huey.pre_execute() and @huey.post_execute()"
            )
        self._huey = huey
        self.timeouts = timeouts
        self.executor = Executor(huey, timeouts, is_stopping=timeouts.is_stopping)
        self.threads = Threads("huey-thread")
        self.loop = Loop("huey-loop", self.threads, self._on_beat)
        self._working = 0
        self._closing = False

    def open(self, parts: Parts) -> None:
        self._parts = parts
        self.loop.start()
        self.threads.run(lambda: None)  # one at least, for when the system gives no more
        self.handover = Handover(parts.feed, self.loop.call)
        self.handover.start()

    def _on_beat(self, pause: float) -> None:
        self._parts.on_beat("event loop", pause)

    def make(self, number: int, on_left: Callable[[], None]) -> Worker:
        return AsyncioWorker(number, self._parts, on_left, self)

    def is_inside(self) -> bool:
        thread = native.get_ident()
        return thread == self.loop.thread or thread in self.threads.idents

    def relay(self, on_commit: OnCommit) -> OnCommit:
        return on_commit

    def close(self) -> None:
        self._closing = True
        if not self._working:
            self.loop.stop()
            self.threads.close()

    def on_begin(self) -> None:
        """Called by a worker that begins, on the loop."""
        self._working += 1

    def on_left(self) -> None:
        """Called by a worker that has left, on the loop."""
        self._working -= 1
        if self._closing and not self._working:
            self.loop.stop()
            self.threads.close()

    def is_light(self, claim: Claim) -> bool:
        """Whether a run can begin on the loop: the task is async, its arguments are here, and the
        run calls no other code of the application than its coroutine."""
        huey = self._huey
        wrapper = huey.registry.get(claim.task)
        return (
            wrapper is not None
            and wrapper.is_async
            and not claim.inputs
            and not (huey.pre_execute_hooks or huey.post_execute_hooks)
            and not huey.wants(S.SIGNAL_EXECUTING)
            and not huey.signals.is_held(claim.id)
        )

    async def in_thread(self, call: Callable[[], T]) -> T:
        done: asyncio.Future[T] = self.loop.loop.create_future()

        def work() -> None:
            value = call()
            self.loop.call(partial(done.set_result, value))

        self.threads.run(work)
        while not done.done():
            try:
                await asyncio.shield(done)
            except asyncio.CancelledError:
                _go_on()  # a call in a thread cannot be cancelled
        return done.result()


class AsyncioWorker(Worker):
    """One slot of the loop: a coroutine that runs one job after the other."""

    def __init__(
        self, number: int, parts: Parts, on_left: Callable[[], None], kind: AsyncioKind
    ) -> None:
        super().__init__(number, parts, on_left)
        self._kind = kind
        self._gone = native.Event()
        #: The thread that it blocks, the run that it waits for, and what that run is to raise.
        self._thread: int | None = None
        self._run: SharedRun | None = None
        #: As its startup hooks leave it; each run has a copy.
        self._context = Context()
        self._asked: type[BaseException] | None = None

    def start(self) -> None:
        self._kind.loop.call(self._begin)

    def _begin(self) -> None:
        self._kind.on_begin()
        self._task = self._kind.loop.loop.create_task(self._work())
        self._task.add_done_callback(self._leave)

    def alive(self) -> bool:
        return not self._gone.is_set()

    def join(self, timeout: float) -> None:
        self._gone.wait(timeout)

    @property
    def owner(self) -> Hashable:
        return self if self._thread is None else self._thread

    def stop(self, claim: Claim, error: type[BaseException]) -> bool:
        self._kind.loop.call(partial(self._stop_now, claim, error))
        return self._thread is None

    def _stop_now(self, claim: Claim, error: type[BaseException]) -> None:
        if self.claim is claim:
            self._asked = error
            if self._run is not None:
                self._run.stop(error)

    async def _work(self) -> None:
        feed = self.parts.feed
        await self._hooks("startup")
        while (claim := feed.poll() or await self._ask()) is not None:
            self._asked = None
            self.begin(claim)
            feed.end(await self._execute(claim))
            if claim.at_most_once and not await self._kind.in_thread(feed.flush_for_sure):
                break
            if not self.end():
                break
        self.rest()
        await self._hooks("shutdown")

    async def _ask(self) -> Claim | None:
        self.rest()
        future: asyncio.Future[Claim | None] = self._kind.loop.loop.create_future()

        def answer(claim: Claim | None) -> None:
            if not future.done():
                future.set_result(claim)
            elif claim is not None:
                self.parts.feed.give_back([claim])

        self._kind.handover.ask(answer)
        try:
            return await future
        except asyncio.CancelledError:
            self._kind.handover.forget(answer)
            if not future.cancelled() and (claim := future.result()) is not None:
                self.parts.feed.give_back([claim])
            raise

    def _leave(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            self.log_death(error)
        self._kind.on_left()
        self._gone.set()
        self._on_left()

    async def _hooks(self, when: str) -> None:
        hooks = self.parts.startup if when == "startup" else self.parts.shutdown
        if hooks:
            await self._kind.in_thread(partial(self._context.run, call_hooks, when, hooks))

    async def _execute(self, claim: Claim) -> Finished:
        context = self._context.copy()
        executor = self._kind.executor
        light = self._kind.is_light(claim)
        if light:
            begun = context.run(executor.begin, claim)
        else:
            begun = await self._kind.in_thread(partial(context.run, self._in_thread, claim))
        while isinstance(begun, Begun):
            run = await self._run_coroutine(begun, context)
            finish = partial(context.run, executor.finish, begun, run.outcome)
            # Log lines of a run are on their way to the storage, and a failure may read the
            # storage: the loop does not wait for either.
            has_notes = begun.page is not None and begun.page.used
            is_quick = light and run.error is None and not has_notes
            begun = finish() if is_quick else await self._kind.in_thread(finish)
        return begun

    def _in_thread(self, claim: Claim) -> Finished | Begun:
        """All of a plain run, unless it gives something to await; only the begin of an async
        one."""
        self._thread = native.get_ident()
        try:
            begun = self._kind.executor.begin(claim)
            if isinstance(begun, Finished) or begun.invocation.is_async:
                return begun
            return self._kind.executor.complete(begun)
        finally:
            self._thread = None

    async def _run_coroutine(self, begun: Begun, context: Context) -> SharedRun:
        timeout = begun.invocation.timeout
        run = SharedRun(begun.invocation.call, timeout)
        if self._asked is not None:
            run.error = self._asked()
            return run
        self._run = run
        task = self._kind.loop.begin(run, context)
        grace = begun.task.wrapper.options.timeout_grace
        watched = (
            self._kind.timeouts.watch(self, timeout + PATIENCE, grace)
            if timeout is not None
            else None
        )
        try:
            while not task.done():
                try:
                    await asyncio.wait([task])
                except asyncio.CancelledError:  # all tasks of the loop were cancelled
                    _go_on()
                    if not task.cancelling():
                        task.cancel()
        finally:
            self._run = None
            if watched is not None:
                self._kind.timeouts.unwatch(watched)
        return run


def _go_on() -> None:
    """Let this coroutine go on after it was cancelled."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()

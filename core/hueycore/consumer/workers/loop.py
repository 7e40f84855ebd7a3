"""One event loop in a thread of its own, which runs the coroutines of many jobs."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, ContextVar
from functools import partial
from typing import Any

from hueycore.consumer.health import BEAT_INTERVAL
from hueycore.consumer.workers.threads import Threads
from hueycore.runs.coroutines import Call, Run
from hueycore.system import forks, native

logger = logging.getLogger("hueycore.consumer")

_AWAITED = "it awaited on the event loop of its parent"
_loops: weakref.WeakSet[Loop] = weakref.WeakSet()

_run: ContextVar[SharedRun | None] = ContextVar("hueycore_loop_run", default=None)


class Loop:
    """``on_beat`` is called by the turning loop, with the seconds until the next call."""

    def __init__(self, name: str, threads: Threads, on_beat: Callable[[float], None]) -> None:
        self._threads = threads
        self._on_beat = on_beat
        self._stopping = False
        self._generation = forks.generation
        self._theirs: list[object] = []
        self._error: BaseException | None = None
        self._ready = native.Event()
        self._thread = native.Thread(self._serve, name)
        _loops.add(self)

    def start(self) -> None:
        """Returns when the loop turns. Raises what keeps it from being made."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    @property
    def thread(self) -> int | None:
        return self._thread.ident

    def call(self, what: Callable[[], object]) -> None:
        """Have ``what`` called on the loop, from any thread. After ``stop`` nothing happens."""
        try:
            self.loop.call_soon_threadsafe(what)
        except RuntimeError:
            logger.debug("the loop is closed")

    def begin(self, run: SharedRun, context: Context) -> asyncio.Task[None]:
        """Run a coroutine in a context; called on the loop."""
        context.run(_run.set, run)
        return self.loop.create_task(run.whole(), context=context)

    def stop(self) -> None:
        """The tasks that still run on the loop are cancelled."""
        self._stopping = True
        self.call(self.loop.stop)
        if self._thread.ident != native.get_ident():
            self._thread.join(5)

    def _serve(self) -> None:
        try:
            # The native selector: where gevent has patched, the usual one waits as greenlets do.
            self.loop = asyncio.SelectorEventLoop(native.DefaultSelector())
        except BaseException as error:
            self._error = error
            self._ready.set()
            return
        self.loop.set_task_factory(_make_task)  # type: ignore[arg-type]  # **options grow
        self.loop.set_default_executor(_Executor(self._threads))
        self.loop.call_soon(self._ready.set)
        self.loop.call_soon(self._beat)
        try:
            while not self._stopping:
                try:
                    self.loop.run_forever()
                    forks.end_child(self._generation, RuntimeError(_AWAITED))
                except BaseException as error:  # such as sys.exit() in a task of a job
                    # The turn of a child misses what it has left to its parent.
                    missed = isinstance(error, Exception)
                    forks.end_child(self._generation, RuntimeError(_AWAITED) if missed else error)
                    logger.exception("the event loop was struck; it goes on")
        finally:
            self._close()

    def leave_to_parent(self) -> None:
        """In a child that a coroutine has forked: the loop runs nothing more. The coroutines of
        other jobs are its parent's."""
        if self._thread.ident == native.get_ident():
            ready = self.loop._ready  # type: ignore[attr-defined]
            self._theirs.extend(ready)  # kept, so that no destructor runs
            ready.clear()
            self.loop.stop()

    def _beat(self) -> None:
        self._on_beat(BEAT_INTERVAL)
        self.loop.call_later(BEAT_INTERVAL, self._beat)

    def _close(self) -> None:
        self._on_beat(math.inf)
        rest = asyncio.all_tasks(self.loop)
        for task in rest:
            task.cancel()
        try:
            if rest:
                self.loop.run_until_complete(asyncio.wait(rest))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
        except BaseException:
            logger.exception("an event loop could not be closed")


class SharedRun(Run):
    """A run on a loop that it shares with others. Its tasks are those that were made in its
    context, or in that of one of them."""

    def __init__(
        self, call: Call, timeout: float | None, on_timeout: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(call, timeout, on_timeout)
        self.children: set[asyncio.Task[Any]] = set()

    async def whole(self) -> None:
        try:
            if self.stopped is not None:
                raise asyncio.CancelledError
            await super().whole()
        except asyncio.CancelledError as error:
            self.error = error if self.stopped is None else self.stopped()

    def _rest(self) -> list[asyncio.Task[Any]]:
        # A finished task leaves ``children`` only at the loop's next turn.
        return [task for task in self.children if not task.done()]


def _make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    task = asyncio.Task(coroutine, loop=loop, **options)
    run = _run.get()
    if run is not None:
        run.children.add(task)
        task.add_done_callback(run.children.discard)
    return task


class _Executor(ThreadPoolExecutor):
    """Lets ``asyncio.to_thread`` use the threads of this kind of workers."""

    def __init__(self, threads: Threads) -> None:
        super().__init__(1)
        self._native = threads

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._native.run(partial(self._work, future, partial(call, *args, **kwargs)))
        return future

    def _work(self, future: Future[Any], call: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(forks.call(call))
        except BaseException as error:
            future.set_exception(error)


def _in_child() -> None:
    for loop in list(_loops):
        loop.leave_to_parent()


os.register_at_fork(after_in_child=_in_child)

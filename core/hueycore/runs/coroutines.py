"""Async tasks: how the coroutine of a run is run. Worker kinds differ in this and nothing else.

asyncio is imported when the first async task runs: an application without one does not load it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from hueycore.exceptions import TaskTimeout
from hueycore.runs.timeouts import Limiter, limited
from hueycore.system import forks, native
from hueycore.system.scarcity import is_scarcity

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("hueycore.execute")

#: Seconds after its timeout in which a loop must have cancelled a run. One that has not is blocked.
PATIENCE = 0.25

Call = Callable[[], Awaitable[Any]]
_UNSET: Any = object()


class Coroutines(Protocol):
    """How a kind of worker runs coroutines; all of it is called by the worker itself."""

    def prepare(self) -> None:
        """Make what runs need; its time is not that of the first run."""
        ...

    def run(self, call: Call, timeout: float | None, on_timeout: Callable[[], None]) -> Any:
        """Call an async function and wait for what it returns or raises. What it sets in its
        context is then set in the caller's. After ``timeout`` seconds
        its loop calls ``on_timeout`` and cancels it: ``TaskTimeout``."""
        ...

    def stop(self, thread: int, error: type[BaseException], wanted: Callable[[], bool]) -> bool:
        """From another thread: cancel what the worker of ``thread`` runs, if it is ``wanted``. The
        run then raises ``error``. False when there is no coroutine to cancel."""
        ...

    def leave(self) -> None:
        """This worker runs nothing more."""
        ...


class Scarcity(Exception):
    """The run has not begun, for want of threads or descriptors."""


def run_coroutine(
    coroutines: Coroutines,
    limiter: Limiter | None,
    call: Call,
    timeout: float | None,
    grace: float,
) -> Any:
    """Run an async function. Its loop enforces the timeout; the limiter comes after it, for a
    coroutine that blocks its loop."""
    try:
        coroutines.prepare()
    except Exception as error:
        if is_scarcity(error):
            raise Scarcity(f"an event loop cannot be made: {error}") from error
        raise
    if timeout is None or limiter is None:
        return coroutines.run(call, timeout, lambda: None)
    run = limiter.prepare(timeout + PATIENCE, grace)
    on_timeout = partial(limiter.on_cancel, run)
    return limited(limiter, run, partial(coroutines.run, call, timeout, on_timeout))


def take_over(context: Context) -> None:
    """Set here what was set in a copy of this context. A loop enters the context of its tasks, so
    it cannot be the one that its thread is in."""
    for variable, value in context.items():
        if variable.get(_UNSET) is not value:
            variable.set(value)


def _check_descriptors() -> None:
    """Raise ``OSError`` when there are not the three that a loop takes: half a loop complains on
    stderr when it is collected."""
    taken: list[int] = []
    try:
        for _ in range(3):
            taken.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    finally:
        for descriptor in taken:
            os.close(descriptor)


class LoopPerThread:
    """A loop for each thread, from its first async task until it leaves: what a task keeps on the
    loop (a client, a pool) is there for the next one."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._runs: dict[int, Run] = {}
        self._making = native.Lock()

    def prepare(self) -> None:
        if getattr(self._local, "runner", None) is None:
            import asyncio

            # With a factory the loop does not become the thread's current one, where a plain
            # function would find it.
            runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
            with self._making:
                _check_descriptors()
                runner.get_loop()
            self._local.runner = runner  # one without a loop would fail in the next run

    def run(self, call: Call, timeout: float | None, on_timeout: Callable[[], None]) -> Any:
        run = Run(call, timeout, on_timeout)
        runner: asyncio.Runner = self._local.runner
        thread = native.get_ident()
        self._runs[thread] = run
        context = copy_context()
        try:
            runner.run(run.whole(), context=context)
        except BaseException:
            if run.stopped is not None:
                raise run.stopped from None
            raise
        finally:
            self._runs.pop(thread, None)
            take_over(context)
            if not run.over:
                # The exception arrived in the loop, not in the coroutine: a new loop is safe.
                self.leave()
        return run.outcome()

    def stop(self, thread: int, error: type[BaseException], wanted: Callable[[], bool]) -> bool:
        run = self._runs.get(thread)
        # Asked after the run was found: by now the thread may have another job.
        return run is not None and wanted() and run.stop(error)

    def leave(self) -> None:
        runner, self._local.runner = getattr(self._local, "runner", None), None
        if runner is not None:
            try:
                runner.close()
            except Exception:
                logger.exception("an event loop could not be closed")


class LoopPerRun(LoopPerThread):
    """A loop for each run, for threads that never call ``leave``. Also inside a running loop: a
    notebook, an async test."""

    def prepare(self) -> None:
        pass

    def run(self, call: Call, timeout: float | None, on_timeout: Callable[[], None]) -> Any:
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._run_here(call, timeout, on_timeout)
        # A thread has one running loop at most, so this run gets another thread, waited for.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            context = copy_context()
            try:
                return pool.submit(context.run, self._run_here, call, timeout, on_timeout).result()
            finally:
                take_over(context)

    def _run_here(self, call: Call, timeout: float | None, on_timeout: Callable[[], None]) -> Any:
        super().prepare()
        try:
            return super().run(call, timeout, on_timeout)
        finally:
            self.leave()


class Run:
    """One run on a loop. The outcome is kept instead of returned, because a ``SystemExit`` that
    leaves a coroutine would stop the loop."""

    def __init__(
        self, call: Call, timeout: float | None, on_timeout: Callable[[], None] = lambda: None
    ) -> None:
        self._call = call
        self._timeout = timeout
        self._on_timeout = on_timeout
        self.value: Any = None
        self.error: BaseException | None = None
        #: What ``stop`` wants it to raise.
        self.stopped: type[BaseException] | None = None
        self.over = False
        self._main: asyncio.Task[Any] | None = None

    def outcome(self) -> Any:
        """What the coroutine returned, or raises what it raised."""
        if self.error is None:
            return self.value
        try:
            raise self.error
        finally:
            self.error = None  # its traceback holds this frame: neither must keep the other alive

    def stop(self, error: type[BaseException]) -> bool:
        """From any thread. False when there is nothing to cancel."""
        self.stopped = error
        if self._main is None:
            return False
        try:
            self._main.get_loop().call_soon_threadsafe(self._main.cancel)
        except RuntimeError:
            return False  # it has ended just now, and its loop is closed
        return True

    async def whole(self) -> None:
        import asyncio

        self._main = asyncio.current_task()
        timer, generation = None, forks.generation
        if self._timeout is not None:
            # Set for all of the run, not only for the time limit below: the loop turns too while
            # it waits for the tasks that the run has started.
            timer = asyncio.get_running_loop().call_later(self._timeout, self._on_timeout)
        try:
            self.value = await self._limited()
            forks.end_child(generation)
        except asyncio.CancelledError as error:
            forks.end_child(generation, error)
            raise  # which asyncio.Runner turns into KeyboardInterrupt after a ^C
        except BaseException as error:
            forks.end_child(generation, error)
            self.error = error
        finally:
            await self._end_rest()
            if timer is not None:
                timer.cancel()
            self.over = True

    async def _limited(self) -> Any:
        import asyncio

        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                return await self._call()
        except TimeoutError as error:
            if limit.expired():
                raise TaskTimeout from error.__cause__  # which says where the run was
            raise  # the task's own

    async def _end_rest(self) -> None:
        """What a run has started and not waited for ends with it, so that no job runs in another's
        time, under another's name."""
        import asyncio

        await asyncio.sleep(0)  # an async generator that was left closes itself in its own task
        while rest := self._rest():
            for task in rest:
                task.cancel()
            logger.warning(
                "cancelled %d asyncio tasks that a job left behind: %s", len(rest), rest[0]
            )
            for outcome in await asyncio.gather(*rest, return_exceptions=True):
                if isinstance(outcome, Exception):
                    logger.error("a task that a job left behind failed", exc_info=outcome)

    def _rest(self) -> list[asyncio.Task[Any]]:
        """The tasks of this run that are not over: all others of a loop that is its own."""
        import asyncio

        return [task for task in asyncio.all_tasks() if task is not self._main]

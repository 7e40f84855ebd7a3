"""Coroutines on a loop in a thread of its own, for which the greenlets wait."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from gevent.hub import Waiter

from hueycore.consumer.workers.loop import Loop, SharedRun
from hueycore.runs.coroutines import Call, take_over

if TYPE_CHECKING:
    from hueycore.consumer.workers.greenlet.kind import GreenletKind


class LoopBeside:
    def __init__(self, kind: GreenletKind) -> None:
        self._kind = kind
        self._loop: Loop | None = None

    def prepare(self) -> None:
        if self._loop is None:
            loop = Loop("huey-loop", self._kind.threads, self._kind.on_loop_beat)
            loop.start()
            self._loop = loop

    def run(self, call: Call, timeout: float | None, on_timeout: Callable[[], None]) -> Any:
        loop, hub_call = self._loop, self._kind.call
        assert loop is not None
        run = SharedRun(call, timeout, lambda: hub_call(on_timeout))
        context = copy_context()
        waiter = Waiter(self._kind.hub)

        def begin() -> None:
            task = loop.begin(run, context)
            task.add_done_callback(lambda task: hub_call(partial(waiter.switch, None)))

        loop.call(begin)
        while True:
            try:
                waiter.get()
                take_over(context)
                return run.outcome()
            except BaseException as error:
                if run.over:
                    raise
                # Thrown in: its time is up, or it has to stop. The coroutine ends first.
                loop.call(partial(run.stop, type(error)))

    def stop(self, thread: int, error: type[BaseException], wanted: Callable[[], bool]) -> bool:
        return False  # a stop ends the greenlet, and the greenlet stops its coroutine

    def leave(self) -> None:
        if self._loop is not None:
            self._loop.stop()
            self._loop = None

"""Soft timeouts for threads: ``TaskTimeout`` is thrown into the thread when its time is up.

Never while it holds a storage verb (the shield), never after user code was left (the arming). A
thread in C code gets the exception when it comes back to Python; until then it is overdue.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Hashable

from hueycore.exceptions import TaskTimeout
from hueycore.system import clock, native
from hueycore.system.shield import raise_shield, wanted


class Timeout:
    """The time limit of one run. A run that goes on for ``grace`` seconds after it is overdue."""

    __slots__ = ("armed", "deadline", "grace", "overdue", "owner", "shield", "thrown")

    def __init__(self, owner: Hashable, timeout: float, grace: float) -> None:
        #: The thread, or what else identifies the run for its kind of workers.
        self.owner = owner
        self.shield = native.Lock()
        self.deadline = clock.monotonic() + timeout
        self.grace = grace
        self.armed = False
        self.thrown = False
        self.overdue = False


class Timeouts:
    """The time limits of one consumer's threads. ``step`` is a service's duty. ``on_overdue`` is
    called with the owner of a run that goes on after its time is up. ``is_stopping``: whether the
    consumer stops, or somebody interrupts the run."""

    every_run = False

    def __init__(
        self, on_overdue: Callable[[Hashable], None], is_stopping: Callable[[], bool]
    ) -> None:
        self._on_overdue = on_overdue
        self.is_stopping = is_stopping
        self._runs: dict[Hashable, Timeout] = {}
        #: Called when a deadline was set, which may be the next one.
        self.on_deadline: Callable[[], None] = lambda: None

    def prepare(self, timeout: float, grace: float) -> Timeout:
        """This thread is about to enter user code for at most ``timeout`` seconds."""
        return Timeout(native.get_ident(), timeout, grace)

    def watch(self, owner: Hashable, timeout: float, grace: float) -> Timeout:
        """Another part stops the run after ``timeout`` seconds. Here is only seen whether that
        helped, until ``unwatch``."""
        run = Timeout(owner, timeout, grace)
        run.thrown = True
        self._runs[owner] = run
        self.on_deadline()
        return run

    def unwatch(self, run: Timeout) -> None:
        if self._runs.get(run.owner) is run:
            del self._runs[run.owner]

    def arm(self, run: Timeout) -> None:
        """The exception may come from the last statement on: not while ``on_deadline`` holds a
        lock."""
        raise_shield(run.shield)
        self._runs[run.owner] = run
        self.on_deadline()
        run.armed = True

    def on_cancel(self, run: Timeout) -> None:
        """The loop of an async run cancels it: nothing is thrown into its thread any more. It is
        overdue like any other if it goes on all the same."""
        with run.shield:
            run.thrown = True

    def disarm(self, run: Timeout) -> None:
        """This thread left user code. No exception comes after this: one that was thrown and has
        not arrived is taken in here."""
        raise_shield(None)
        with run.shield:
            run.armed = False
        if run.thrown:
            _take_in()
        self._runs.pop(run.owner, None)

    def step(self) -> float:
        """Throw what is due; seconds until the next run's time is up."""
        now = clock.monotonic()
        pause = 60.0
        for run in list(self._runs.values()):
            left = run.deadline - now
            if left > 0:
                pause = min(pause, left)
            elif not run.thrown:
                pause = min(pause, run.grace if self._throw(run) else 0.001)
            elif not run.overdue and left < -run.grace:
                run.overdue = True
                self._on_overdue(run.owner)
            elif not run.overdue:
                pause = min(pause, left + run.grace + 0.01)
        return pause

    def _throw(self, run: Timeout) -> bool:
        """False when the run is in a storage verb, not yet armed or no longer armed."""
        wanted.add(run.shield)
        try:
            if not run.shield.acquire(timeout=0.01):
                return False
        finally:
            wanted.discard(run.shield)
        try:
            if not run.armed:
                return False
            run.thrown = True
            _throw_into(int(run.owner))  # type: ignore[call-overload]  # a thread
            return True
        finally:
            run.shield.release()


def _throw_into(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(TaskTimeout)
    )


def _take_in() -> None:
    """Let the exception that was thrown into this thread arrive here, together with one more.

    Taking it back (``SetAsyncExc`` with NULL) would leave a flag up. Until some exception arrives,
    CPython before 3.13 looks for one at every call of every thread (on 3.12 calls take half as long
    again), and 3.11 hangs as soon as a debugger, a profiler or a coverage tool is switched on."""
    try:
        _throw_into(native.get_ident())
        while True:
            pass  # it arrives at a call or a jump backwards
    except TaskTimeout:
        pass

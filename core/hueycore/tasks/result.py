"""Handles of jobs: what became of it, its value, waiting, revoking."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from hueycore.calendar.durations import Seconds, When, posix, seconds
from hueycore.canvas import Error
from hueycore.exceptions import ResultTimeout, TaskException, UnknownJob
from hueycore.model.jobs import Enqueued, ResultRow, Selector
from hueycore.model.states import FINAL, State
from hueycore.system import clock
from hueycore.tasks.standstill import wait_for
from hueycore.tasks.task import Task

if TYPE_CHECKING:
    from hueycore.api import Huey

R = TypeVar("R")


class _MISSING:
    """Stands for a value that was not read yet. A class, as it stays itself when it is pickled."""


class Result(Generic[R]):
    """The handle of one job; ``Result(huey, job_id)`` makes one from a bare id.

    What ``get`` gives: done → the value (None when the task returned None, or when somebody has
    read the value before); dead, revoked, expired → raises ``TaskException``; still waiting →
    None, or with ``blocking`` a wait; no such job → raises ``UnknownJob``.

    It pickles where its ``huey`` does, with the value if it has read one, and without ``task``.
    """

    def __init__(self, huey: Huey, task: Task | str, seq: int | None = None) -> None:
        self.huey = huey
        self.task = task if isinstance(task, Task) else None
        self.id: str = task.id if isinstance(task, Task) else task
        self._seq = seq
        self._value: Any = _MISSING

    def __repr__(self) -> str:
        return f"<Result: task {self.id}>"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "task": None}

    def found(self, stored: Enqueued) -> None:
        """Become the handle of the job that stands for the call, which may be an older one."""
        self._seq = stored.seq
        if stored.id != self.id:
            self.id = stored.id
            if self.task is not None:
                self.task.id = stored.id

    def get(
        self,
        blocking: bool = False,
        timeout: float | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
        revoke_on_timeout: bool = False,
        preserve: bool = False,
    ) -> R | None:
        """The value, see the class. ``timeout`` in seconds raises ``ResultTimeout``; ``preserve``
        leaves the value for other handles. ``backoff`` and ``max_delay`` are Huey's and steer
        nothing: a waiter is woken by the file itself."""
        if not self._settle(preserve):
            if not blocking:
                return None
            if not self.wait(timeout) or not self._settle(preserve):
                if revoke_on_timeout:
                    self.revoke()
                raise self._too_late(timeout)
        return self._outcome()

    __call__ = get

    def get_raw_result(
        self,
        blocking: bool = False,
        timeout: float | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
        revoke_on_timeout: bool = False,
        preserve: bool = False,
    ) -> R | Error | None:
        """As ``get``; the error of a job that did not end well is returned, not raised."""
        try:
            return self.get(blocking, timeout, backoff, max_delay, revoke_on_timeout, preserve)
        except TaskException as failure:
            if failure is not self._value:
                raise
            return Error(failure.metadata)

    async def aget(
        self,
        timeout: float | None = None,
        preserve: bool = False,
        revoke_on_timeout: bool = False,
    ) -> R:
        """A blocking ``get`` for an event loop, which goes on meanwhile; thousands may wait. Raises
        what ``get`` raises. A caller that is cancelled leaves nothing behind."""
        if self._value is _MISSING and not await self.huey.wait_on_loop(self, timeout, preserve):
            if revoke_on_timeout:
                import asyncio

                await asyncio.to_thread(self.revoke)
            raise self._too_late(timeout)
        return cast("R", self._outcome())

    def __await__(self) -> Generator[Any, None, R]:
        """``await result``: the value as soon as the job is over, see ``aget``."""
        return self.aget().__await__()

    def _outcome(self) -> R | None:
        if isinstance(self._value, TaskException):
            raise self._value
        return cast("R | None", self._value)

    def _too_late(self, timeout: float | None) -> ResultTimeout:
        return ResultTimeout(f"job {self.id} did not end within {timeout} s")

    def _settle(self, preserve: bool) -> bool:
        """Whether the handle has the outcome, read now if it had not."""
        return self._value is not _MISSING or self._fetch(preserve)

    def _fetch(self, preserve: bool) -> bool:
        """Read the outcome into the handle; False when there is none yet."""
        row = self._row()
        if row.state not in FINAL:
            return False
        # Decoded before it is taken: what cannot be read here stays for those who can.
        value = None if row.result is None else self.huey.serializer.deserialize(row.result)
        takes = not preserve and not self.huey.keeps_results
        if row.taken is False and takes and self._row(preserve=False).result is None:
            value = None
        if row.state is State.DONE:
            self._value = value
        elif isinstance(value, dict):
            self._value = TaskException(value)
        else:
            self._value = TaskException(self.huey.error_of(self.id, row))
        return True

    def _row(self, preserve: bool = True) -> ResultRow:
        row = self.huey.storage.result(self.id, preserve=preserve)
        if row is None:
            raise UnknownJob(f"there is no job {self.id} in queue {self.huey.name}")
        self._seq = row.seq
        return row

    @property
    def seq(self) -> int:
        """The job's short number, the one that people type."""
        return self._row().seq if self._seq is None else self._seq

    @property
    def state(self) -> State:
        """Where the job is now. Raises ``UnknownJob`` when it was purged."""
        return self._row().state

    def is_ready(self) -> bool:
        """Whether ``get`` has an outcome to give."""
        return self._value is not _MISSING or self.is_complete()

    def is_complete(self) -> bool:
        """Whether the job is over, well or not."""
        return self._row().state in FINAL

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until the job is over; False when ``timeout`` seconds passed first."""
        return wait_for(self.huey.storage, self.id, timeout)

    def reset(self) -> None:
        """Forget what this handle has read, so that ``get`` asks again."""
        self._value = _MISSING

    def is_revoked(self) -> bool:
        return self.huey.is_revoked(self)

    def revoke(
        self,
        revoke_once: bool = True,
        reason: str | None = None,
        revoke_until: When | None = None,
        terminate: bool = False,
    ) -> None:
        """A waiting job ends revoked now; a running one is asked to stop, and with ``terminate``
        interrupted if it runs in a worker process (``KeyboardInterrupt``)."""
        self.huey.revoke_by_id(self.id, revoke_until, revoke_once, reason, terminate)

    def restore(self) -> bool:
        """Take ``revoke`` back; False when the job was not revoked."""
        return self.huey.restore_by_id(self.id)

    def reschedule(
        self,
        eta: datetime | None = None,
        delay: Seconds | None = None,
        expires: When | None = None,
        priority: float | None = None,
    ) -> Result[R]:
        """Give the waiting job another time and priority (no time: now). The job and its id stay
        the same, where Huey revokes it and makes a copy. Of a job that is over a copy is enqueued,
        as in Huey, and the handle of that is returned; one that runs stays as it is."""
        run_at = posix(eta, delay)
        changed = self.huey.reschedule(
            self.id,
            run_at=clock.now() if run_at is None else run_at,
            priority=priority,
            expires_at=expires.timestamp() if isinstance(expires, datetime) else None,
            expires_in=None if isinstance(expires, datetime) else seconds(expires),
        )
        if changed.changed or not self.is_complete():
            return self
        return self.huey.enqueue_again(self, run_at=run_at, expires=expires, priority=priority)


#: What enqueueing answers with: the handle of one job, or of several.
Handle: TypeAlias = "Result[Any] | ResultGroup | ChordResult"


class ResultGroup:
    """The handles of several jobs: of all stages of a pipeline, of the members of a group (each of
    which may be a handle of several jobs again)."""

    def __init__(self, results: Sequence[Handle]) -> None:
        self._results = list(results)

    def __repr__(self) -> str:
        return f"<ResultGroup of {len(self._results)}>"

    def get(
        self,
        blocking: bool = False,
        timeout: float | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
        revoke_on_timeout: bool = False,
        preserve: bool = False,
    ) -> list[Any]:
        """The values in order; ``timeout`` seconds are for all of them together."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        values = []
        for result in self._results:
            left = None if deadline is None else max(0.0, deadline - clock.monotonic())
            values.append(
                result.get(blocking, left, backoff, max_delay, revoke_on_timeout, preserve)
            )
        return values

    __call__ = get

    async def aget(self, timeout: float | None = None, preserve: bool = False) -> list[Any]:
        """The values in order, awaited together. Raises as soon as one job has failed, or when
        ``timeout`` seconds are over."""
        import asyncio

        waits = [asyncio.ensure_future(result.aget(timeout, preserve)) for result in self._results]
        try:
            return await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()

    def __await__(self) -> Generator[Any, None, list[Any]]:
        """``await group``: all values, see ``aget``."""
        return self.aget().__await__()

    def __getitem__(self, index: int) -> Any:
        return self._results[index].get(True)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def is_ready(self) -> bool:
        """Whether all have an outcome to give."""
        return all(result.is_ready() for result in self._results)

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until all are over; False when ``timeout`` seconds passed first."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        for result in self._results:
            left = None if deadline is None else max(0.0, deadline - clock.monotonic())
            if not result.wait(left):
                return False
        return True

    def reset(self) -> None:
        """Forget what the handles have read, so that ``get`` asks again."""
        for result in self._results:
            result.reset()

    def revoke(self, reason: str | None = None) -> None:
        """All that wait end revoked now, in one transaction; those that run are asked to stop."""
        _revoke(self._flat(), reason)

    def _flat(self) -> list[Result[Any]]:
        found: list[Result[Any]] = []
        work: list[Handle] = [self]
        while work:
            handle = work.pop()
            if isinstance(handle, Result):
                found.append(handle)
            elif isinstance(handle, ResultGroup):
                work.extend(handle._results)
            else:
                work.extend(handle._jobs)
        return found

    def as_completed(
        self, backoff: float = 1.15, max_delay: float = 1.0, *, timeout: float | None = None
    ) -> Iterator[Any]:
        """Values in the order in which the jobs end. Raises ``ResultTimeout`` after ``timeout``
        seconds. ``backoff`` and ``max_delay`` are Huey's and steer nothing, as in ``get``."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        open_ = list(self._results)
        while open_:
            for result in [result for result in open_ if result.is_ready()]:
                open_.remove(result)
                yield result.get()
            if open_:
                left = None if deadline is None else deadline - clock.monotonic()
                if left is not None and left <= 0:
                    raise ResultTimeout(f"{len(open_)} jobs did not end within {timeout} s")
                open_[0].wait(0.02 if left is None else min(0.02, left))


class ChordResult:
    """The handle of a chord: ``results`` of the members, ``callback``, and when stages come after
    the callback ``pipeline_results`` of it and of those."""

    def __init__(
        self,
        results: ResultGroup,
        callback: Result[Any],
        pipeline_results: ResultGroup | None = None,
        jobs: Sequence[Result[Any]] = (),
    ) -> None:
        #: Everything, also the inner stages of members.
        self._jobs = jobs or (*results, callback)
        self.results = results
        self.callback = callback
        self.pipeline_results = pipeline_results

    def __repr__(self) -> str:
        return f"<ChordResult: task {self.callback.id} after {len(self.results)}>"

    def get(
        self,
        blocking: bool = False,
        timeout: float | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
        revoke_on_timeout: bool = False,
        preserve: bool = False,
    ) -> Any:
        """The value of the callback, see ``Result.get``."""
        return self.callback.get(blocking, timeout, backoff, max_delay, revoke_on_timeout, preserve)

    __call__ = get

    async def aget(
        self, timeout: float | None = None, preserve: bool = False, revoke_on_timeout: bool = False
    ) -> Any:
        """The value of the callback, awaited; see ``Result.aget``."""
        return await self.callback.aget(timeout, preserve, revoke_on_timeout)

    def __await__(self) -> Generator[Any, None, Any]:
        """``await result``: the value of the callback, see ``aget``."""
        return self.aget().__await__()

    def is_ready(self) -> bool:
        """Whether the callback has an outcome to give."""
        return self.callback.is_ready()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until the callback is over; False when ``timeout`` seconds passed first."""
        return self.callback.wait(timeout)

    def reset(self) -> None:
        """Forget what the callback's handle has read."""
        self.callback.reset()

    def revoke(self, reason: str | None = None) -> None:
        """The callback and all members that wait end revoked now, in one transaction; those that
        run are asked to stop."""
        ResultGroup([self]).revoke(reason)


def _revoke(results: Sequence[Result[Any]], reason: str | None) -> None:
    if results:
        huey = results[0].huey
        ids = tuple(result.id for result in results)
        huey.storage.revoke(Selector(queues=(huey.name,), keys=ids), reason)

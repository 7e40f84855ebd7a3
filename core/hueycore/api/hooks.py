"""Signal receivers and hooks, with Huey's names, and the signals that are sent to receivers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hueycore import signals as S
from hueycore.api.part import Part
from hueycore.exceptions import StorageError
from hueycore.model.endings import Completed, Done, Retry
from hueycore.model.jobs import Claim, JobRef
from hueycore.model.states import State
from hueycore.signals import Receiver
from hueycore.system.deferred import check_callback
from hueycore.tasks.task import Task

if TYPE_CHECKING:
    from hueycore.runs.finished import Finished
    from hueycore.runs.hooks import Hook

logger = logging.getLogger("hueycore")

F = TypeVar("F", bound=Callable[..., Any])


#: Signals that say that the job will run again.
_ANOTHER_RUN = (S.SIGNAL_RETRYING, S.SIGNAL_SCHEDULED, S.SIGNAL_ENQUEUED)
#: Those that come when the job is in the queue again.
_COMING = (S.SIGNAL_SCHEDULED, S.SIGNAL_ENQUEUED)


class Hooks(Part):
    """Part of ``Huey``: what an application has called when something happens."""

    pre_execute_hooks: dict[str, Hook]
    post_execute_hooks: dict[str, Hook]
    startup_hooks: dict[str, Hook]
    shutdown_hooks: dict[str, Hook]

    def signal(self, *signals: str | Receiver) -> Callable[[F], F]:
        """Decorator: call the function as ``f(signal, task, …)`` for these signals, or for all.
        Also without the ``@``: ``huey.signal(SIGNAL_SUCCESS, f)``."""
        names = [signal for signal in signals if isinstance(signal, str)]

        def decorator(receiver: F) -> F:
            self.signals.connect(receiver, *names)
            return receiver

        for receiver in signals:
            if callable(receiver):
                self.signals.connect(receiver, *names)
        return decorator

    def disconnect_signal(self, receiver: Receiver, *signals: str) -> None:
        """Undo ``signal``."""
        self.signals.disconnect(receiver, *signals)

    def _emit(self, signal: str, task: Task, *args: Any) -> None:
        """Send a signal to its receivers. Every signal goes this way, as in Huey: a subclass may
        override it."""
        self.signals.send(signal, task, *args)

    @property
    def hears_all(self) -> bool:
        """Whether a subclass overrides ``_emit``."""
        return type(self)._emit is not Hooks._emit

    @property
    def listening(self) -> bool:
        """Whether anybody wants to know of any signal."""
        return self.signals.listening or self.hears_all

    def wants(self, *signals: str) -> bool:
        """Whether anybody wants to know of one of these signals."""
        return self.signals.wanted(*signals) or self.hears_all

    def send_signals(self, signal: str, jobs: Sequence[JobRef], *args: Any) -> None:
        """Send a signal for jobs that changed without a run; read only if somebody listens."""
        if jobs and self.wants(signal):
            for ref in jobs:
                task = self._huey._task_of_ref(ref)
                if task is not None:
                    self._emit(signal, task, *args)

    def send_finished(
        self, finished: Finished, *, lost: bool, stopped: bool, unwritable: str | None = None
    ) -> None:
        """Send the signals of an ending that is committed, or that its claim was lost.
        ``stopped``: the job had been asked to stop, so that no run follows; it is revoked.
        ``unwritable``: why the ending could not be written; the job is dead."""
        claim: Claim = finished.ended.claim
        ref = JobRef(claim.seq, claim.id, claim.task)
        if unwritable is not None:
            logger.error("job %s of %s is dead (unwritable): %s", ref.seq, ref.task, unwritable)
            self.send_signals(S.SIGNAL_FINAL_ERROR, [ref], StorageError(unwritable))
            return
        if lost:
            self.send_signals(S.SIGNAL_CLAIM_LOST, [ref])
            return
        ending = finished.ended.ending
        if isinstance(ending, Completed) and not isinstance(ending.otherwise, Done):
            # It failed after it had completed itself: the row says which of the two counts.
            row = self.storage.result(claim.id, preserve=True)
            if row is not None and row.state is State.DONE:
                self._emit(S.SIGNAL_COMPLETE, finished.notices[0].task)
                return
        for notice in finished.notices:
            if notice.signal in _COMING and isinstance(ending, Retry):
                _show_coming(notice.task, ending)
            if not (stopped and notice.signal in _ANOTHER_RUN):
                args = () if notice.error is None else (notice.error,)
                self._emit(notice.signal, notice.task, *args)
        if stopped:
            self.send_signals(S.SIGNAL_REVOKED, [ref])

    # --- hooks --------------------------------------------------------------------------------

    def pre_execute(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: call ``f(task)`` before each run; ``CancelExecution`` prevents it."""
        return _adder(self.pre_execute_hooks, name)

    def post_execute(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: call ``f(task, value, exception)`` after each run, before its commit."""
        return _adder(self.post_execute_hooks, name)

    def on_startup(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: call ``f()`` when a worker begins."""
        return _adder(self.startup_hooks, name)

    def on_shutdown(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: call ``f()`` when a worker ends."""
        return _adder(self.shutdown_hooks, name)

    def unregister_pre_execute(self, name: str | Hook) -> bool:
        return _remove(self.pre_execute_hooks, name)

    def unregister_post_execute(self, name: str | Hook) -> bool:
        return _remove(self.post_execute_hooks, name)

    def unregister_on_startup(self, name: str | Hook) -> bool:
        return _remove(self.startup_hooks, name)

    def unregister_on_shutdown(self, name: str | Hook) -> bool:
        return _remove(self.shutdown_hooks, name)


def _show_coming(task: Task, ending: Retry) -> None:
    """Let the job's object say what the job is now that it waits for a retry."""
    task.retries, task.retry_delay = ending.retries, ending.retry_delay
    if ending.run_at is not None:
        task.run_at = ending.run_at


def _adder(hooks: dict[str, Hook], name: str | None) -> Callable[[F], F]:
    def decorator(hook: F) -> F:
        check_callback(hook)
        hooks[name or str(getattr(hook, "__name__", repr(hook)))] = hook
        return hook

    return decorator


def _remove(hooks: dict[str, Hook], name: str | Hook) -> bool:
    key = name if isinstance(name, str) else str(getattr(name, "__name__", repr(name)))
    return hooks.pop(key, None) is not None

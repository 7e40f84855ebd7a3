"""Run one claimed job and say what became of it. Nothing here touches the storage."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from hueycore import clock
from hueycore import signals as S
from hueycore.completing import Completion
from hueycore.coroutines import Coroutines, LoopPerRun, run_coroutine
from hueycore.ending import Dead, Done, Ending, Expired, Failure, Released, Retry, Revoked, Snoozed
from hueycore.exceptions import (
    CancelExecution,
    RateLimitExceeded,
    RetryTask,
    SerializationError,
    TaskLockedException,
    TaskTimeout,
    UnknownTask,
)
from hueycore.failures import brief_failure, failure_of, log_failure
from hueycore.limits import Limiter, limited
from hueycore.logs import run_of_this_context
from hueycore.notes import Notebook, Notes
from hueycore.registry import Registry
from hueycore.retry import (
    NOT_FOUND,
    UNKNOWN_TASK_PATIENCE,
    next_delay,
    unknown_task_delay,
    verdict,
)
from hueycore.serializer import Serializer, describe
from hueycore.storage.base import Claim, Ended, Said
from hueycore.task import Task
from hueycore.times import Seconds, posix, seconds
from hueycore.wrapper import TaskWrapper

logger = logging.getLogger("hueycore.execute")

#: Seconds and numbers of retries beyond it are mistakes.
FAR = 1e15

Hook = Callable[..., Any]


class Notice(NamedTuple):
    """A signal to send once the ending is committed."""

    signal: str
    task: Task
    error: BaseException | None = None


class Finished(NamedTuple):
    """A run that is over: what to write, and whom to tell afterwards."""

    ended: Ended
    notices: tuple[Notice, ...] = ()
    value: Any = None


class Application(Protocol):
    """What a run needs of a Huey instance."""

    registry: Registry
    serializer: Serializer
    signals: S.Signal
    results: bool
    store_none: bool
    notes: Notes
    pre_execute_hooks: dict[str, Hook]
    post_execute_hooks: dict[str, Hook]

    def task_to_run(self, path: str) -> TaskWrapper[Any, Any]: ...
    def unknown_since(self, claim: Claim) -> float | None: ...
    def build_error_result(self, task: Task, exception: BaseException) -> dict[str, Any]: ...
    def complete_job(self, connection: Any, ended: Ended) -> None: ...


class Executor:
    """Runs the claims of one application. Stateless between runs, shared by all workers."""

    def __init__(
        self,
        app: Application,
        limiter: Limiter | None = None,
        coroutines: Coroutines | None = None,
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._coroutines = coroutines or LoopPerRun()

    def leave(self) -> None:
        """The worker that calls this runs nothing more."""
        self._coroutines.leave()

    def run(self, claim: Claim) -> Finished:
        """From claim to ending. Never raises, whatever the task does."""
        before = run_of_this_context.set(claim)
        try:
            return self._run(claim)
        except BaseException as error:
            # sys.exit() while arguments are read, a RetryTask with an impossible eta …: the worker
            # must not die of it with the claim in its hands, nor try the job for ever.
            logger.exception("job %s of %s cannot be run", claim.seq, claim.task)
            if isinstance(error, KeyboardInterrupt) and not claim.at_most_once:
                return Finished(Ended(claim, Released()))
            return Finished(Ended(claim, Dead("failed", failure_of(error)), clock.now()))
        finally:
            run_of_this_context.reset(before)

    def _run(self, claim: Claim) -> Finished:
        app = self._app
        try:
            wrapper = app.registry.get(claim.task) or app.task_to_run(claim.task)
        except UnknownTask as error:
            return self._unknown(claim, error)
        try:
            if claim.payload is None:
                raise SerializationError("the payload is missing")
            args, kwargs = app.serializer.deserialize(claim.payload)
            args = tuple(args)
        except Exception as error:
            logger.error("job %s of %s cannot be read: %s", claim.seq, claim.task, describe(error))
            return Finished(Ended(claim, Dead("unreadable", failure_of(error)), clock.now()))
        plain = wrapper.plain and not (
            claim.timeout
            or app.pre_execute_hooks
            or app.post_execute_hooks
            or app.signals.listening
            or logger.isEnabledFor(logging.INFO)
        )
        if plain and (claim.expires_at is None or claim.expires_at > clock.now()):
            return self._run_plain(wrapper, claim, args, kwargs)
        return self._run_whole(Task.of_claim(wrapper, claim, args, kwargs), claim)

    def _run_plain(
        self,
        wrapper: TaskWrapper[Any, Any],
        claim: Claim,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Finished:
        """The short way for a task that nobody watches: no job object unless it fails."""
        started, clock0 = clock.now(), clock.monotonic()
        try:
            value = wrapper.func(*args, **kwargs)
            result = self._result(value, claim.scheduled_for is not None)
        except BaseException as error:
            task = Task.of_claim(wrapper, claim, args, kwargs)
            return self._failed(task, claim, error, started, clock.monotonic() - clock0)
        return Finished(Ended(claim, Done(result), started, clock.monotonic() - clock0), (), value)

    def _run_whole(self, task: Task, claim: Claim) -> Finished:
        if claim.expires_at is not None and claim.expires_at <= clock.now():
            logger.info("job %s of %s has expired", claim.seq, claim.task)
            return Finished(Ended(claim, Expired()), (Notice(S.SIGNAL_EXPIRED, task),))
        logger.info("job %s of %s begins, attempt %s", claim.seq, claim.task, claim.attempt)
        self._app.signals.send(S.SIGNAL_EXECUTING, task)
        try:
            self._pre_execute(task)
        except CancelExecution as error:
            ending = Revoked("canceled", failure=brief_failure(error))
            return Finished(Ended(claim, ending), (Notice(S.SIGNAL_CANCELED, task),))
        notebook = self._notebook(task, claim)
        started, clock0 = clock.now(), clock.monotonic()
        periodic = claim.scheduled_for is not None
        completion = Completion(
            claim, started, clock0, lambda v: self._result(v, periodic), self._app.complete_job
        )
        task._complete = completion
        try:
            value = self._call(task, clock0)
            result = self._result(value, periodic)
        except BaseException as error:
            run_s = clock.monotonic() - clock0
            said = self._app.notes.close(notebook) if notebook else None
            self._post_execute(task, None, error)
            finished = self._failed(task, claim, error, started, run_s, said)
            return finished._replace(ended=completion.over(finished.ended))
        run_s = clock.monotonic() - clock0
        said = self._app.notes.close(notebook) if notebook else None
        logger.info(
            "job %s of %s is done in %.3f s", claim.seq, claim.task, run_s,
            extra={"duration": round(run_s, 6)},
        )  # fmt: skip
        self._post_execute(task, value, None)
        notices = (Notice(S.SIGNAL_COMPLETE, task),)
        ended = completion.over(Ended(claim, Done(result), started, run_s, said))
        return Finished(ended, notices, value)

    def _notebook(self, task: Task, claim: Claim) -> Notebook | None:
        """Only for a run that can say something of itself."""
        wrapper = task.wrapper
        if not wrapper.options.context and wrapper.log_level is None:
            return None
        notebook = self._app.notes.open(claim, wrapper.log_level)
        task._report = notebook.report
        return notebook

    def call(self, task: Task, *, hooks: bool = True) -> Any:
        """Run a task that no storage knows, as ``hueyctl run`` does: its value, or what it
        raises."""
        if hooks:
            self._pre_execute(task)
        value, error = None, None
        try:
            value = self._call(task, clock.monotonic())
            return value
        except BaseException as raised:
            error = raised
            raise
        finally:
            if hooks:
                self._post_execute(task, value, error)

    def _call(self, task: Task, clock0: float) -> Any:
        wrapper, limiter, timeout = task.wrapper, self._limiter, task.timeout
        kwargs = dict(task.kwargs, task=task) if wrapper.options.context else task.kwargs
        if timeout:
            task._deadline = clock0 + timeout
        if wrapper.is_async:
            call = partial(wrapper.func, *task.args, **kwargs)
            return run_coroutine(self._coroutines, limiter, call, timeout or None)
        if not timeout or limiter is None:
            return wrapper.func(*task.args, **kwargs)
        return limited(
            limiter, limiter.prepare(timeout), partial(wrapper.func, *task.args, **kwargs)
        )

    def _result(self, value: Any, periodic: bool) -> bytes | None:
        app = self._app
        if not app.results or periodic or (value is None and not app.store_none):
            return None
        return app.serializer.serialize(value)

    # --- failing ------------------------------------------------------------------------------

    def _failed(
        self,
        task: Task,
        claim: Claim,
        error: BaseException,
        started: float,
        run_s: float,
        said: Said | None = None,
    ) -> Finished:
        ending, signals = self._ending_of(task, claim, error)
        if isinstance(ending, Retry | Snoozed):
            _check_again(ending)
        notices = tuple(
            Notice(signal, task, error if signal == S.SIGNAL_ERROR else None) for signal in signals
        )
        log_failure(claim, error, ending, run_s)
        return Finished(Ended(claim, ending, started, run_s, said), notices)

    def _ending_of(
        self, task: Task, claim: Claim, error: BaseException
    ) -> tuple[Ending, tuple[str, ...]]:
        """The ending of a failed run, and Huey's sequence of signals for it."""
        match error:
            case KeyboardInterrupt():
                if claim.at_most_once:
                    return self._dead(task, error, "interrupted"), (S.SIGNAL_INTERRUPTED,)
                return Released(), (S.SIGNAL_INTERRUPTED,)
            case RetryTask():
                return self._asked_again(task, error)
            case CancelExecution():
                if error.retry or (error.retry is None and task.retries):
                    ending, signals = self._retry(task, error, max(task.retries, 1))
                    return ending, (S.SIGNAL_CANCELED, *signals)
                result, failure = self._error_result(task, error), brief_failure(error)
                return Revoked("canceled", result, failure), (S.SIGNAL_CANCELED,)
            case RateLimitExceeded() if error.retry:
                run_at = error.run_at
                if run_at is None:
                    run_at = clock.now() + (task.retry_delay or error.delay)
                ending = Snoozed(run_at, brief_failure(error))
                return ending, (S.SIGNAL_RATE_LIMITED, S.SIGNAL_RETRYING, S.SIGNAL_SCHEDULED)
            case RateLimitExceeded():
                return self._retry_or_die(task, error, "rate-limited", S.SIGNAL_RATE_LIMITED)
            case TaskLockedException():
                return self._retry_or_die(task, error, "locked", S.SIGNAL_LOCKED)
            case TaskTimeout():
                return self._retry_or_die(task, error, "timeout", S.SIGNAL_TIMEOUT)
        return self._retry_or_die(task, error, "failed", S.SIGNAL_ERROR)

    def _asked_again(self, task: Task, error: RetryTask) -> tuple[Ending, tuple[str, ...]]:
        run_at = posix(error.eta, error.delay)
        if not error.count:
            snoozed = Snoozed(run_at or clock.now() + task.retry_delay, brief_failure(error))
            return snoozed, (S.SIGNAL_RETRYING, S.SIGNAL_SCHEDULED)
        if run_at is None:
            return self._retry(task, error, task.retries + 1)
        # A time of the task's own leaves the delay of its retries as it is.
        again = Retry(run_at, task.retries, task.retry_delay, failure_of(error))
        return again, (S.SIGNAL_RETRYING, S.SIGNAL_SCHEDULED)

    def _retry_or_die(
        self, task: Task, error: BaseException, reason: str, signal: str
    ) -> tuple[Ending, tuple[str, ...]]:
        again = task.retries > 0 and self._may_retry(task, error, reason)
        if again is not False:
            delay = None if again is True else seconds(again)
            ending, signals = self._retry(task, error, task.retries, delay)
            return ending, (signal, *signals)
        if signal == S.SIGNAL_ERROR:
            signal = S.SIGNAL_FINAL_ERROR
        return self._dead(task, error, reason), (signal,)

    def _may_retry(self, task: Task, error: BaseException, reason: str) -> Seconds | bool:
        options = task.wrapper.options
        # A lock or a limit held it back: that says nothing about the task, unless it is named.
        retry_on = options.retry_on if reason in ("failed", "timeout") else None
        return verdict(task, error, retry_on, options.never_on)

    def _retry(
        self, task: Task, error: BaseException, retries: int, delay: float | None = None
    ) -> tuple[Ending, tuple[str, ...]]:
        """``delay`` is for this once, and leaves that of the coming retries as it is."""
        coming, policy = task.retry_delay, task.wrapper.options.backoff
        if delay is None:
            delay = task.retry_delay
            coming = next_delay(delay, task.retry_backoff, policy)
            if policy is not None:
                delay = policy.spread(policy.limit(delay), task.id, task.attempt)
        run_at = clock.now() + delay if delay else None
        then = S.SIGNAL_ENQUEUED if run_at is None else S.SIGNAL_SCHEDULED
        return Retry(run_at, retries - 1, coming, failure_of(error)), (S.SIGNAL_RETRYING, then)

    def _dead(self, task: Task, error: BaseException, reason: str) -> Dead:
        return Dead(reason, failure_of(error), self._error_result(task, error))

    def _error_result(self, task: Task, error: BaseException) -> bytes | None:
        if not self._app.results:
            return None
        try:
            return self._app.serializer.serialize(self._app.build_error_result(task, error))
        except Exception as second:
            logger.error("the error of job %s cannot be stored: %s", task, describe(second))
            return None

    def _unknown(self, claim: Claim, error: UnknownTask) -> Finished:
        """Another release may know this task: put back uncounted for ten minutes, then dead."""
        now, since = clock.now(), self._app.unknown_since(claim)
        waited = 0.0 if since is None else now - since
        if waited < UNKNOWN_TASK_PATIENCE:
            logger.warning("job %s: %s", claim.seq, error)
            first = Failure(NOT_FOUND, str(error), "") if since is None else None
            return Finished(Ended(claim, Snoozed(now + unknown_task_delay(waited), first)))
        logger.error("job %s: %s; it is dead now", claim.seq, error)
        return Finished(Ended(claim, Dead("unknown-task", Failure("UnknownTask", str(error), ""))))

    # --- hooks --------------------------------------------------------------------------------

    def _pre_execute(self, task: Task) -> None:
        for name, hook in self._app.pre_execute_hooks.items():
            try:
                hook(task)
            except CancelExecution:
                logger.warning("job %s cancelled by pre-execute hook %s", task, name)
                raise
            except Exception:
                logger.exception("pre-execute hook %s failed for job %s", name, task)

    def _post_execute(self, task: Task, value: Any, error: BaseException | None) -> None:
        for name, hook in self._app.post_execute_hooks.items():
            try:
                hook(task, value, error)
            except BaseException:
                logger.exception("post-execute hook %s failed for job %s", name, task)


def _check_again(ending: Retry | Snoozed) -> None:
    """A task may change its ``retries`` and ``retry_delay``: to something that a row can hold, or
    its ending could never be written, nor any that waits with it."""
    retries, delay = (
        (0, 0.0) if isinstance(ending, Snoozed) else (ending.retries, ending.retry_delay)
    )
    sane = 0 <= retries < FAR and float(retries).is_integer() and 0 <= delay < FAR
    if not (sane and abs(ending.run_at or 0) < FAR):
        raise ValueError(
            f"cannot run again with retries={retries}, retry_delay={delay} at {ending.run_at}"
        )

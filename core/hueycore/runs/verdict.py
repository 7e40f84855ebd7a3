"""What a run that raised becomes: a retry, a dead letter, a snooze … and the signals of it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from hueycore import signals as S
from hueycore.calendar.durations import Seconds, posix, seconds
from hueycore.exceptions import (
    CancelExecution,
    RateLimitExceeded,
    ResultTooLarge,
    RetryTask,
    TaskLockedException,
    TaskTimeout,
)
from hueycore.model.endings import Dead, Ending, Failure, Released, Retry, Revoked, Snoozed
from hueycore.model.jobs import Claim
from hueycore.model.retry import next_delay, verdict
from hueycore.runs.coroutines import Scarcity
from hueycore.runs.inputs import EXCEPTION
from hueycore.runs.timeouts import AskedToStop
from hueycore.serializer import Serializer, describe
from hueycore.system import clock
from hueycore.tasks.task import Task

logger = logging.getLogger("hueycore.execute")

#: Seconds until the next try of a run that could not begin.
RUN_AGAIN = 1.0
#: Seconds and numbers of retries beyond it are mistakes.
FAR = 1e15
#: Characters of a traceback that a row keeps, the end of it.
KEPT_TRACEBACK = 8000
KEPT_MESSAGE = 1000


class Application(Protocol):
    """What is asked of a Huey instance about a failure."""

    serializer: Serializer
    results: bool
    max_payload: int

    def build_error_result(self, task: Task, exception: BaseException) -> dict[str, Any]: ...
    def is_handled(self, claim: Claim) -> bool: ...


class Verdict:
    """How one application judges the failures of its runs."""

    def __init__(self, app: Application, is_stopping: Callable[[], bool]) -> None:
        self._app = app
        self._is_stopping = is_stopping

    def ending_of(
        self, task: Task, claim: Claim, error: BaseException
    ) -> tuple[Ending, tuple[str, ...]]:
        """The ending of a failed run, and Huey's sequence of signals for it. Raises ValueError for
        one that cannot be written."""
        ending, signals = self._judge(task, claim, error)
        if isinstance(ending, Retry | Snoozed):
            _check_again(ending)
        return ending, signals

    def _judge(
        self, task: Task, claim: Claim, error: BaseException
    ) -> tuple[Ending, tuple[str, ...]]:
        match error:
            case KeyboardInterrupt() if self._is_stopping():
                if claim.at_most_once:
                    return self._dead(task, error, "interrupted"), (S.SIGNAL_INTERRUPTED,)
                return Released(), (S.SIGNAL_INTERRUPTED,)
            case Scarcity():
                return _snoozed(error, None, RUN_AGAIN), ()
            case AskedToStop():
                return Revoked(), (S.SIGNAL_REVOKED,)
            case RetryTask():
                return self._asked_again(task, error)
            case CancelExecution():
                if error.retry or (error.retry is None and task.retries):
                    ending, signals = self._retry(task, error, max(task.retries, 1))
                    return ending, (S.SIGNAL_CANCELED, *signals)
                result, cause = self._error_result(task, error), self._cause(task, error)
                return Revoked("canceled", result, brief_failure(error), cause), (
                    S.SIGNAL_CANCELED,
                )
            case RateLimitExceeded() if error.retry:
                snoozed = _snoozed(error, error.run_at, task.retry_delay or error.delay)
                return snoozed, (S.SIGNAL_RATE_LIMITED, S.SIGNAL_RETRYING, S.SIGNAL_SCHEDULED)
            case RateLimitExceeded():
                slot = None if task.retry_delay else error.delay
                return self._retry_or_die(task, error, "rate-limited", S.SIGNAL_RATE_LIMITED, slot)
            case ResultTooLarge():
                return self._dead(task, error, "failed"), (S.SIGNAL_FINAL_ERROR,)
            case TaskLockedException():
                return self._retry_or_die(task, error, "locked", S.SIGNAL_LOCKED)
            case TaskTimeout():
                return self._retry_or_die(task, error, "timeout", S.SIGNAL_TIMEOUT)
        return self._retry_or_die(task, error, "failed", S.SIGNAL_ERROR)

    def _asked_again(self, task: Task, error: RetryTask) -> tuple[Ending, tuple[str, ...]]:
        run_at, delay = posix(error.eta, error.delay), seconds(error.delay)
        if not error.count:
            moment = None if error.eta is None else run_at
            snoozed = _snoozed(error, moment, task.retry_delay if delay is None else delay)
            return snoozed, (S.SIGNAL_RETRYING, S.SIGNAL_SCHEDULED)
        if run_at is None:
            return self._retry(task, error, task.retries + 1)
        # A time that the task gives does not change the delay of its retries.
        again = Retry(run_at, task.retries, task.retry_delay, failure_of(error), delay or 0)
        return again, (S.SIGNAL_RETRYING, S.SIGNAL_SCHEDULED)

    def _retry_or_die(
        self,
        task: Task,
        error: BaseException,
        reason: str,
        signal: str,
        wait: float | None = None,
    ) -> tuple[Ending, tuple[str, ...]]:
        """``wait``: seconds before the next run, where the task's options do not say it."""
        again = task.retries > 0 and self._may_retry(task, error, reason)
        if again is not False:
            delay = wait if again is True else seconds(again)
            ending, signals = self._retry(task, error, task.retries, delay)
            return ending, (signal, *signals)
        if signal == S.SIGNAL_ERROR:
            signal = S.SIGNAL_FINAL_ERROR
        return self._dead(task, error, reason), (signal,)

    def _may_retry(self, task: Task, error: BaseException, reason: str) -> Seconds | bool:
        options = task.wrapper.options
        # A lock or a limit is no failure of the task: only ``never_on`` counts.
        retry_on = options.retry_on if reason in ("failed", "timeout") else None
        return verdict(task, error, retry_on, options.never_on)

    def _retry(
        self, task: Task, error: BaseException, retries: int, delay: float | None = None
    ) -> tuple[Ending, tuple[str, ...]]:
        """``delay`` is for this retry alone; the later ones have the task's."""
        coming, policy = task.retry_delay, task.wrapper.options.backoff
        if delay is None:
            delay = task.retry_delay
            coming = next_delay(delay, task.retry_backoff, policy)
            if policy is not None:
                delay = policy.spread(policy.limit(delay), task.id, task.attempt)
        run_at = clock.now() + delay if delay else None
        then = S.SIGNAL_ENQUEUED if run_at is None else S.SIGNAL_SCHEDULED
        ending = Retry(run_at, retries - 1, coming, failure_of(error), delay or 0)
        return ending, (S.SIGNAL_RETRYING, then)

    def _dead(self, task: Task, error: BaseException, reason: str) -> Dead:
        result, cause = self._error_result(task, error), self._cause(task, error)
        return Dead(reason, failure_of(error), result, cause)

    def _cause(self, task: Task, error: BaseException) -> bytes | None:
        """What an error handler is called with: the exception itself if it can be written and
        read, else the metadata of a ``TaskException``."""
        app = self._app
        try:
            if task._claim is None or not app.is_handled(task._claim):
                return None
            metadata = app.build_error_result(task, error)
            try:
                whole = self._fitting({**metadata, EXCEPTION: error})
                if isinstance(app.serializer.deserialize(whole)[EXCEPTION], type(error)):
                    return whole
            except BaseException as second:
                logger.debug("the exception of job %s stays behind: %s", task.id, describe(second))
            return self._fitting(metadata)
        except BaseException as second:
            logger.error(
                "the handler of job %s gets what its row says: %s", task.id, describe(second)
            )
            return None

    def _error_result(self, task: Task, error: BaseException) -> bytes | None:
        if not self._app.results:
            return None
        try:
            return self._fitting(self._app.build_error_result(task, error))
        except BaseException as second:
            logger.error("the error of job %s cannot be stored: %s", task.id, describe(second))
            return None

    def _fitting(self, metadata: dict[str, Any]) -> bytes:
        data = self._app.serializer.serialize(metadata)
        if len(data) > self._app.max_payload:
            raise ResultTooLarge(f"it takes {len(data):,} bytes")
        return data


def _snoozed(error: BaseException, moment: float | None, delay: float) -> Snoozed:
    """Until a moment (POSIX seconds), or for so many seconds."""
    if moment is not None:
        return Snoozed(moment, brief_failure(error))
    return Snoozed(clock.now() + delay, brief_failure(error), delay)


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


# --- in words -------------------------------------------------------------------------------------


def failure_of(error: BaseException) -> Failure:
    """An exception as the row keeps it; also of one whose str or repr raises, whatever that is."""
    try:
        message = str(error)
    except BaseException:
        message = "its message cannot be shown"
    try:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except BaseException:
        text = "".join(traceback.format_tb(error.__traceback__))
    kind = type(error)
    path = f"{kind.__module__}.{kind.__qualname__}"
    return Failure(kind.__name__, message[:KEPT_MESSAGE], text[-KEPT_TRACEBACK:], path)


def brief_failure(error: BaseException) -> Failure:
    """The same without the traceback, for an exception that was raised on purpose."""
    return failure_of(error)._replace(traceback="")


def log_done(claim: Claim, run_s: float) -> None:
    """One line about a run that is done, with ``duration``. The caller knows that INFO is on."""
    # Not ``logger.info``, which looks for its caller in the frames of the stack.
    record = logger.makeRecord(
        logger.name,
        logging.INFO,
        __file__,
        log_done.__code__.co_firstlineno,
        "job %s of %s is done in %.3f s",
        (claim.seq, claim.task, run_s),
        None,
        "log_done",
        {"duration": round(run_s, 6)},
    )
    logger.handle(record)


def log_failure(claim: Claim, error: BaseException, ending: Ending, run_s: float) -> None:
    """One line about a failed run, with ``duration``."""
    extra = {"duration": round(run_s, 6)}
    match ending:
        case Dead():
            logger.error(
                "job %s of %s is dead (%s) in attempt %s: %s",
                claim.seq,
                claim.task,
                ending.reason,
                claim.attempt,
                describe(error),
                exc_info=error if isinstance(error, Exception) else None,
                extra=extra,
            )
        case Retry():
            logger.warning(
                "job %s of %s failed in attempt %s, %s retries left: %s",
                claim.seq,
                claim.task,
                claim.attempt,
                ending.retries,
                describe(error),
                extra=extra,
            )
        case _:
            level = logging.ERROR if isinstance(error, Scarcity) else logging.INFO
            logger.log(
                level, "job %s of %s: %s", claim.seq, claim.task, describe(error), extra=extra
            )

"""Run one claimed job; the answer is its ending. Nothing here touches the storage.

Each run has a copy of its worker's context: what a task binds there (a language, a time zone, the
fields of a log) is there for the hooks of its run, and gone for the next one."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextvars import copy_context
from functools import cached_property, partial
from typing import Any

from hueycore import signals as S
from hueycore.exceptions import (
    CancelExecution,
    ResultTooLarge,
    StorageError,
    UnknownClass,
    UnknownTask,
)
from hueycore.model.endings import Dead, Done, Expired, Failure, Released, Revoked, Snoozed
from hueycore.model.events import LogLine, Said
from hueycore.model.jobs import Claim, Ended
from hueycore.model.retry import NOT_FOUND, UNKNOWN_TASK_PATIENCE, unknown_task_delay
from hueycore.runs.application import Application, within
from hueycore.runs.coroutines import Coroutines, LoopPerRun, run_coroutine
from hueycore.runs.finished import Begun, Finished, Notice
from hueycore.runs.guest import Completion
from hueycore.runs.hooks import post_execute, pre_execute
from hueycore.runs.inputs import call_of
from hueycore.runs.invocation import Invocation, is_awaitable
from hueycore.runs.notebook import Page
from hueycore.runs.timeouts import AskedToStop, Limiter, late_end, limited
from hueycore.runs.verdict import Verdict, brief_failure, failure_of, log_done, log_failure
from hueycore.serializer import describe
from hueycore.system import clock, forks
from hueycore.system.deferred import PLAIN, refuse_generator
from hueycore.tasks.joblog import run_of_this_context
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper

logger = logging.getLogger("hueycore.execute")

#: Seconds until the next try, after the storage failed to give the arguments of a job.
READ_AGAIN = 1.0
_DONE = Done()

_Read = tuple[TaskWrapper[Any, Any], Claim, tuple[Any, ...], dict[str, Any]]


class Executor:
    """Runs the claims of one application. Stateless between runs, shared by all workers."""

    def __init__(
        self,
        app: Application,
        limiter: Limiter | None = None,
        coroutines: Coroutines | None = None,
        is_stopping: Callable[[], bool] = lambda: True,
    ) -> None:
        """``is_stopping``: whether somebody stops this worker or interrupts its run, so that a
        ``KeyboardInterrupt`` is theirs. By default it is a ^C, which goes on to the caller."""
        self._app = app
        self._is_stopping = is_stopping
        self._verdict = Verdict(app, is_stopping)
        self._limiter = limiter
        self._arms_all = limiter is not None and limiter.every_run
        self._coroutines = coroutines or LoopPerRun()

    @cached_property
    def _overridden(self) -> bool:
        """Whether a subclass wants to know of every run. Asked at the first one, by when startup
        hooks may have changed the class."""
        return self._app.wraps_runs or self._app.hears_all

    def leave(self) -> None:
        """The worker that calls this runs nothing more."""
        self._coroutines.leave()

    def run(self, claim: Claim, task: Task | None = None) -> Finished:
        """From claim to ending, in a copy of this context. Never raises, whatever the task does.
        ``task``: the job as ``Huey.dequeue`` has handed it out, which ``Huey.execute`` runs."""
        return copy_context().run(self._run, claim, task)

    def begin(self, claim: Claim) -> Finished | Begun:
        """The part of a run before its call, for workers that do not wait inside of it; ``finish``
        or ``complete`` follows in the same context, unless it is over. The context is the run's
        own. Never raises."""
        run_of_this_context.set(claim)
        try:
            read = self._read(claim)
            if isinstance(read, Finished):
                return read
            return self._begin(Task.of_claim(*read), claim)
        except BaseException as error:
            return self._impossible(claim, error)

    def finish(self, begun: Begun, outcome: Callable[[], Any]) -> Finished | Begun:
        """The part after the call: ``outcome`` returns or raises what the task did. When it returns
        something to await, as a plain wrapper of a coroutine does, the run goes on with that. Never
        raises."""
        try:
            return self._finish(begun, outcome)
        except BaseException as error:
            return self._impossible(begun.claim, error)

    def complete(self, begun: Begun) -> Finished | Begun:
        """Call a plain task here, and finish. Never raises."""
        return self.finish(begun, partial(self._call, begun.invocation))

    def _run(self, claim: Claim, task: Task | None) -> Finished:
        app = self._app
        run_of_this_context.set(claim)
        try:
            if task is not None:
                return self._run_task(task, claim, inside=True)
            read = self._read(claim)
            if isinstance(read, Finished):
                return read
            wrapper, _, args, kwargs = read
            told = logger.isEnabledFor(logging.INFO)
            plain = wrapper.plain and not (
                claim.timeout
                or app.pre_execute_hooks
                or app.post_execute_hooks
                or app.signals.listening
                or self._overridden
                or (told and logger.isEnabledFor(logging.DEBUG))
            )
            if plain and (claim.expires_at is None or claim.expires_at > clock.now()):
                run = self._run_plain(wrapper, claim, args, kwargs, told)
                return run if type(run) is Finished else self._to_end(run)
            return self._run_task(Task.of_claim(*read), claim)
        except BaseException as error:
            return self._impossible(claim, error)

    def _to_end(self, run: Finished | Begun) -> Finished:
        while isinstance(run, Begun):
            run = self._finish(run, partial(self._call, run.invocation))
        return run

    def _run_task(self, task: Task, claim: Claim, *, inside: bool = False) -> Finished:
        """The whole way, with the job's object; ``inside`` of ``Huey.execute`` already."""
        if not self._app.wraps_runs:
            return self._to_end(self._begin(task, claim))
        finished: Finished | None = None

        def run() -> Any:
            nonlocal finished
            finished = self._to_end(self._begin(task, claim))
            return finished.value

        started, clock0 = clock.now(), clock.monotonic()
        try:
            value = within(self._app, task, run, inside=inside)
            # One that does not call super() is the run itself.
            done = self._done(value, claim) if finished is None else None
        except BaseException as error:
            if finished is None:
                return self._failed(task, claim, error, started, clock.monotonic() - clock0)
            logger.exception("what is around job %s of %s failed", claim.seq, claim.task)
            return finished
        if done is None:
            assert finished is not None
            return finished
        ended = Ended(claim, done, started, clock.monotonic() - clock0)
        return Finished(ended, (Notice(S.SIGNAL_COMPLETE, task),), value)

    def _read(self, claim: Claim) -> Finished | _Read:
        """The task and its arguments."""
        app = self._app
        try:
            wrapper = app.registry.get(claim.task) or app.task_to_run(claim.task)
        except UnknownTask as error:
            dead = Dead("unknown-task", Failure("UnknownTask", str(error), ""))
            return self._wait_for_release(claim, error, dead)
        try:
            args, kwargs = self.arguments(claim)
        except StorageError as error:
            logger.error("what job %s of %s needs cannot be read: %s", claim.seq, claim.task, error)
            return Finished(Ended(claim, Snoozed(clock.now() + READ_AGAIN, delay=READ_AGAIN)))
        except UnknownClass as error:
            return self._wait_for_release(claim, error, Dead("unreadable", failure_of(error)))
        except Exception as error:
            logger.error("job %s of %s cannot be read: %s", claim.seq, claim.task, describe(error))
            return Finished(Ended(claim, Dead("unreadable", failure_of(error)), clock.now()))
        return wrapper, claim, args, kwargs

    def arguments(self, claim: Claim) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the job is called with, see ``call_of``. Raises ``StorageError`` as well."""
        app = self._app
        return call_of(claim.payload, claim.inputs, app.serializer, app.read_inputs, claim)

    def _run_plain(
        self,
        wrapper: TaskWrapper[Any, Any],
        claim: Claim,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        told: bool,
    ) -> Finished | Begun:
        """The short way for a plain task without hooks: no job object unless it fails, or gives
        something to await. ``told``: that it is done goes into the log."""
        started, clock0, generation = clock.now(), clock.monotonic(), forks.generation
        try:
            if self._arms_all:
                limiter = self._limiter
                assert limiter is not None
                call = partial(wrapper.func, *args, **kwargs)
                value = limited(limiter, limiter.prepare(math.inf, 0.0), call)
            else:
                value = wrapper.func(*args, **kwargs)
            if forks.generation != generation:
                forks.end_child(generation)
            if type(value) not in PLAIN and is_awaitable(value):
                task = Task.of_claim(wrapper, claim, args, kwargs)
                return self._start(task, claim).awaiting(value)
            done = self._done(value, claim)
        except BaseException as error:
            forks.end_child(generation, error)
            task = Task.of_claim(wrapper, claim, args, kwargs)
            return self._failed(task, claim, error, started, clock.monotonic() - clock0)
        run_s = clock.monotonic() - clock0
        if told:
            log_done(claim, run_s)
        return Finished(Ended(claim, done, started, run_s), (), value)

    def _begin(self, task: Task, claim: Claim) -> Finished | Begun:
        app = self._app
        if app.listening:
            app.signals.wait_for(claim.id, S.DUE + claim.id, S.EVERY)
        if claim.expires_at is not None and claim.expires_at <= clock.now():
            logger.info("job %s of %s has expired", claim.seq, claim.task)
            return Finished(Ended(claim, Expired()), (Notice(S.SIGNAL_EXPIRED, task),))
        logger.debug("job %s of %s begins, attempt %s", claim.seq, claim.task, claim.attempt)
        app._emit(S.SIGNAL_EXECUTING, task)
        try:
            pre_execute(self._app.pre_execute_hooks, task)
        except CancelExecution as error:
            ending = Revoked("canceled", failure=brief_failure(error))
            return Finished(Ended(claim, ending), (Notice(S.SIGNAL_CANCELED, task),))
        except BaseException as error:
            return self._failed(task, claim, error, clock.now(), 0.0)
        return self._start(task, claim)

    def _start(self, task: Task, claim: Claim) -> Begun:
        page = self._open_page(task, claim)
        started, clock0 = clock.now(), clock.monotonic()
        completion = Completion(
            claim, started, clock0, lambda value: self._done(value, claim), self._app.complete_job
        )
        task._complete = completion
        return Begun(Invocation(task, clock0), claim, page, started, completion)

    def _finish(self, begun: Begun, outcome: Callable[[], Any]) -> Finished | Begun:
        (task, clock0, _), claim, _, started, completion = begun
        try:
            value = outcome()
            if type(value) not in PLAIN and is_awaitable(value):
                return begun.awaiting(value)
            done = self._done(value, claim)
        except BaseException as error:
            run_s = clock.monotonic() - clock0
            log = self._close(begun, run_s, error)
            post_execute(self._app.post_execute_hooks, task, None, error)
            finished = self._failed(task, claim, error, started, run_s, log)
            return finished._replace(ended=completion.over(finished.ended))
        run_s = clock.monotonic() - clock0
        log = self._close(begun, run_s)
        if logger.isEnabledFor(logging.INFO):
            log_done(claim, run_s)
        post_execute(self._app.post_execute_hooks, task, value, None)
        notices = (Notice(S.SIGNAL_COMPLETE, task),)
        ended = completion.over(Ended(claim, done, started, run_s, log))
        return Finished(ended, notices, value)

    def _open_page(self, task: Task, claim: Claim) -> Page | None:
        """Only for a run that can report progress or keeps its log lines."""
        wrapper = task.wrapper
        if not wrapper.options.context and wrapper.log_level is None:
            return None
        page = self._app.notes.open(claim, wrapper.log_level)
        task._report = page.report
        return page

    def _close(self, begun: Begun, run_s: float, error: BaseException | None = None) -> Said | None:
        """What the run has said and is not written yet; and that it went on after its timeout."""
        log = self._app.notes.close(begun.page) if begun.page else None
        late = late_end(run_s, begun.task.timeout, error) if self._limiter is not None else None
        if late is None:
            return log
        logger.warning("job %s of %s %s", begun.claim.seq, begun.claim.task, late)
        before = log or Said(None)
        line = LogLine(clock.now(), "WARNING", f"it {late}")
        return before._replace(lines=[*before.lines, line])

    def call(self, task: Task, *, hooks: bool = True) -> Any:
        """Run a task that no storage knows, as ``hueyctl run`` does: its value, or what it
        raises."""
        if hooks and self._app.wraps_runs:
            return within(self._app, task, partial(self._call_here, task, hooks))
        return self._call_here(task, hooks)

    def _call_here(self, task: Task, hooks: bool) -> Any:
        if hooks:
            pre_execute(self._app.pre_execute_hooks, task)
        value, error = None, None
        invocation = Invocation(task, clock.monotonic())
        try:
            value = self._call(invocation)
            while is_awaitable(value):
                value = self._call(invocation._replace(awaitable=value))
            refuse_generator(value, task.task_name)
            return value
        except BaseException as raised:
            error = raised
            raise
        finally:
            if hooks:
                post_execute(self._app.post_execute_hooks, task, value, error)

    def _call(self, invocation: Invocation) -> Any:
        limiter, timeout = self._limiter, invocation.timeout
        grace = invocation.task.wrapper.options.timeout_grace
        if invocation.is_async:
            return run_coroutine(self._coroutines, limiter, invocation.call, timeout, grace)
        if limiter is None or not (timeout or self._arms_all):
            return invocation.call()
        return limited(limiter, limiter.prepare(timeout or math.inf, grace), invocation.call)

    def _done(self, value: Any, claim: Claim) -> Done:
        if type(value) not in PLAIN:
            refuse_generator(value, claim.task)
        app = self._app
        kept = app.results and claim.scheduled_for is None
        if not kept and (claim.next is None or value is None):
            return _DONE
        if value is None and not app.store_none:
            return _DONE
        result = app.serializer.serialize(value)
        if len(result) > app.max_payload:
            raise ResultTooLarge(
                f"the result of {claim.task} takes {len(result):,} bytes; the limit is "
                f"{app.max_payload:,} (max_payload=). Store it elsewhere and return a reference"
            )
        return Done(result, not kept)

    # --- failing ------------------------------------------------------------------------------

    def _failed(
        self,
        task: Task,
        claim: Claim,
        error: BaseException,
        started: float,
        run_s: float,
        log: Said | None = None,
    ) -> Finished:
        ending, signals = self._verdict.ending_of(task, claim, error)
        if self._app.listening:
            self._app.signals.hold(claim.id)  # released by who sends them, before its next run
        notices = tuple(
            Notice(signal, task, error if signal == S.SIGNAL_ERROR else None) for signal in signals
        )
        log_failure(claim, error, ending, run_s)
        return Finished(Ended(claim, ending, started, run_s, log), notices)

    def _wait_for_release(self, claim: Claim, error: Exception, dead: Dead) -> Finished:
        """Another release may know this task, or the class of an argument: put back uncounted for
        ten minutes, then dead."""
        now, since = clock.now(), self._app.unknown_since(claim)
        waited = 0.0 if since is None else now - since
        if waited < UNKNOWN_TASK_PATIENCE:
            logger.warning("job %s: %s", claim.seq, error)
            first = Failure(NOT_FOUND, str(error), "") if since is None else None
            delay = unknown_task_delay(waited)
            return Finished(Ended(claim, Snoozed(now + delay, first, delay)))
        logger.error("job %s: %s; it is dead now", claim.seq, error)
        return Finished(Ended(claim, dead))

    def _impossible(self, claim: Claim, error: BaseException) -> Finished:
        """sys.exit() while arguments are read, a RetryTask with an impossible eta …: the worker
        must not die of it while it holds the claim, nor try the job for ever."""
        logger.error("job %s of %s cannot be run", claim.seq, claim.task, exc_info=error)
        if isinstance(error, AskedToStop):
            return Finished(Ended(claim, Revoked()))
        if isinstance(error, KeyboardInterrupt) and self._is_stopping() and not claim.at_most_once:
            return Finished(Ended(claim, Released()))
        return Finished(Ended(claim, Dead("failed", failure_of(error)), clock.now()))

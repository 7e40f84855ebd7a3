"""Run a task in this process, without the queue."""

from __future__ import annotations

import signal
import sys
from contextlib import redirect_stdout
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from hueycore.exceptions import TaskTimeout
from hueyctl import errors, exits

if TYPE_CHECKING:
    from hueycore import Huey, Task


class Alarm:
    """The time limit of a run in the main thread, where a signal interrupts also what sleeps."""

    every_run = False

    def __init__(self) -> None:
        self._before: Any = signal.SIG_DFL

    def prepare(self, timeout: float, grace: float) -> float:
        self._before = signal.signal(signal.SIGALRM, self._ring)
        return timeout

    def arm(self, run: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, run)

    def on_cancel(self, run: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def disarm(self, run: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _ring(self, number: int, frame: FrameType | None) -> NoReturn:
        raise TaskTimeout


def call(huey: Huey, task: Task, *, hooks: bool) -> Any:
    """The value of a task; what it prints goes to stderr. Exit 5 when it raises, 124 when its time
    is up."""
    from hueycore.consumer.workers.worker import call_hooks
    from hueycore.runs.executor import Executor

    with redirect_stdout(sys.stderr):
        if hooks:
            call_hooks("startup", huey.startup_hooks.items())
        try:
            return Executor(huey, Alarm()).call(task, hooks=hooks)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise _failed(task, error) from error
        finally:
            if hooks:
                call_hooks("shutdown", huey.shutdown_hooks.items())


def _failed(task: Task, error: BaseException) -> errors.CliError:
    from hueycore.serializer import describe

    if isinstance(error, TaskTimeout) and task.timeout:
        return errors.CliError(
            f"{task.task_name} timed out after {task.timeout:g} s", exits.TIMEOUT
        )
    message = f"{task.task_name} raised {describe(error)}"
    return errors.CliError(message, exits.TASK_FAILED, "-v shows the traceback")

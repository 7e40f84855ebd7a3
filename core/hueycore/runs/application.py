"""What a run needs of its application, and the run within the application's own code around it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from hueycore import signals as S
from hueycore.model.jobs import Claim, Ended
from hueycore.model.plan import Input
from hueycore.registry import Registry
from hueycore.runs.hooks import Hook
from hueycore.runs.notebook import Notebook
from hueycore.serializer import Serializer
from hueycore.system import clock
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper


class Application(Protocol):
    """What a run needs of a Huey instance."""

    registry: Registry
    serializer: Serializer
    signals: S.Signal
    results: bool
    store_none: bool
    max_payload: int
    notes: Notebook
    pre_execute_hooks: dict[str, Hook]
    post_execute_hooks: dict[str, Hook]

    @property
    def listening(self) -> bool: ...
    @property
    def hears_all(self) -> bool: ...
    @property
    def wraps_runs(self) -> bool: ...
    def task_to_run(self, path: str) -> TaskWrapper[Any, Any]: ...
    def unknown_since(self, claim: Claim) -> float | None: ...
    def build_error_result(self, task: Task, exception: BaseException) -> dict[str, Any]: ...
    def complete_job(self, connection: Any, ended: Ended) -> None: ...
    def read_inputs(self, claim: Claim) -> list[Input]: ...
    def execute(self, task: Task, timestamp: datetime | None = None) -> Any: ...
    def _execute(self, task: Task, timestamp: datetime | None = None) -> Any: ...
    def _emit(self, signal: str, task: Task, *args: Any) -> None: ...
    def is_handled(self, claim: Claim) -> bool: ...


def within(app: Application, task: Task, run: Callable[[], Any], *, inside: bool = False) -> Any:
    """Call ``run`` within ``execute`` and ``_execute`` of the application's subclass of Huey;
    ``inside`` of ``execute`` already. Answers with what the outermost of them does."""

    def within_inner() -> Any:
        task._run = run
        return app._execute(task, task._datetime(clock.now()))

    if inside:
        return within_inner()
    task._run = within_inner
    return app.execute(task)

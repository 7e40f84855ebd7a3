"""What the application has called before and after each run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from hueycore.exceptions import CancelExecution
from hueycore.system import forks
from hueycore.system.deferred import refuse_deferred
from hueycore.tasks.task import Task

logger = logging.getLogger("hueycore.execute")

Hook = Callable[..., Any]


def pre_execute(hooks: Mapping[str, Hook], task: Task) -> None:
    """Raises ``CancelExecution`` as a hook does; any other error of one is logged."""
    for name, hook in hooks.items():
        try:
            refuse_deferred(forks.call(hook, task), "it")
        except CancelExecution:
            logger.warning("job %s cancelled by pre-execute hook %s", task.id, name)
            raise
        except Exception:
            logger.exception("pre-execute hook %s failed for job %s", name, task.id)


def post_execute(
    hooks: Mapping[str, Hook], task: Task, value: Any, error: BaseException | None
) -> None:
    for name, hook in hooks.items():
        try:
            refuse_deferred(forks.call(hook, task, value, error), "it")
        except BaseException:
            logger.exception("post-execute hook %s failed for job %s", name, task.id)

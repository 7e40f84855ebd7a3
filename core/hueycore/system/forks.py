"""Processes that an application forks in a job, a hook or a receiver.

Such a child is a copy of a consumer. It ends where the application's code ends: it is no worker,
and has no ending to write.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("hueycore.execute")

#: How many forks this process is away from the first one. Code of the application that began with
#: another number has forked meanwhile, and this is the child.
generation = 0


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the application. In a child that it forks this does not return."""
    before = generation
    try:
        value = function(*args)
    except BaseException as error:
        end_child(before, error)
        raise
    end_child(before)
    return value


def end_child(before: int, error: BaseException | None = None) -> None:
    """End this process if it was forked since ``generation`` was ``before``, with the exit code
    that Python gives to a program that ends with ``error``. What the parent would do at its exit is
    not done."""
    if generation == before:
        return
    code = 1
    try:
        code = _exit_code(error)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _exit_code(error: BaseException | None) -> int:
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        sys.stderr.write(f"{error.code}\n")
        return 1
    if error is not None:
        logger.error("process %d, a child of a job, ends", os.getpid(), exc_info=error)
        return 1
    return 0


def _in_child() -> None:
    global generation
    generation += 1


os.register_at_fork(after_in_child=_in_child)

"""Huey's helpers for asyncio, by their names; ``await result`` does the same.

``backoff`` and ``max_delay`` are Huey's and steer nothing: a waiter does not poll by itself.
"""

from __future__ import annotations

from typing import Any, TypeVar

from hueycore.tasks.result import Result, ResultGroup

R = TypeVar("R")

__all__ = ["aget_result", "aget_result_group"]


async def aget_result(
    res: Result[R],
    backoff: float = 1.15,
    max_delay: float = 1.0,
    preserve: bool = False,
    timeout: float | None = None,
) -> R:
    """Await the value of a job; see ``Result.aget``. ``timeout`` is in seconds.

    Raises ``TaskException``, ``ResultTimeout``, ``UnknownJob``."""
    return await res.aget(timeout, preserve)


async def aget_result_group(
    rg: ResultGroup,
    backoff: float = 1.15,
    max_delay: float = 1.0,
    preserve: bool = False,
    timeout: float | None = None,
) -> list[Any]:
    """Await the values of several jobs, in order; see ``ResultGroup.aget``."""
    return await rg.aget(timeout, preserve)

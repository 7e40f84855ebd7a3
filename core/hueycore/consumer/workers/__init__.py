"""Worker kinds: how the runs of one consumer are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.consumer.workers.timeouts import Limiter
    from hueycore.consumer.workers.worker import Kind


def kind_of(worker_type: str, huey: Huey, limiter: Limiter) -> Kind:
    """Raises ``ConfigurationError`` when something is missing for it."""
    if worker_type == "asyncio":
        from hueycore.consumer.workers.asyncio import LoopKind

        return LoopKind(huey, limiter)
    if worker_type == "greenlet":
        from hueycore.consumer.workers.greenlet import GreenletKind

        return GreenletKind(huey, limiter)
    from hueycore.consumer.workers.thread import ThreadKind

    return ThreadKind(huey, limiter)

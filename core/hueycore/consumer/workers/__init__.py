"""The kinds of workers that run jobs in the consumer's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.consumer.workers.timeouts import Timeouts
    from hueycore.consumer.workers.worker import Kind


def kind_of(worker_type: str, huey: Huey, timeouts: Timeouts) -> Kind:
    """Raises ``ConfigurationError`` when what the kind needs is missing."""
    if worker_type == "asyncio":
        from hueycore.consumer.workers.asyncio import AsyncioKind

        return AsyncioKind(huey, timeouts)
    if worker_type == "greenlet":
        from hueycore.consumer.workers.greenlet import GreenletKind

        return GreenletKind(huey, timeouts)
    from hueycore.consumer.workers.thread import ThreadKind

    return ThreadKind(huey, timeouts)

"""The consumer: it runs the jobs of a queue, in this process or in child processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueycore.constants import WORKER_PROCESS, WORKER_THREAD
from hueycore.consumer.base import BaseConsumer
from hueycore.consumer.consumer import Consumer
from hueycore.consumer.sentry import warn_of_the_other

if TYPE_CHECKING:
    from hueycore.api import Huey

__all__ = ["BaseConsumer", "Consumer", "consumer_of"]


def consumer_of(huey: Huey, options: dict[str, Any]) -> BaseConsumer:
    """A consumer with these options, of the class that its ``worker_type`` needs. Without workers
    all kinds are one."""
    if options.get("workers") == 0:
        options = {**options, "worker_type": WORKER_THREAD}
    warn_of_the_other()
    if options.get("worker_type") == WORKER_PROCESS:
        from hueycore.consumer.processes.supervisor import Supervisor

        return Supervisor(huey, **options)
    return Consumer(huey, **options)

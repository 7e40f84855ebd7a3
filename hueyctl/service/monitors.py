"""Those who monitor a consumer that runs: probes over HTTP, systemd, the parent of several."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.consumer.base import BaseConsumer
    from hueyctl.service.channel import Channel

logger = logging.getLogger("hueycore.consumer")


@contextmanager
def monitored(
    consumer: BaseConsumer,
    *,
    http: tuple[str, int] | None,
    notify: bool,
    channel: Channel | None = None,
) -> Iterator[None]:
    """Answer probes and notify systemd while ``consumer`` runs. With a ``channel`` the parent does
    both, and asks through it. Exit 69 when the port cannot be had."""
    with ExitStack() as stack:
        if channel is not None or http is not None:
            from hueyctl.service.probes import Probes

            probes = Probes(consumer)
            stack.callback(probes.close)
            if channel is not None:
                channel.serve(consumer.health, probes.metrics)
            elif http is not None:
                from hueyctl.service.http import Server

                server = Server(*http, probes.answer)
                server.start()
                stack.callback(server.stop)
                logger.info("probes at %s/healthz, /readyz and /metrics", server.url)
                if server.warning:
                    logger.warning("%s", server.warning)
        if notify and channel is None:
            from hueyctl.service.notify import Notifier

            notifier = Notifier(consumer.health)
            notifier.start()
            stack.callback(notifier.stop)
        yield

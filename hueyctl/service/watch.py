"""Who watches a consumer that runs: probes over HTTP, systemd, the parent of several."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.consumer.base import BaseConsumer
    from hueyctl.service.together import Line

logger = logging.getLogger("hueycore.consumer")


@contextmanager
def watched(
    consumer: BaseConsumer,
    *,
    http: tuple[str, int] | None,
    notify: bool,
    line: Line | None = None,
) -> Iterator[None]:
    """Answer and notify while ``consumer`` runs; with a ``line`` its other end does both for all of
    them. Exit 69 when the port cannot be had."""
    with ExitStack() as ending:
        if line is not None:
            from hueyctl.service.probes import Probes

            probes = Probes(consumer)
            ending.callback(probes.close)
            line.serve(consumer.health, probes.metrics)
        elif http is not None:
            from hueyctl.service.http import Server
            from hueyctl.service.probes import Probes

            probes = Probes(consumer)
            ending.callback(probes.close)
            server = Server(*http, probes.answer)
            server.start()
            ending.callback(server.stop)
            logger.info("probes at %s/healthz, /readyz and /metrics", server.url)
        if notify and line is None:
            from hueyctl.service.notify import Notifier

            notifier = Notifier(consumer.health)
            notifier.start()
            ending.callback(notifier.stop)
        yield

"""Who watches a consumer that runs: probes over HTTP, and systemd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hueycore.consumer import BaseConsumer


@contextmanager
def watched(
    consumer: BaseConsumer, *, http: tuple[str, int] | None, notify: bool
) -> Iterator[None]:
    """Answer and notify while ``consumer`` runs. Exit 69 when the port cannot be had."""
    with ExitStack() as ending:
        if http is not None:
            from hueyctl.running.probes import Probes

            probes = Probes(consumer, *http)
            probes.start()
            ending.callback(probes.stop)
        if notify:
            from hueyctl.running.notify import Notifier

            notifier = Notifier(consumer.health)
            notifier.start()
            ending.callback(notifier.stop)
        yield

"""What /metrics, /healthz and /readyz say of a consumer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from hueycore.system import native
from hueyctl.answers import prometheus
from hueyctl.service.http import Answer

if TYPE_CHECKING:
    from hueycore.consumer.base import BaseConsumer
    from hueycore.storage.base import Storage

logger = logging.getLogger("hueycore.consumer")


class Healthy(Protocol):
    """Of a consumer, or of several."""

    @property
    def phase(self) -> str: ...
    def ill(self) -> list[str]: ...
    def unready(self) -> list[str]: ...


def answer(
    path: str, accept: str, name: str, health: Healthy, metrics: Callable[[], str]
) -> Answer:
    match path.partition("?")[0]:
        case "/healthz":
            about, reasons = "health", health.ill()
        case "/readyz":
            about, reasons = "readiness", health.unready()
        case "/metrics":
            if prometheus.OPENMETRICS in accept:
                text = prometheus.openmetrics(metrics())
                return Answer(200, prometheus.OPENMETRICS_TYPE, text)
            return Answer(200, prometheus.CONTENT_TYPE, metrics())
        case _:
            return Answer.refusal(404, "look at /healthz, /readyz or /metrics")
    document = {
        "schema": "hueyctl.probe/1",
        "about": about,
        "ok": not reasons,
        "reasons": reasons,
        "consumer": name,
        "phase": health.phase,
    }
    return Answer.json(503 if reasons else 200, document)


class Probes:
    """Answers about ``consumer``."""

    def __init__(self, consumer: BaseConsumer) -> None:
        self.consumer = consumer
        self._storage: Storage | None = None
        self._opening = native.Lock()

    def close(self) -> None:
        if self._storage is not None and self._storage is not self.consumer.huey.storage:
            self._storage.close()

    def answer(self, path: str, accept: str) -> Answer:
        return answer(path, accept, self.consumer.name, self.consumer.health, self.metrics)

    def metrics(self) -> str:
        """A storage that cannot be read is a figure as well, with 200: Prometheus throws away what
        comes with any other status."""
        from hueycore.exceptions import StorageError

        own = "".join(prometheus.of_consumer(self.consumer))
        try:
            return prometheus.render(self._look()) + own
        except StorageError as error:
            logger.warning("/metrics: %s", error)
            return prometheus.DOWN + own

    def _look(self) -> Storage:
        """The consumer's storage, opened once more to read: a scrape must not hold up claims."""
        with self._opening:
            if self._storage is None:
                huey = self.consumer.huey
                if not huey.location.shared:
                    self._storage = huey.storage
                else:
                    from hueycore.storage.open import open_storage

                    self._storage = open_storage(
                        huey.location, huey.name, create=False, read_only=True
                    )
            return self._storage

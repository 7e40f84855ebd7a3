"""``consume --http``: /metrics, /healthz and /readyz of one consumer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hueycore import native
from hueyctl.context import app_file
from hueyctl.observing import prometheus
from hueyctl.running.httpserver import Answer, Server

if TYPE_CHECKING:
    from hueycore.consumer import BaseConsumer
    from hueycore.storage.base import Storage

logger = logging.getLogger("hueycore.consumer")


class Probes:
    """Answers about ``consumer`` at ``host`` and ``port`` from ``start`` to ``stop``. Exit 69 when
    the port cannot be had."""

    def __init__(self, consumer: BaseConsumer, host: str, port: int) -> None:
        self.consumer = consumer
        self._storage: Storage | None = None
        self._opening = native.Lock()
        self._server = Server(host, port, self.answer)

    def start(self) -> None:
        self._server.start()
        logger.info("probes at %s/healthz, /readyz and /metrics", self._server.url)

    def stop(self) -> None:
        self._server.stop()
        if self._storage is not None and self._storage is not self.consumer.huey.storage:
            self._storage.close()

    # --- answers --------------------------------------------------------------------------------

    def answer(self, path: str) -> Answer:
        match path.partition("?")[0]:
            case "/healthz":
                return self._verdict("health", self.consumer.health.ill())
            case "/readyz":
                return self._verdict("readiness", self.consumer.health.unready())
            case "/metrics":
                return Answer(200, prometheus.CONTENT_TYPE, self._metrics())
            case _:
                return Answer.refusal(404, "look at /healthz, /readyz or /metrics")

    def _verdict(self, about: str, reasons: list[str]) -> Answer:
        document = {
            "schema": "hueyctl.probe/1",
            "about": about,
            "ok": not reasons,
            "reasons": reasons,
            "consumer": self.consumer.name,
            "phase": self.consumer.health.phase,
        }
        return Answer.json(503 if reasons else 200, document)

    def _metrics(self) -> str:
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
        """The consumer's file, opened once more for reading: a scrape must not hold up claims."""
        with self._opening:
            if self._storage is None:
                huey = self.consumer.huey
                path = app_file(huey)
                if path is None:
                    self._storage = huey.storage
                else:
                    from hueycore.storage.sqlite import SqliteStorage

                    self._storage = SqliteStorage(path, huey.name, create=False, read_only=True)
            return self._storage

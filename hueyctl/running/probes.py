"""``consume --http``: /metrics, /healthz and /readyz of one consumer.

A thread per connection, a few at most, each with a time limit: a client that is slow, or many that
never leave, take nothing from the consumer and give way to the next probe.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore import clock
from hueyctl import errors, exits
from hueyctl.context import app_file
from hueyctl.observing import prometheus

if TYPE_CHECKING:
    from hueycore.consumer import BaseConsumer
    from hueycore.storage.base import Storage

logger = logging.getLogger("hueycore.consumer")

#: Connections at a time; the oldest gives way to one more.
CONNECTIONS = 8
#: Seconds that a client may take for its next bytes.
PATIENCE = 5.0


class Answer(NamedTuple):
    status: int
    type: str
    body: str


class Probes:
    """Answers about ``consumer`` at ``host`` and ``port`` from ``start`` to ``stop``. Exit 69 when
    the port cannot be had."""

    def __init__(self, consumer: BaseConsumer, host: str, port: int) -> None:
        self.consumer = consumer
        self._storage: Storage | None = None
        self._opening = threading.Lock()
        self._server = _listen(host, port, self)
        self.host, self.port = str(self._server.server_address[0]), self._server.server_address[1]

    def start(self) -> None:
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="huey-probes", daemon=True
        ).start()
        shown = f"[{self.host}]" if ":" in self.host else self.host
        logger.info("probes at http://%s:%s/healthz, /readyz and /metrics", shown, self.port)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
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
                return refusal(404, "look at /healthz, /readyz or /metrics")

    def _verdict(self, about: str, reasons: list[str]) -> Answer:
        document = {
            "schema": "hueyctl.probe/1",
            "about": about,
            "ok": not reasons,
            "reasons": reasons,
            "consumer": self.consumer.name,
            "phase": self.consumer.health.phase,
        }
        return _json(503 if reasons else 200, document)

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


def refusal(status: int, message: str) -> Answer:
    return _json(status, {"ok": False, "reasons": [message]})


def _json(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, "application/json", json.dumps(document) + "\n")


# --- HTTP -------------------------------------------------------------------------------------


def _listen(host: str, port: int, probes: Probes) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _Server(family, address, probes)
    except OSError as error:
        raise errors.CliError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            exits.UNAVAILABLE,
            "is another consumer there? give each a port of its own with --http",
        ) from error


class _Server(socketserver.TCPServer):
    """Not ``http.server.HTTPServer``, which asks the DNS for its own name."""

    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, family: int, address: Any, probes: Probes) -> None:
        self.address_family = family
        self.probes = probes
        self._open: dict[Any, None] = {}
        self._lock = threading.Lock()
        super().__init__(address, _Handler)
        # A worker process that outlives its supervisor must not keep the port.
        os.register_at_fork(after_in_child=self.socket.close)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6 and self.server_address[0] == "::":
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> Any:
        try:
            return super().get_request()
        except OSError:
            clock.sleep(0.1)  # out of descriptors: the client that waits would make a busy loop
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("a probe could not be taken")

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            oldest = next(iter(self._open)) if len(self._open) >= CONNECTIONS else None
            self._open.pop(oldest, None)
            self._open[request] = None
        if oldest is not None:
            _hang_up(oldest)
        threading.Thread(
            target=self._serve, args=(request, client_address), name="huey-probe", daemon=True
        ).start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client is gone, or was too slow
        except Exception:
            logger.exception("a probe could not be answered")
        finally:
            with self._lock:
                self._open.pop(request, None)
            self.shutdown_request(request)


def _hang_up(connection: Any) -> None:
    """End the reads and writes of the thread that serves it; that thread closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class _Handler(BaseHTTPRequestHandler):
    """One request per connection."""

    server: _Server
    timeout = PATIENCE
    server_version, sys_version = "hueyctl", ""

    def do_GET(self) -> None:
        self._send(self.server.probes.answer(self.path))

    do_HEAD = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses: other methods, with 501, and what is not HTTP."""
        if code == 501:
            self._send(refusal(405, f"{self.command} is not allowed"), allow=True)
        else:
            self._send(refusal(code, message or "bad request"))

    def _send(self, answer: Answer, *, allow: bool = False) -> None:
        body = answer.body.encode("utf-8", "backslashreplace")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if allow:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """A probe each second is no news."""

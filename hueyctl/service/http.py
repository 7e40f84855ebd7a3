"""A small HTTP server for probes.

A thread per connection, a few at most, each with a time limit: a client that is slow, or many that
never leave, take nothing from the consumer and give way to the next probe. Threads and sockets are
the system's own, not those of the standard library's server: where gevent has patched, these wait
in a hub, and a hub that a job blocks is what a probe is to find out.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from hueycore.system import native
from hueyctl.service.listener import listen

logger = logging.getLogger("hueycore.consumer")

#: Connections at a time; the oldest gives way to one more.
CONNECTIONS = 8
#: Seconds that a client may take for its next bytes.
PATIENCE = 5.0
#: What to do where the port is another's.
_TAKEN = "is another consumer there? give each a port of its own with --http"
#: Seconds between two looks whether the server shall stop.
LOOK = 0.2


class Answer(NamedTuple):
    status: int
    type: str
    body: str

    @classmethod
    def json(cls, status: int, document: dict[str, Any]) -> Answer:
        return cls(status, "application/json", json.dumps(document) + "\n")

    @classmethod
    def refusal(cls, status: int, message: str) -> Answer:
        return cls.json(status, {"ok": False, "reasons": [message]})


class Server:
    """Gives what ``answer`` says to a path and to the types that are accepted, from ``start`` to
    ``stop``. Exit 69 when the port cannot be had."""

    def __init__(self, host: str, port: int, answer: Callable[[str, str], Answer]) -> None:
        self.answer = answer
        self._listener = listen(native.Socket, host, port, _TAKEN)
        name, number, *_ = self._listener.getsockname()
        self.url = f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"
        self.warning = _warning(self.url, name)
        self._open: dict[native.Socket, None] = {}
        self._lock = native.Lock()
        self._over = False
        self._thread = native.Thread(self._accept_all, "huey-probes")
        # A worker process that outlives its supervisor must not keep the port.
        os.register_at_fork(after_in_child=self._listener.close)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over = True
        self._thread.join(2 * LOOK)
        self._listener.close()

    def _accept_all(self) -> None:
        self._listener.settimeout(LOOK)
        while not self._over:
            try:
                # Not ``accept``, which makes a socket of the patched class.
                descriptor, address = self._listener._accept()  # type: ignore[attr-defined]
            except TimeoutError:
                continue
            except OSError:
                native.sleep(LOOK)  # out of descriptors: the client that waits would make it spin
                continue
            try:
                self._take(native.Socket(fileno=descriptor), address)
            except Exception:
                logger.exception("a probe could not be taken")

    def _take(self, connection: native.Socket, address: Any) -> None:
        with self._lock:
            oldest = next(iter(self._open)) if len(self._open) >= CONNECTIONS else None
            if oldest is not None:
                del self._open[oldest]
            self._open[connection] = None
        if oldest is not None:
            _hang_up(oldest)
        native.Thread(partial(self._serve, connection, address), "huey-probe").start()

    def _serve(self, connection: native.Socket, address: Any) -> None:
        try:
            _Handler(connection, address, self)  # type: ignore[arg-type]  # it asks nothing of it
        except OSError:
            pass  # the client is gone, or was too slow
        except Exception:
            logger.exception("a probe could not be answered")
        finally:
            with self._lock:
                self._open.pop(connection, None)
            _hang_up(connection)
            connection.close()


def _warning(url: str, host: str) -> str | None:
    """What to say of an address that others than this machine and its neighbours reach."""
    from ipaddress import ip_address

    address = ip_address(host.partition("%")[0])
    if not address.is_unspecified and not address.is_global:
        return None
    return f"{url} answers whoever reaches this machine, without a password: 127.0.0.1 is safer"


def _hang_up(connection: native.Socket) -> None:
    """End what the other side, and the thread that serves it, read and write."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class _Handler(BaseHTTPRequestHandler):
    """One request per connection."""

    server: Server  # type: ignore[assignment]  # of this module
    timeout = PATIENCE
    server_version, sys_version = "hueyctl", ""

    def do_GET(self) -> None:
        self._send(self.server.answer(self.path, self.headers.get("Accept", "")))

    do_HEAD = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses: other methods, with 501, and what is not HTTP."""
        if code == 501:
            self._send(Answer.refusal(405, f"{self.command} is not allowed"), allow=True)
        else:
            self._send(Answer.refusal(code, message or "bad request"))

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

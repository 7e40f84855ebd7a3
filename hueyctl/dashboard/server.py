"""The dashboard as a program: an address, a token, waitress."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Collection
from secrets import token_urlsafe
from types import FrameType

from hueyctl import errors, exits
from hueyctl.dashboard.asks import FORM, Person, Respond
from hueyctl.dashboard.doors.wsgi import door
from hueyctl.dashboard.gate import Gate
from hueyctl.service.listener import listen

#: Connections wait in a loop and hold no thread; requests take one each.
_THREADS, _CONNECTIONS = 4, 1000
#: Seconds that a connection may be silent; the longest head of a request, bytes.
_SILENCE, _HEAD = 30, 32 * 1024
_TAKEN = "is another dashboard there? --port 0 takes a free one"
#: By these names a browser on this machine calls it.
_HERE = ("localhost", "127.0.0.1", "[::1]")


class Server:
    """Listens from the start; ``serve`` answers until SIGINT or SIGTERM. Exit 69 when the address
    cannot be had."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = listen(socket.socket, host, port, _TAKEN)
        name, self._port, *_ = self._socket.getsockname()
        self._name = f"[{name}]" if ":" in name else name
        self._host = host
        self.is_local = name == "::1" or name.startswith("127.")

    def link(self, base: str, token: str) -> str:
        return f"http://{self._name}:{self._port}{base}/?token={token}"

    def serve(
        self, respond: Respond, person: Person, token: str, *, base: str, hosts: Collection[str]
    ) -> None:
        from waitress import create_server

        allowed = {*_HERE, self._name, self._host, *hosts}
        gate = Gate(respond, person, token, allowed, self._port)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        server = create_server(
            door(gate, lambda _environ: None),
            sockets=[self._socket],
            url_prefix=base,
            threads=_THREADS,
            connection_limit=_CONNECTIONS,
            channel_timeout=_SILENCE,
            cleanup_interval=5,
            asyncore_use_poll=True,
            max_request_body_size=2 * FORM,
            max_request_header_size=_HEAD,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        signal.signal(signal.SIGTERM, _leave)
        try:
            server.run()  # an exception of a signal ends it, and it says nothing of that
        finally:
            server.close()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit


def token_of(path: str | None) -> str:
    """A new token, or the one of a file, which is made if it is missing. Exit 78 when that cannot
    be read."""
    if path is None:
        return token_urlsafe(24)
    try:
        return _kept(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise errors.CliError(f"--token-file {path}: {reason}", exits.CONFIG) from error


def _kept(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    token = token_urlsafe(24)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        token = file.read().strip()
    if len(token) < 16:
        raise errors.CliError(
            f"--token-file {path}: a token has 16 letters at least",
            exits.CONFIG,
            "remove the file, and a new one is made",
        )
    return token

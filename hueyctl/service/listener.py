"""A socket that listens, of the system's own kind or of Python's."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TypeVar

from hueyctl import errors, exits

Socket = TypeVar("Socket", bound=socket.socket)


def listen(kind: Callable[[int, int], Socket], host: str, port: int, taken: str) -> Socket:
    """At an address of this machine; ``::`` is all of them, of IPv4 too. Exit 69 when it cannot be
    had, with ``taken`` as what to do when it is somebody's."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = kind(family, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and address[0] == "::":
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            found.bind(address)
            found.listen(128)
        except OSError:
            found.close()
            raise
    except OSError as error:
        raise errors.CliError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            exits.UNAVAILABLE,
            taken if error.errno == errno.EADDRINUSE else None,
        ) from error
    return found

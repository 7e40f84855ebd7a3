"""What stands between a consumer and the server: a pooler in transaction mode gives each of its
transactions another backend, so that no lock of a session is its own and no notification comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from hueycore.exceptions import ConfigurationError

Connect = Callable[[], psycopg.Connection[Any]]

#: Looks at which backend serves a connection: another client may come between two of them.
_LOOKS = 3


def refuse_transaction_mode(session: psycopg.Connection[Any], connect: Connect) -> None:
    """Raise ``ConfigurationError`` unless this connection keeps its backend.

    A pooler tells a number of its own for that of the backend. In session mode the backend is the
    connection's for as long as it lasts; in transaction mode whoever comes next is given it."""
    backend = _backend(session)
    if backend == session.info.backend_pid:
        return
    for _ in range(_LOOKS):
        with connect() as other:
            mine = _backend(other) == backend
        if mine or _backend(session) != backend:
            raise ConfigurationError(
                "this address is a pooler in transaction mode, such as pgbouncer: a consumer needs "
                "a connection of its own, for the lock by which others see that it lives and for "
                "the news of jobs. Give it the server's own address, or one in session mode; "
                "programs that only enqueue may use this one"
            )


def _backend(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])

"""Connections to a server: a pool of our own, or one that the application has made.

A connection is used by one caller at a time and driven by hand: what redis-py does around a command
would send one again whose answer was lost, and its answers depend on how the client was made.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import lru_cache
from inspect import Parameter, iscoroutinefunction, signature
from ssl import CERT_NONE
from types import FunctionType, SimpleNamespace
from typing import Any, Protocol

from redis.backoff import NoBackoff
from redis.connection import Connection as TcpConnection
from redis.connection import SSLConnection, UnixDomainSocketConnection, parse_url
from redis.retry import Retry

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.storage.redis import forks
from hueycore.system import native
from hueycore.system.mask import masked

#: Seconds: for an answer, for a connection, and after which an idle connection is tried first.
ANSWER, CONNECT, IDLE = 5.0, 2.0, 15
#: redis-py's, or valkey-py's: they have the same methods.
Connection = Any


class Pool(Protocol):
    """Where connections come from. ``take`` and ``private`` do not connect."""

    def take(self) -> Connection: ...
    def give(self, connection: Connection) -> None: ...
    def private(self) -> Connection:
        """One that nobody else uses, and that is not counted among the others."""
        ...

    def discard(self) -> None:
        """Close what is idle: the server has gone, or is another one's replica now."""
        ...


class OwnPool:
    """As many connections as there are callers at once, to the server of a URL."""

    def __init__(self, options: dict[str, Any]) -> None:
        options = {**_USUAL, **options}
        self._class = options.pop("connection_class", TcpConnection)
        if not issubclass(self._class, UnixDomainSocketConnection):
            options.setdefault("socket_keepalive", True)
        checks = options.get("ssl_cert_reqs", "required") not in ("none", CERT_NONE)
        if issubclass(self._class, SSLConnection) and checks:
            options.setdefault("ssl_check_hostname", True)  # redis-py does so from 6.0 on
        self._options = options
        self._idle: list[Connection] = []

    def take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self.private()

    def give(self, connection: Connection) -> None:
        self._idle.append(connection)

    def private(self) -> Connection:
        return _native(self._class)(**self._options)

    def discard(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()


class ForeignPool:
    """The application's own. It has the last word on how many connections there are."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        first = [*signature(pool.get_connection).parameters.values()][:1]
        # Before redis-py 5.3 and in valkey-py it wants the name of a command.
        self._arguments = [
            "_" for each in first if each.default is Parameter.empty and each.kind < 2
        ]

    def take(self) -> Connection:
        connection = self.pool.get_connection(*self._arguments)
        if _is_of_another_thread(connection._sock):
            connection.disconnect()
        return connection

    def give(self, connection: Connection) -> None:
        self.pool.release(connection)

    def private(self) -> Connection:
        given = self.pool.connection_kwargs
        options = {name: given[name] for name in given if "maint_notifications" not in name}
        options.update(protocol=2, decode_responses=False)
        if options.get("socket_timeout") is None:
            options["socket_timeout"] = ANSWER
        return _native(self.pool.connection_class)(**options)

    def discard(self) -> None:
        self.pool.disconnect(inuse_connections=False)


class Nodes:
    """Where the server is. ``key``: any one of the keys that are asked for."""

    def pool(self, key: str) -> Pool:
        raise NotImplementedError

    def node(self, host: str, port: int) -> Pool:
        """The server that another one has named."""
        raise NotImplementedError

    def look_again(self) -> None:
        """A server has gone, or has said that the keys are elsewhere."""

    def close(self) -> None:
        """Close what is ours."""


class OneServer(Nodes):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def pool(self, key: str) -> Pool:
        return self._pool

    def node(self, host: str, port: int) -> Pool:
        raise ConfigurationError(
            f"the queue is on another node of a Redis Cluster ({host}:{port}): give a"
            " client=redis.RedisCluster(…)"
        )

    def look_again(self) -> None:
        self._pool.discard()

    def close(self) -> None:
        if isinstance(self._pool, OwnPool):
            self._pool.discard()


class Cluster(Nodes):
    """A ``RedisCluster`` of the application's: it knows which node has which keys."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._pools: dict[int, Pool] = {}

    def pool(self, key: str) -> Pool:
        return self._of(self._cluster.get_node_from_key(key))

    def node(self, host: str, port: int) -> Pool:
        node = self._cluster.get_node(host=host, port=port)
        if node is None:
            self._cluster.nodes_manager.initialize()
            node = self._cluster.get_node(host=host, port=port)
        if node is None:
            raise StorageError(
                f"Redis: the cluster names a node that it does not know: {host}:{port}"
            )
        return self._of(node)

    def look_again(self) -> None:
        for pool in self._pools.values():
            pool.discard()
        self._pools.clear()
        self._cluster.nodes_manager.initialize()

    def _of(self, node: Any) -> Pool:
        made = self._cluster.get_redis_connection(node).connection_pool
        return self._pools.setdefault(id(made), ForeignPool(made))


#: Nothing is sent again unless we say so; answers have the shape that scripts give as well.
_USUAL: dict[str, Any] = {
    "socket_timeout": ANSWER,
    "socket_connect_timeout": CONNECT,
    "health_check_interval": IDLE,
    "retry": Retry(NoBackoff(), 0),
    "protocol": 2,
}


def nodes(url: str, client: Any, options: dict[str, Any]) -> Nodes:
    """Where a URL leads, or the client or pool of the application. Raises
    ``ConfigurationError``."""
    if client is None:
        return OneServer(OwnPool({**parsed(url), **options}))
    if hasattr(client, "nodes_manager"):
        return Cluster(client)
    pool = getattr(client, "connection_pool", client)
    if not hasattr(pool, "get_connection") or not hasattr(pool, "connection_kwargs"):
        raise ConfigurationError(
            f"{type(client).__name__} is neither a client nor a connection pool of redis-py"
        )
    if iscoroutinefunction(pool.get_connection):
        raise ConfigurationError("the client of a queue is a synchronous one, not redis.asyncio's")
    return OneServer(ForeignPool(pool))


def parsed(url: str) -> dict[str, Any]:
    """redis-py's options of a URL. Raises ``ConfigurationError``."""
    try:
        return dict(parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError as error:
        # It may repeat the password as a port that is no number.
        raise ConfigurationError(f"the Redis URL {masked(url)} cannot be read") from (
            None if str(error) else error
        )


# --- sockets of native threads --------------------------------------------------------------------


def _is_of_another_thread(sock: Any) -> bool:
    """A socket of gevent's can wait only in the hub of the thread that connected it."""
    hub = getattr(sock, "hub", None)
    return hub is not None and hub is not sys.modules["gevent"].get_hub()


@lru_cache
def _native(kind: type[Any]) -> type[Any]:
    """The same class; where gevent has replaced the sockets, one whose socket waits with its
    thread: several threads use a connection one after another, and each would have its own hub."""
    made: dict[str, Any] = {"_connect": _connect_natively} if native.is_patched("socket") else {}

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        kind.__init__(self, *args, **options)
        forks.connections.add(self)

    return type(kind.__name__, (kind,), {"__init__": __init__, "_kind": kind, **made})


def _connect_natively(self: Any) -> Any:
    sock = _connect_of(self._kind)(self)
    if isinstance(sock, native.Socket) or hasattr(sock, "context"):
        return sock  # TLS: only its own module knows it
    timeout = sock.gettimeout()
    found = native.Socket(fileno=sock.detach())
    found.settimeout(timeout)
    return found


@lru_cache
def _connect_of(kind: type[Any]) -> Callable[[Any], Any]:
    """How a class connects, with sockets that are not gevent's: these would make a hub for the
    thread, which takes descriptors, and ends the process where there are none."""
    plain = kind._connect
    if not isinstance(plain, FunctionType):
        return plain  # type: ignore[no-any-return]
    names = {**vars(socket), "socket": native.Socket, "getaddrinfo": native.getaddrinfo}
    around = {**plain.__globals__, "socket": SimpleNamespace(**names)}
    return FunctionType(plain.__code__, around, closure=plain.__closure__)

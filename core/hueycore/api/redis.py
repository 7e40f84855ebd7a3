"""``RedisHuey`` and its kin. Who uses another engine imports nothing of it."""

from __future__ import annotations

from typing import Any

from hueycore.api.huey import NAME, Huey
from hueycore.calendar.durations import number
from hueycore.exceptions import ConfigurationError
from hueycore.storage.location import RedisLocation
from hueycore.storage.open import locate
from hueycore.storage.redis_address import LOCAL, url_of

#: redis-py's options of a connection, beside those that say where the server is.
WORDS = frozenset(
    (
        *("username", "password", "client_name", "credential_provider", "protocol"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive"),
        *("socket_keepalive_options", "health_check_interval", "ssl_keyfile", "ssl_certfile"),
        *("ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "ssl_check_hostname"),
        *("ssl_password", "ssl_min_version", "ssl_ciphers"),
    )
)
#: Options of Huey's that say what is so anyway: an idle worker is woken, a waiter is told.
_NO_EFFECT = ("blocking", "notify_result", "notify_result_ttl", "clean_name", "read_timeout")


class RedisHuey(Huey):
    """A named queue on a Redis or Valkey server, which any number of hosts may share. It needs
    redis-py: ``pip install 'hueyctl[redis]'``.

    :param name: the queue; several may share one server.
    :param url: ``redis://ann@db:6379/0``, ``rediss://`` with TLS, ``unix:///run/redis.sock?db=0``.
    :param connection_pool: a pool of redis-py's or valkey-py's, used as it is, such as
        ``Sentinel(…).master_for("main").connection_pool``.
    :param client: a ``redis.Redis``, a ``redis.RedisCluster``, or valkey-py's, used as it is.
    :param host: with ``port``, ``db``, ``password``, ``username``, ``unix_socket_path``, ``ssl``
        and redis-py's options of a connection: instead of a URL.
    :param replicas: how many replicas must have a job before ``enqueue`` returns.

    ``blocking``, ``read_timeout``, ``notify_result``, ``notify_result_ttl`` and ``clean_name`` have
    no effect. All other options are those of ``Huey``; what is about files alone has none either.
    """

    def __init__(
        self,
        name: str = NAME,
        *,
        url: str | RedisLocation | None = None,
        connection_pool: Any = None,
        client: Any = None,
        host: str | None = None,
        port: int | str | None = None,
        db: int | str | None = None,
        unix_socket_path: str | None = None,
        ssl: bool = False,
        replicas: int = 0,
        connection: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        for idle in _NO_EFFECT:
            options.pop(idle, None)
        address = {"host": host, "port": port, "db": db, "unix_socket_path": unix_socket_path}
        given = {**address, "ssl": ssl or None}
        words = {**(connection or {}), **{k: v for k, v in given.items() if v is not None}}
        words.update({word: options.pop(word) for word in sorted(WORDS & options.keys())})
        location = _location(url, connection_pool, client, words)
        if replicas:
            location = location.with_words({"replicas": replicas})
        options["url"] = location
        super().__init__(name, **options)


class PriorityRedisHuey(RedisHuey):
    """Huey's name for a queue with priorities, as every queue is here."""


class RedisExpireHuey(RedisHuey):
    """Results are kept for a time, and reading one does not take it.

    :param expire_time: seconds that a result is kept, unless its task says ``result_ttl``.
    """

    keeps_results = True

    def __init__(self, name: str = NAME, expire_time: float = 86_400, **options: Any) -> None:
        super().__init__(name, **options)
        self.result_ttl = number("expire_time", expire_time, 0)


class PriorityRedisExpireHuey(RedisExpireHuey):
    """Huey's name for the same with priorities."""


def _location(
    url: str | RedisLocation | None, pool: Any, client: Any, words: dict[str, Any]
) -> RedisLocation:
    """Raises ``ConfigurationError`` when several of them say where the server is."""
    if sum(one is not None for one in (url, pool, client)) + any(_address(words)) > 1:
        raise ConfigurationError(
            "the connection is over-determined: give only one of url=, connection_pool=, client="
            " and host= with its kin"
        )
    if client is not None or pool is not None:
        return RedisLocation(LOCAL, client=client if client is not None else pool)
    words = {**words}
    if url is None:
        address = {name: words.pop(name, None) for name in ("host", "port", "db")}
        path, tls = words.pop("unix_socket_path", None), bool(words.pop("ssl", False))
        url = url_of(
            address["host"],
            None if address["port"] is None else int(address["port"]),
            None if address["db"] is None else int(address["db"]),
            path,
            tls,
        )
    location = url if isinstance(url, RedisLocation) else locate(url)
    if not isinstance(location, RedisLocation):
        raise ConfigurationError(f"{location.name} is no Redis server: redis://host:6379/0")
    return location.with_words(words)


def _address(words: dict[str, Any]) -> list[str]:
    return [name for name in words if name in ("host", "port", "db", "unix_socket_path", "ssl")]

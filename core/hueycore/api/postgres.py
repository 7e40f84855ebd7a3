"""``PostgresHuey``. Who uses another engine imports nothing of it."""

from __future__ import annotations

from typing import Any

from hueycore.api.huey import NAME, Huey
from hueycore.exceptions import ConfigurationError
from hueycore.storage.open import locate_dsn

#: Connection parameters of libpq that have no meaning for ``Huey`` itself.
LIBPQ = frozenset(
    (
        *("host", "hostaddr", "port", "dbname", "user", "password", "passfile", "service"),
        *("servicefile", "connect_timeout", "client_encoding", "options", "application_name"),
        *("fallback_application_name", "target_session_attrs", "load_balance_hosts"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
        *("tcp_user_timeout", "channel_binding", "require_auth", "requirepeer"),
        *("sslmode", "sslnegotiation", "sslcompression", "sslcert", "sslkey", "sslpassword"),
        *("sslcertmode", "sslrootcert", "sslcrl", "sslcrldir", "sslsni"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version"),
        *("min_protocol_version", "max_protocol_version"),
        *("gssencmode", "krbsrvname", "gsslib", "gssdelegation"),
    )
)


class PostgresHuey(Huey):
    """A named queue in a PostgreSQL database, which any number of hosts may share. It needs
    psycopg 3: ``pip install 'hueyctl[postgres]'``.

    :param name: the queue; several may share one schema.
    :param dsn: a URL ``postgresql://ann@db/app?schema=jobs``, or the ``key=value`` words of libpq.
        What it leaves out is for libpq's variables, its service file and its password file.
    :param schema: where the tables are, or will be; ``public`` unless the URL says another one.
    :param connection: more of libpq's parameters, as a dictionary. They may be keywords as well:
        ``PostgresHuey("app", host="db", dbname="app")``. The storage opens several connections of
        its own, so Huey's function that returns one is refused with ``ConfigurationError``.

    All other options are those of ``Huey``; what is about files alone has no effect.
    """

    def __init__(
        self,
        name: str = NAME,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        connection: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if connection is not None and not isinstance(connection, dict):
            raise ConfigurationError(
                "connection= is a dictionary of libpq's parameters here: the storage opens several "
                "connections of its own, so give dsn="
            )
        words = {word: options.pop(word) for word in sorted(LIBPQ & options.keys())}
        location = locate_dsn(dsn or options.pop("url", ""), schema)
        options["url"] = location.with_words({**(connection or {}), **words})
        super().__init__(name, **options)

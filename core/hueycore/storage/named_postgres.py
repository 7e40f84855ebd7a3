"""The engine of PostgreSQL under Huey's name: a name, then where the database is."""

from __future__ import annotations

from typing import Any

from hueycore.storage.location import without_driver

try:
    from hueycore.storage.postgres import PostgresStorage as Engine
except ImportError as error:
    raise without_driver(error) from error

__all__ = ["PostgresStorage"]


class PostgresStorage(Engine):
    """A queue in a PostgreSQL database, by Huey's order of arguments; ``Huey(storage_class=)``
    takes subclasses."""

    address = "dsn"

    def __init__(self, name: str = "huey", dsn: str = "", **options: Any) -> None:
        super().__init__(dsn, name, **options)

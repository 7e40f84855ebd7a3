"""The engine of Redis under Huey's names: a name, then where the server is."""

from __future__ import annotations

from typing import Any

from hueycore.storage.location import without_redis

try:
    from hueycore.storage.redis import RedisStorage as Engine
except ImportError as error:
    raise without_redis(error) from error

__all__ = [
    "PriorityRedisExpireStorage",
    "PriorityRedisStorage",
    "RedisExpireStorage",
    "RedisStorage",
]


class RedisStorage(Engine):
    """A queue on a Redis server, by Huey's order of arguments; ``Huey(storage_class=)`` takes
    subclasses."""

    address = "url"

    def __init__(self, name: str = "huey", url: str = "", **options: Any) -> None:
        super().__init__(url, name, **options)


#: They differ in Huey only.
RedisExpireStorage = PriorityRedisStorage = PriorityRedisExpireStorage = RedisStorage

"""What keeps the jobs. Huey's users import its storages from here; each is loaded when it is."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hueycore.storage.named import BaseStorage, MemoryStorage, SqliteStorage
    from hueycore.storage.named_postgres import PostgresStorage
    from hueycore.storage.named_redis import (
        PriorityRedisExpireStorage,
        PriorityRedisStorage,
        RedisExpireStorage,
        RedisStorage,
    )

__all__ = [
    "BaseStorage",
    "MemoryStorage",
    "PostgresStorage",
    "PriorityRedisExpireStorage",
    "PriorityRedisStorage",
    "RedisExpireStorage",
    "RedisStorage",
    "SqliteStorage",
]

_OF_REDIS = (
    "PriorityRedisExpireStorage",
    "PriorityRedisStorage",
    "RedisExpireStorage",
    "RedisStorage",
)


def __getattr__(name: str) -> Any:
    if name == "PostgresStorage":
        from hueycore.storage.named_postgres import PostgresStorage

        return PostgresStorage
    if name in ("BaseStorage", "MemoryStorage", "SqliteStorage"):
        from hueycore.storage import named

        return getattr(named, name)
    if name in _OF_REDIS:
        from hueycore.storage import named_redis

        return getattr(named_redis, name)
    from hueycore.absent import ENGINE, absent

    texts = {
        "CySqliteStorage": ENGINE,
        "FileStorage": ENGINE,
        "BlackHoleStorage": "MemoryStorage(name) forgets its jobs with the process",
    }
    return absent(__name__, texts, name)

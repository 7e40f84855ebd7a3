"""What keeps the jobs. Huey's users import its storages from here; each is loaded when it is."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hueycore.storage.named import BaseStorage, MemoryStorage, SqliteStorage

__all__ = ["BaseStorage", "MemoryStorage", "SqliteStorage"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from hueycore.storage import named

        return getattr(named, name)
    from hueycore.absent import ENGINE, POSTGRES, REDIS, absent

    texts = {
        "RedisStorage": REDIS + ENGINE,
        "RedisExpireStorage": REDIS + ENGINE,
        "PriorityRedisStorage": REDIS + ENGINE,
        "PriorityRedisExpireStorage": REDIS + ENGINE,
        "PostgresStorage": POSTGRES + ENGINE,
        "CySqliteStorage": ENGINE,
        "FileStorage": ENGINE,
        "BlackHoleStorage": "MemoryStorage(name) forgets its jobs with the process",
    }
    return absent(__name__, texts, name)

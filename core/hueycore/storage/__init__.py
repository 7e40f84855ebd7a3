"""What keeps the jobs. Huey's users import its storages from here; each is loaded when it is."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hueycore.storage.named import BaseStorage, MemoryStorage, SqliteStorage
    from hueycore.storage.named_postgres import PostgresStorage

__all__ = ["BaseStorage", "MemoryStorage", "PostgresStorage", "SqliteStorage"]


def __getattr__(name: str) -> Any:
    if name == "PostgresStorage":
        from hueycore.storage.named_postgres import PostgresStorage

        return PostgresStorage
    if name in __all__:
        from hueycore.storage import named

        return getattr(named, name)
    from hueycore.absent import ENGINE, REDIS, absent

    texts = {
        "RedisStorage": REDIS + ENGINE,
        "RedisExpireStorage": REDIS + ENGINE,
        "PriorityRedisStorage": REDIS + ENGINE,
        "PriorityRedisExpireStorage": REDIS + ENGINE,
        "CySqliteStorage": ENGINE,
        "FileStorage": ENGINE,
        "BlackHoleStorage": "MemoryStorage(name) forgets its jobs with the process",
    }
    return absent(__name__, texts, name)

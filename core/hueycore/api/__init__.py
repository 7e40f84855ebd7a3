"""The queue as an application sees it. Huey's users import all of these from here."""

from typing import TYPE_CHECKING, Any

from hueycore.api.huey import Huey, MemoryHuey, SqliteHuey
from hueycore.api.limits import RateLimit
from hueycore.api.locks import TaskLock
from hueycore.calendar.schedule import crontab
from hueycore.canvas import SKIPPED, Error
from hueycore.tasks.canvas import chord, group
from hueycore.tasks.result import ChordResult, Result, ResultGroup
from hueycore.tasks.task import PeriodicTask, Task
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.api.postgres import PostgresHuey
    from hueycore.api.redis import (
        PriorityRedisExpireHuey,
        PriorityRedisHuey,
        RedisExpireHuey,
        RedisHuey,
    )

__all__ = [
    "SKIPPED",
    "ChordResult",
    "Error",
    "Huey",
    "MemoryHuey",
    "PeriodicTask",
    "PostgresHuey",
    "PriorityRedisExpireHuey",
    "PriorityRedisHuey",
    "RateLimit",
    "RedisExpireHuey",
    "RedisHuey",
    "Result",
    "ResultGroup",
    "SqliteHuey",
    "Task",
    "TaskLock",
    "TaskWrapper",
    "chord",
    "crontab",
    "group",
]

_OF_REDIS = ("PriorityRedisExpireHuey", "PriorityRedisHuey", "RedisExpireHuey", "RedisHuey")


def __getattr__(name: str) -> Any:
    # Imported here: who has another engine needs neither.
    if name == "PostgresHuey":
        from hueycore.api.postgres import PostgresHuey

        return PostgresHuey
    if name in _OF_REDIS:
        from hueycore.api import redis

        return getattr(redis, name)
    from hueycore.absent import HUEYS, absent

    return absent(__name__, HUEYS, name)

"""The queue as an application sees it. Huey's users import all of these from here."""

from functools import partial

from hueycore.absent import HUEYS, absent
from hueycore.api.huey import Huey, MemoryHuey, SqliteHuey
from hueycore.api.limits import RateLimit
from hueycore.api.locks import TaskLock
from hueycore.calendar.schedule import crontab
from hueycore.canvas import SKIPPED, Error
from hueycore.tasks.canvas import chord, group
from hueycore.tasks.result import ChordResult, Result, ResultGroup
from hueycore.tasks.task import PeriodicTask, Task
from hueycore.tasks.wrapper import TaskWrapper

__all__ = [
    "SKIPPED",
    "ChordResult",
    "Error",
    "Huey",
    "MemoryHuey",
    "PeriodicTask",
    "RateLimit",
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

__getattr__ = partial(absent, __name__, HUEYS)

"""The queue that is measured, and its jobs: the same ones for hueycore and Huey, with results
stored, in a SQLite file or in a server, and there for others. Also the application of ``hueyctl
consume`` and ``huey_consumer``.

It uses public names of hueycore only: other commits are measured by this file too.
"""

import itertools
import json
import os
import sqlite3
import time
from typing import Any

from settings import FILE, FOLDER, OURS, REDIS, SYSTEM, THEIRS, URL, check_tree

Busy: type[Exception]
if OURS:
    import hueycore
    from hueycore import StorageBusy as Busy

    check_tree(hueycore.__file__)
    durability = "fast" if SYSTEM == "hueycore-fast" else "standard"
    if REDIS:
        huey: Any = hueycore.RedisHuey("bench", url=URL)
    elif URL:
        huey = hueycore.PostgresHuey("bench", URL)
    else:
        huey = hueycore.SqliteHuey("bench", FILE, durability=durability)
    _ = huey.storage  # makes its tables, as others do when they are opened
elif REDIS:
    import redis

    Busy = redis.ConnectionError
    if THEIRS:
        from huey import RedisHuey

        huey = RedisHuey("bench", url=URL)
    else:
        from peers import opened

        huey = opened(SYSTEM, URL)
elif URL:
    import psycopg

    Busy = psycopg.OperationalError
    if THEIRS:
        from huey import PostgresHuey

        huey = PostgresHuey("bench", dsn=URL)
    else:
        from peers import opened

        huey = opened(SYSTEM, URL)
else:
    from huey import SqliteHuey

    # As its users have it: SQLite's own default, which syncs each commit.
    huey = SqliteHuey("bench", filename=FILE, fsync=False if SYSTEM == "huey-unsynced" else None)
    Busy = sqlite3.OperationalError

#: How many jobs this process has run.
count = 0


@huey.task()
def noop(number: int) -> int:
    global count
    count += 1
    return number


@huey.task()
def since(start: float) -> float:
    return time.time() - start


@huey.task()
def nap(seconds: float) -> float:
    global count
    time.sleep(seconds)
    count += 1
    return time.time()


@huey.task()
def lapse(seconds: float) -> tuple[float, float]:
    start = time.time()
    time.sleep(seconds)
    return start, time.time()


async def _anap(seconds: float) -> tuple[float, float]:
    import asyncio  # here: it is no part of what a consumer of threads takes

    start = time.time()
    await asyncio.sleep(seconds)
    return start, time.time()


anap: Any = huey.task()(_anap) if OURS else None


@huey.task()
def burn(seconds: float) -> float:
    end = time.time() + seconds
    while time.time() < end:
        pass
    return time.time()


@huey.task()
def crunch() -> int:
    """The same work wherever it runs, unlike ``burn``, which ends by the clock."""
    return sum(i * i for i in range(300_000))


@huey.task()
def fail(number: int) -> None:
    raise ValueError(number)


#: Where the consumer of a command writes when its jobs ran.
TALLY = FOLDER / "tally.json"
_tallied = itertools.count(1)
_began = 0.0, 0.0


@huey.task()
def tally(number: int) -> int:
    """A no-op. The last of so many writes down when the first began and when it did itself, by the
    monotonic clock, and the CPU that the process had taken when the first began."""
    global _began
    mine = next(_tallied)
    now = time.monotonic(), time.process_time()
    if mine == 1:
        _began = now
    if mine == number:
        TALLY.with_suffix(".new").write_text(json.dumps([*_began, now[0]]))
        os.replace(TALLY.with_suffix(".new"), TALLY)
    return mine

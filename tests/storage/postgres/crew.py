"""Helper processes, started by ``Crew``: each has a role, says what it has done in lines of JSON,
and goes on when it is told to."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import psycopg

from hueycore.model.endings import Done
from hueycore.model.jobs import Ended, Want
from hueycore.storage.postgres import PostgresStorage


def say(value: Any) -> None:
    print(json.dumps(value), flush=True)


def hear() -> str:
    return sys.stdin.readline().strip()


def work(dsn: str, schema: str, free: int, begun: int) -> None:
    """A worker that claims jobs, begins some of them and never ends one."""
    storage = PostgresStorage(dsn, schema=schema)
    number = storage.register(name="victim", kind="thread", slots=8)
    claims = storage.exchange(number, [], Want(free)).claims if free else []
    for slot, claim in enumerate(claims[:begun]):
        storage.slots(number).start(slot, claim.seq, claim.claim)
    say([number, [claim.seq for claim in claims]])
    hear()


def lock(dsn: str, schema: str, name: str) -> None:
    """A process that holds a lock."""
    storage = PostgresStorage(dsn, schema=schema)
    number = storage.register(name="holder", kind="lock", slots=0)
    say([number, storage.lock(name, number, b"token")])
    hear()


def wait(dsn: str, schema: str, rounds: int) -> None:
    """A consumer that only listens: when it hears something, and what the time is then."""
    storage = PostgresStorage(dsn, schema=schema)
    storage.wait(0)
    say("ready")
    for _ in range(rounds):
        heard = storage.wait(1.0)
        say([heard, time.time()])


def complete(dsn: str, schema: str, free: int) -> None:
    """A worker whose runs end in transactions of the application's, and that dies before it says
    so."""
    storage = PostgresStorage(dsn, schema=schema)
    number = storage.register(name="victim", kind="thread", slots=8)
    claims = storage.exchange(number, [], Want(free)).claims
    with psycopg.connect(dsn) as connection:
        for claim in claims:
            assert storage.on(connection).end(Ended(claim, Done(b"mine"), claim.run_at, 0.1))
    say([claim.seq for claim in claims])
    hear()


if __name__ == "__main__":
    roles = {"work": work, "lock": lock, "wait": wait, "complete": complete}
    roles[sys.argv[1]](*json.loads(sys.argv[2]))

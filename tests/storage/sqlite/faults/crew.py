"""What helper processes of the fault suites do: ``crew.py ROLE '[ARGUMENTS]'``. They say one JSON
value per line, and wait for a line where a test must go on first."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from typing import Any

from hueycore.model.jobs import Claim, Ended, Want
from hueycore.storage.sqlite import SqliteStorage
from hueycore.storage.sqlite.database import Database
from tests.storage.kit import ended, new


def say(value: Any) -> None:
    print(json.dumps(value), flush=True)


def listen() -> str:
    return sys.stdin.readline().strip()


def produce(path: str, number: int, prefix: str) -> None:
    """Enqueue one by one; say what was acknowledged."""
    storage = SqliteStorage(path)
    say("ready")
    listen()
    say([storage.enqueue([new(id=f"{prefix}-{n}")])[0].id for n in range(number)])
    storage.close()


def consume(path: str, total: int) -> None:
    """Claim and end until so many jobs are over; say what ran."""
    storage = SqliteStorage(path)
    worker = storage.register(name=f"consumer {os.getpid()}", kind="thread", slots=4)
    say("ready")
    listen()
    ran: list[tuple[str, int]] = []
    endings: list[Ended] = []
    while True:
        got = storage.exchange(worker, endings, Want(4))
        assert got.lost == [], "somebody else ended a run of mine"
        endings = []
        for slot, claim in enumerate(got.claims):
            storage.slots(worker).start(slot, claim.seq, claim.claim)
            ran.append((claim.id, claim.attempt))
            storage.slots(worker).clear(slot)
            endings.append(ended(claim))
        if not got.claims and _over(storage) >= total:
            break
        if not got.claims:
            storage.wait(0.02)
    storage.unregister(worker)
    say(ran)
    storage.close()


def _over(storage: SqliteStorage) -> int:
    query = """
        select count(*) from huey_job
        where queue = 'huey' and state = 'done' and finished_at is not null
    """
    return int(storage.db.read(lambda con: con.execute(query).fetchone()[0]))


def contend(path: str, seconds: float) -> None:
    """Write as often as one can; say how often that was and what the longest wait was."""
    storage = SqliteStorage(path)
    say("ready")
    listen()
    count, longest = 0, 0.0
    end = time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        storage.incr(f"counter {os.getpid()}")
        longest = max(longest, time.monotonic() - begun)
        count += 1
    say([count, longest])
    storage.close()


def work(path: str, claims: int, started: int) -> None:
    """Be a worker with so many claims, some of them started, and do as told."""
    storage = SqliteStorage(path)
    worker = storage.register(name="victim", kind="thread", slots=8)
    mine: list[Claim] = []
    while len(mine) < claims:
        got = storage.exchange(worker, [], Want(claims - len(mine))).claims
        assert got, "there are too few jobs"
        mine += got
    for slot, claim in enumerate(mine[:started]):
        storage.slots(worker).start(slot, claim.seq, claim.claim)
    say([worker, [claim.seq for claim in mine]])
    while word := listen():
        if word == "stopping":
            storage.stopping(worker)
        elif word == "recover":
            say([[one.job.seq, one.state, one.started] for one in storage.recover()])
            continue
        elif word == "look":
            say([[row.id, row.alive] for row in storage.workers()])
            continue
        elif word == "neighbours":
            _use_other_storages(path)
        elif word == "open the side file":
            open(path + "-huey").close()
        elif word == "exec":
            say("done")
            os.execv(sys.executable, [sys.executable, "-c", "import sys; sys.stdin.readline()"])
        say("done")


def _use_other_storages(path: str) -> None:
    for options in ({}, {"read_only": True}):
        other = SqliteStorage(path, **options)
        other.workers()
        other.recover() if not options else other.depths()
        other.close()
    another = SqliteStorage(path, "another queue")
    number = another.register(name="sibling", kind="thread", slots=1)
    another.unregister(number)
    another.close()


def recover(path: str) -> None:
    """Look for dead workers as soon as told."""
    storage = SqliteStorage(path)
    storage.workers()
    say("ready")
    listen()
    say([one.job.seq for one in storage.recover()])
    storage.close()


def close_files(path: str, suffixes: list[str], seconds: float) -> threading.Thread:
    """What a job does to a folder that it archives: open, read and close, beside all else."""
    end = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < end:
            for suffix in suffixes:
                try:
                    with open(path + suffix, "rb") as file:
                        file.read(100)
                except OSError:
                    pass
            time.sleep(0.002)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def come_and_go(path: str, log: str, seconds: float, stay: int, suffixes: list[str]) -> None:
    """Open the queue, enqueue up to ``stay`` jobs and leave, again and again, while its files of
    these suffixes are opened and closed; what was acknowledged is written down at once."""
    close_files(path, suffixes, seconds)
    told = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    chance = random.Random(os.getpid())
    end = time.monotonic() + seconds
    say("ready")
    while time.monotonic() < end:
        storage = SqliteStorage(path)
        for _ in range(chance.randint(1, stay)):
            (job,) = storage.enqueue([new()])
            os.write(told, f"{job.id}\n".encode())
            if chance.random() < 0.05:
                storage.db.checkpoint(truncate=chance.random() < 0.5)
        storage.close()
    say("done")


def hold(path: str) -> None:
    """Keep a write transaction open until told."""

    def body(con: object) -> None:
        say("holding")
        listen()

    database = Database(path)
    database.transact(body)
    say("gone")
    database.close()


def preload(path: str) -> None:
    """A parent that opens the queue, forks a child that enqueues and leaves as programs do."""
    storage = SqliteStorage(path)
    storage.enqueue([new(id="parent-0")])
    pid = os.fork()
    if pid == 0:
        for number in range(100):
            storage.enqueue([new(id=f"child-{number}")])
        storage.close()
        sys.exit(0)  # unlike os._exit: the interpreter takes everything apart
    for number in range(1, 50):
        storage.enqueue([new(id=f"parent-{number}")])
    _, status = os.waitpid(pid, 0)
    assert status == 0
    for number in range(50, 100):
        storage.enqueue([new(id=f"parent-{number}")])
    say("done")
    listen()
    storage.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*json.loads(sys.argv[2]))

"""A queue into which somebody has written whatever he liked, wherever it can be written."""

from __future__ import annotations

import time

from clikit import QueueFile, fill

from hueycore.model.endings import Dead, Failure
from hueycore.model.events import LogLine, Said
from hueycore.model.jobs import Ended, Selector, Want
from hueycore.model.limits import Limit
from hueycore.model.schedules import Periodic
from hueycore.storage.open import open_storage

SCRIPT = """<script>alert(1)</script>"'><img src=x onerror=alert(2)><a href=javascript:alert(3)>"""
EVIL = SCRIPT + "{{7*7}}\u202eltr\x1b[31m\x07\r\n;$(id)`" + "x" * 400
NAME = EVIL[:200]


def spoil(queue: QueueFile) -> None:
    """On top of jobs of each state; a worker stays alive."""
    fill(queue)
    storage = queue.storage
    storage.record_events(True)
    storage.declare_limits([Limit(NAME, "key" + NAME, 1)])
    arguments = {"preview": EVIL, "payload": queue.serializer.serialize(((EVIL,), {}))}
    queue.add("evil" + NAME, id="evil-1", key_name="key" + NAME, **arguments)
    worker = storage.register(name=NAME, kind="thread", slots=2)
    failure = Failure(NAME, EVIL, f"Traceback (most recent call last):\n{EVIL}")
    said = Said(EVIL, [LogLine(time.time(), "ERROR", EVIL, 1), LogLine(time.time(), NAME, "x", 1)])
    claims = storage.exchange(worker, [], Want(1)).claims
    ended = [Ended(claim, Dead("failed", failure), time.time() - 1, 0.5, said) for claim in claims]
    storage.exchange(worker, ended, Want(0))
    for number in range(3):
        queue.add(NAME, id=f"evil-2{number}", key_name=f"key{NAME}", **arguments)
    queue.add(NAME, id="evil-3", unique_key=NAME, unique_until="end", run_at=4e9, **arguments)
    storage.exchange(worker, [], Want(4))
    storage.lock(NAME, worker, b"token")
    schedule = Periodic(NAME, NAME, "*/5 * * * *", None, time.time() + 60, preview=EVIL)
    storage.schedule_periodic(schedule)
    storage.revoke(Selector(keys=("3",)), EVIL)
    storage.pause(task=NAME, by=NAME, reason=EVIL)
    storage.pause(by=NAME, reason=EVIL)
    other = open_storage(queue.where, NAME[:100].replace("?", ""), create=True, operator=NAME)
    other.pause(by=NAME, reason=EVIL)
    other.close()

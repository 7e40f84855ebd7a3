"""Helpers for the tests of the commands that operate a queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from click.testing import Result
from clikit import QueueFile

from hueycore.storage.open import open_storage
from tests.helpers import wait_until
from tests.storage.engines import lab_of

Invoke = Callable[..., Result]
OnTty = Callable[..., tuple[int, str]]

URL = ("-u", "queue.db")


def ask(invoke: Invoke, *words: str, **how: Any) -> Result:
    """Run a command line on queue.db."""
    return invoke(*words, *URL, **how)


def change(invoke: Invoke, *words: str, code: int = 0, **how: Any) -> dict[str, Any]:
    """The change document of a command line that must exit with ``code``."""
    result = ask(invoke, *words, "--json", **how)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["schema"] == "hueyctl.change/1"
    return found


def error(invoke: Invoke, *words: str) -> tuple[int, str, str | None]:
    """Exit code, message and hint of a command line that must fail."""
    result = ask(invoke, *words, "-o", "json")
    found = json.loads(result.stderr.splitlines()[-1])["error"]
    assert found["exit"] == result.exit_code
    return result.exit_code, found["message"], found["hint"]


def states(queue: QueueFile) -> dict[int, str]:
    from hueycore.model.jobs import Selector

    return {job.seq: str(job.state) for job in queue.storage.jobs(Selector())}


def row(queue: QueueFile, seq: int) -> Any:
    found = queue.storage.job(str(seq))
    assert found is not None
    return found


def alter(queue: QueueFile, *seqs: int, **columns: Any) -> None:
    """Change jobs behind the storage's back: these, or all of them. A function gets the value that
    there was."""
    from hueycore.model.jobs import Selector

    for job in queue.storage.jobs(Selector()):
        if not seqs or job.seq in seqs:
            values = {
                name: value(getattr(job, name)) if callable(value) else value
                for name, value in columns.items()
            }
            lab_of(queue.storage).set(job.seq, **values)


def sql(queue: QueueFile, query: str, *values: Any) -> int:
    """Change rows behind the storage's back."""
    return queue.storage.db.transact(lambda con: con.execute(query, values).rowcount)


def consumer(queue: QueueFile, name: str = "alpha", slots: int = 2) -> int:
    """A live consumer: this process holds its lock until the storage is closed."""
    return queue.storage.register(name=name, kind="thread", slots=slots)


def start(queue: QueueFile, worker: int, slot: int = 0) -> Any:
    """The consumer claims the next job and starts it."""
    (claim,) = claim_only(queue, worker)
    queue.storage.slots(worker).start(slot, claim.seq, claim.claim)
    wait_until(lambda: claim.seq in begun(queue), what="others know that it has begun")
    return claim


def ended_after(queue: QueueFile, number: int, run_s: float) -> None:
    """So many runs of app.add that took so long have just ended well."""
    from hueycore.model.endings import Done
    from hueycore.model.jobs import Ended, Want

    worker = queue.storage.register(name="before", kind="thread", slots=4)
    for _ in range(number):
        queue.add("app.add")
    claims = queue.storage.exchange(worker, [], Want(number)).claims
    endings = [Ended(claim, Done(), time.time() - run_s, run_s) for claim in claims]
    queue.storage.exchange(worker, endings, Want(0))
    queue.storage.unregister(worker)


def begun(queue: QueueFile) -> list[int]:
    """The jobs of which another process knows that they have begun."""
    with closing(open_storage(queue.where, read_only=True, create=False)) as other:
        return [run[1] for row in other.workers() for run in row.running]


def claim_only(queue: QueueFile, worker: int) -> Sequence[Any]:
    """The consumer claims the next job, and no worker of it has started."""
    from hueycore.model.jobs import Want

    claims = queue.storage.exchange(worker, [], Want(1)).claims
    assert len(claims) == 1
    return claims


def bury(queue: QueueFile) -> None:
    """Every consumer is dead."""
    for worker in queue.storage.workers():
        lab_of(queue.storage).kill(worker.id)


def pipeline(queue: QueueFile, *tasks: str) -> list[int]:
    """Jobs that wait for each other; their numbers."""
    return join(queue, list(tasks), [(n, n + 1) for n in range(len(tasks) - 1)])


def join(queue: QueueFile, tasks: list[str], edges: Sequence[tuple[int, ...]]) -> list[int]:
    """Jobs with edges (parent, child) or (parent, child, slot) by place; their numbers."""
    from hueycore.model.jobs import NewJob
    from hueycore.model.plan import Edge, Plan
    from hueycore.system.ids import new_id

    payload = queue.serializer.serialize(((), {}))
    jobs = [NewJob(new_id(), task, payload, "") for task in tasks]
    return [job.seq for job in queue.storage.enqueue(jobs, Plan([Edge(*edge) for edge in edges]))]


def chord(queue: QueueFile, members: int) -> list[int]:
    """Members and their callback, the last one."""
    tasks = ["app.member"] * members + ["app.callback"]
    return join(queue, tasks, [(place, members, place) for place in range(members)])


def add_schedule(queue: QueueFile, name: str, *args: Any, **row: Any) -> None:
    """A schedule as an application stores or (``origin``) declares it; due in an hour."""
    from hueycore.model.schedules import Periodic

    given = {
        "task": "app.report", "schedule": "0 * * * *", "tz": None, "next_run": time.time() + 3600,
        "payload": queue.serializer.serialize((args, {})), "origin": "stored",
        "preview": queue.serializer.preview(args, {}), **row,
    }  # fmt: skip
    one = Periodic(name=name, **given)
    if one.origin == "stored":
        queue.storage.schedule_periodic(one)
    else:
        others = [row for row in queue.storage.periodic() if row.origin != "stored"]
        queue.storage.declare_periodic([*others, one])


def schedule(queue: QueueFile, name: str) -> Any:
    (found,) = (row for row in queue.storage.periodic() if row.name == name)
    return found

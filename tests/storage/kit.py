"""What the storage suites share: jobs to be born, runs to be ended, rows to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hueycore.model.endings import Done, Ending, Failure
from hueycore.model.jobs import (
    Claim,
    Ended,
    Enqueued,
    Exchange,
    Job,
    NewJob,
    Selector,
    Want,
)
from hueycore.model.plan import Edge, Plan
from hueycore.model.schedules import Periodic
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.system.ids import new_id

FAILURE = Failure("ValueError", "no", "Traceback: no")
DAY = 86_400.0
#: Where tests freeze the clock.
NOW = 2_000_000_000.0


def new(task: str = "task", payload: bytes = b"payload", **fields: Any) -> NewJob:
    return NewJob(fields.pop("id", None) or new_id(), task, payload, **fields)


def born(storage: Storage, task: str = "task", **fields: Any) -> Enqueued:
    """Enqueue one job."""
    return storage.enqueue([new(task, **fields)])[0]


def worker(storage: Storage, name: str = "worker") -> int:
    return storage.register(name=name, kind="thread", slots=8)


def take(storage: Storage, number: int, free: int = 1, **want: Any) -> list[Claim]:
    """Claim up to ``free`` jobs for a worker."""
    return storage.exchange(number, [], Want(free, **want)).claims


def one(storage: Storage, number: int) -> Claim:
    """Claim the next job, which must be there."""
    (claim,) = take(storage, number)
    return claim


def ended(claim: Claim, ending: Ending | None = None, *, started: bool = True) -> Ended:
    at = claim.run_at + 0.25 if started else None
    return Ended(claim, Done() if ending is None else ending, at, 0.5 if started else 0.0)


def end(
    storage: Storage, number: int, claim: Claim, ending: Ending | None = None, **how: bool
) -> Exchange:
    """Write what became of a run, claim nothing."""
    return storage.exchange(number, [ended(claim, ending, **how)], Want(0))


def run(storage: Storage, number: int, ending: Ending | None = None) -> Claim:
    """Claim the next job and end it."""
    claim = one(storage, number)
    assert end(storage, number, claim, ending).lost == []
    return claim


def row(storage: Storage, seq: int | Enqueued | Claim) -> Job:
    """The job as it stands, which must exist."""
    number = seq if isinstance(seq, int) else seq.seq
    found = storage.job(str(number))
    assert found is not None and found.seq == number, f"no job {number}"
    return found


def state(storage: Storage, seq: int | Enqueued | Claim) -> State:
    return row(storage, seq).state


def by_seq(*seqs: int | Enqueued | Claim | NewJob) -> Selector:
    """These jobs."""
    return Selector(keys=tuple(str(s if isinstance(s, int) else s.id) for s in seqs))


def tasks(claims: Sequence[Claim]) -> list[str]:
    return [claim.task for claim in claims]


def pipeline(storage: Storage, length: int, **fields: Any) -> list[Enqueued]:
    """Jobs that wait for each other."""
    edges = [Edge(place, place + 1) for place in range(length - 1)]
    return storage.enqueue([new(f"stage-{n}", **fields) for n in range(length)], Plan(edges))


def chord(storage: Storage, length: int, **fields: Any) -> tuple[list[Enqueued], Enqueued]:
    """Members, and a callback that waits for all of them."""
    jobs = [new("member", **fields) for _ in range(length)]
    edges = [Edge(place, length, place) for place in range(length)]
    *members, callback = storage.enqueue([*jobs, new("callback")], Plan(edges))
    return members, callback


def periodic(name: str = "tick", schedule: str = "* * * * *", **fields: object) -> Periodic:
    given = {"task": name, "tz": None, "next_run": NOW, **fields}
    return Periodic(name=name, schedule=schedule, **given)  # type: ignore[arg-type]


def stored(storage: Storage) -> dict[str, Periodic]:
    return {one.name: one for one in storage.periodic()}

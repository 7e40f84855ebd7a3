"""A queue with something of everything, and whether two of them hold the same; by the protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from hueycore.model.endings import Dead, Done, Ending
from hueycore.model.events import LogLine, Said
from hueycore.model.jobs import Cargo, Claim, Ended, NewJob, Selector, Want
from hueycore.model.limits import Limit, Rate
from hueycore.model.pack import pack
from hueycore.model.plan import Edge, Plan
from hueycore.model.records import Record
from hueycore.model.schedules import Periodic
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.storage.kit import FAILURE, new

#: Jobs of one round, and how many of them run at once: see ``_round``.
ROUND = 20
_URGENT = 9
_ROUNDS = 50
_BATCH = 500


def fill(storage: Storage, jobs: int, run_at: float) -> int:
    """About so many jobs, of all states; what is scheduled is due at ``run_at``. The number of the
    worker that runs some of them yet."""
    storage.declare_limits([Limit("keyed", "k", 1), Limit("rated", "r", None, Rate(5, 60.0))])
    storage.schedule_periodic(
        Periodic("nightly", "report", "0 3 * * *", None, run_at, payload=b"\0", preview="x")
    )
    storage.pause_periodic(["nightly"], by="ann", reason="holidays")
    storage.set_revocation("revoked-task", "mail", reason="spam", by="ann")
    storage.pause(task="held", until=run_at)
    storage.put("value", b"\xff")
    storage.incr("counter", 3)
    storage.spend("r", Rate(5, 60.0), None)
    number = storage.register(name="mixed", kind="thread", slots=8)
    rounds = -(-jobs // ROUND)
    for first in range(0, rounds, _ROUNDS):
        some = range(first, min(first + _ROUNDS, rounds))
        for each in some:
            _round(storage, each, run_at)
        _run(storage, number, len(some) * _URGENT)
    storage.exchange(number, [], Want(3))  # these are running
    storage.result(f"done-{rounds - 1}", preserve=False)
    return number


def _round(storage: Storage, n: int, run_at: float) -> None:
    def job(name: str, **fields: Any) -> NewJob:
        return new(name, f"{name} {n}".encode(), id=f"{name}-{n}", preview=str(n), **fields)

    storage.enqueue(
        [
            *(job(name, priority=1) for name in ("done", "dead", "none", "read")),
            job("plain", retries=2, expires_in=9e8),
            job("later", run_at=run_at, expires_at=run_at + 9e8),
            job("keyed", key_name="k"),
            job("held", timeout=3.0),
            job("gone"),
            job("only", unique_key=str(n), unique_until="end"),
        ]
    )
    # A pipeline whose first stage is done.
    stages = [job("first", priority=1), job("second"), job("third", key_name="other")]
    handlers = {1: pack([new("handler")], Plan())}
    storage.enqueue(stages, Plan([Edge(0, 1), Edge(1, 2)], {2: 5.0}, {}, handlers))
    # A chord of which one member is done, one dead, and one that has yet to run.
    members = [job("one", priority=1), job("two", priority=1), job("three"), job("callback")]
    edges = [Edge(place, 3, place) for place in range(3)]
    storage.enqueue(members, Plan(edges))
    # A chord that is over but for its callback; and one result that two jobs wait for.
    storage.enqueue(
        [job("left", priority=1), job("right", priority=1), job("after")],
        Plan([Edge(0, 2, 0), Edge(1, 2, 1)]),
    )
    storage.revoke(Selector(keys=(f"gone-{n}",)), "not wanted")


_ENDINGS: dict[str, Ending] = {
    "dead": Dead("failed", FAILURE, b"error"),
    "two": Dead("failed", FAILURE),
    "none": Done(),
}


def _run(storage: Storage, number: int, left: int) -> None:
    """What has a priority, and is first therefore."""
    while left:
        claims = storage.exchange(number, [], Want(min(left, _BATCH))).claims
        assert claims and all(claim.priority == 1 for claim in claims)
        left -= len(claims)
        storage.note(
            [(c, Said("half", [LogLine(c.run_at, "INFO", f"says {c.id}", 1)])) for c in claims]
        )
        storage.exchange(number, [_ended(claim) for claim in claims], Want(0))
        for claim in claims:
            if claim.task == "read":
                storage.result(claim.id, preserve=False)


def _ended(claim: Claim) -> Ended:
    ending = _ENDINGS.get(claim.task, Done(f"result of {claim.id}".encode()))
    return Ended(claim, ending, claim.run_at + 0.25, 0.5)


# --- what two storages hold -----------------------------------------------------------------------


def contents(storage: Storage) -> Iterator[Cargo | Record]:
    """All of it in the order of the numbers; what only one storage can know is left out."""
    for page in storage.dump(Selector(), records=True):
        ids = {one.job.seq: one.job.id for one in page if isinstance(one, Cargo)}
        for one in page:
            yield _plain(one, ids) if isinstance(one, Cargo) else one


def _plain(one: Cargo, ids: dict[int, str]) -> Cargo:
    job = one.job
    ready = job.state in (State.RUNNING, State.PENDING) or (
        job.state is State.BLOCKED and not job.waits
    )
    moved = job._replace(
        seq=0,
        state=State.PENDING if ready else job.state,
        run_at=0 if ready else job.run_at,
        expires_at=0 if ready else job.expires_at,
        worker=None,
        claimed_at=None,
        next=ids.get(job.next or 0),  # type: ignore[arg-type]
        source=ids.get(job.source or 0),  # type: ignore[arg-type]
    )
    return one._replace(
        job=moved,
        payload=one.payload and bytes(one.payload),
        result=one.result and bytes(one.result),
        inputs=[
            given._replace(result=given.result and bytes(given.result)) for given in one.inputs
        ],
        log=list(one.log),
        group=bool(one.group),
    )


def difference(mine: Storage, theirs: Storage) -> str:
    """The first that two storages do not both hold; nothing when there is none."""
    number = 0
    one, other = contents(mine), contents(theirs)
    while True:
        number += 1
        left, right = next(one, None), next(other, None)
        if left != right:
            return f"{number}: {left}\n!= {right}"
        if left is None:
            return ""


def drain(storage: Storage) -> None:
    """Run all that can run now."""
    number = storage.register(name="drain", kind="thread", slots=8)
    waiting: deque[Claim] = deque()
    while claims := storage.exchange(number, [_ended(c) for c in waiting], Want(_BATCH)).claims:
        waiting = deque(claims)
    storage.exchange(number, [_ended(claim) for claim in waiting], Want(0))
    storage.unregister(number)


def ends(storage: Storage) -> list[tuple[Any, ...]]:
    """What became of every job."""
    found: list[tuple[Any, ...]] = []
    for page in storage.dump(Selector()):
        found += (
            (one.job.id, one.job.state, one.job.reason, one.job.waits, bytes(one.result or b""))
            for one in page
            if isinstance(one, Cargo)
        )
    return sorted(found)


def load(target: Storage, pages: Iterator[Sequence[Cargo | Record]]) -> None:
    """All of a dump."""
    for page in pages:
        target.load_records([one for one in page if isinstance(one, Record)])
        target.load([one for one in page if isinstance(one, Cargo)])

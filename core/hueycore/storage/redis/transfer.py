"""Jobs with everything they have, out of one storage and into another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Cargo, Job, JobRef, Loaded, Selector
from hueycore.model.plan import Input
from hueycore.model.states import FINAL, State
from hueycore.storage.protocol import transfer as protocol
from hueycore.storage.redis.births import check_unique
from hueycore.storage.redis.part import Impossible, Part
from hueycore.storage.redis.scripts import COLUMNS, QUEUES
from hueycore.storage.redis.selection import find
from hueycore.storage.redis.stages import read_inputs

#: Columns that mean something only in the storage that they come from.
_LOCAL = {
    "seq": 0, "worker": None, "claimed_at": None, "cancel_requested": 0, "suspect": 0,
    "next": None, "slot": None, "source": None, "waits": 0, "delivered": 0,
}  # fmt: skip

_NUMBERS = [
    name for name, kind in Job.__annotations__.items() if "int" in str(kind) or "float" in str(kind)
]


class Transfer(Part, protocol.Transfer):
    def export(self, selector: Selector) -> list[Cargo]:
        found = []
        for row in find(self, selector._replace(sort="seq")):
            job, queue = row.job(), row.queue
            payload, result = self.ask(
                ("HGET", self.key("payload", queue), job.seq),
                ("HGET", self.key("result", queue), job.seq),
            )
            inputs = read_inputs(self, queue, job.seq) if job.inputs and not job.waits else ()
            found.append(Cargo(job, payload, result, inputs))
        return found

    def load(
        self, cargo: Sequence[Cargo], *, if_exists: str = "keep", pending: bool = False
    ) -> list[Loaded]:
        answers: dict[int, Loaded] = {}
        told = [_told(one) for one in cargo]  # all of it can be written, or nothing is
        for queue in sorted({one.job.queue for one in cargo}):
            some = [(place, one) for place, one in enumerate(cargo) if one.job.queue == queue]
            arg = {
                "cargo": [told[place] for place, _ in some],
                "if_exists": if_exists,
                "pending": pending or None,
            }
            data = [word for _, one in some for word in _bytes(one)]
            answer = self.operate("load", arg, *data, queue=queue)
            self.client.call("SADD", QUEUES, queue)
            for (place, one), (seq, outcome) in zip(some, answer, strict=True):
                ref = JobRef(seq, one.job.id, one.job.task)
                answers[place] = Loaded(ref, outcome.decode())
        return [answers[place] for place in range(len(cargo))]

    def refuses(self, error: StorageError) -> bool:
        return isinstance(error, Impossible)

    def discard(self, jobs: Sequence[Job]) -> list[JobRef]:
        gone = []
        for queue in sorted({job.queue for job in jobs}):
            some = {job.seq: job for job in jobs if job.queue == queue}
            seen = [[j.seq, j.id, j.state, j.claim, j.finished_at or 0] for j in some.values()]
            for seq in self.operate("purge", {"jobs": seen}, queue=queue):
                gone.append(JobRef(seq, some[seq].id, some[seq].task))
        return gone


def _told(one: Cargo) -> list[Any]:
    """A job as the script takes it. Raises ``Impossible``."""
    job = one.job
    _check(job)
    values = {**job._asdict(), **_LOCAL}
    row = [values[name] for name in COLUMNS]
    row = [int(value) if isinstance(value, bool) else value for value in row]
    errors = "\n".join(json.dumps(each, separators=(",", ":")) for each in job.errors)
    return [
        [False if value is None else value for value in row],
        errors or False,
        False if job.progress is None else job.progress,
        one.result is not None,
        [_input(given) for given in one.inputs],
    ]


def _check(job: Job) -> None:
    numbers = [getattr(job, name) for name in _NUMBERS]
    if not all(value is None or isinstance(value, int | float) for value in numbers):
        raise Impossible(f"job {job.id} has a number that is none")
    if not 0 <= job.attempt <= job.claim or min(job.retries, job.retry_delay, job.waits) < 0:
        raise Impossible(f"job {job.id} has a number that no job can have")
    if job.state not in tuple(State) or (job.state in FINAL) != (job.finished_at is not None):
        raise Impossible(f"job {job.id} cannot be {job.state}")
    check_unique(job.task, job.unique_key, job.unique_until)


def _input(given: Input) -> list[Any]:
    return [
        given.slot or 0,
        int(given.slot is not None),
        given.id,
        str(given.state),
        given.result is not None,
        False if given.error is None else json.dumps(given.error),
    ]


def _bytes(one: Cargo) -> list[bytes]:
    given = [given.result or b"" for given in one.inputs]
    return [one.payload or b"", one.result or b"", *given]

"""What ``sql/transfer.py`` says, of rows in Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Cargo, Job, JobRef, Loaded, Selector
from hueycore.model.plan import Input
from hueycore.model.records import Record
from hueycore.model.states import FINAL, State
from hueycore.storage.protocol import transfer as protocol
from hueycore.storage.redis import departure
from hueycore.storage.redis import records as belongings
from hueycore.storage.redis.births import check_unique
from hueycore.storage.redis.part import Impossible, Part, row_values, text
from hueycore.storage.redis.rows import PLACES
from hueycore.storage.redis.scripts import COLUMNS, QUEUES
from hueycore.storage.redis.selection import find, queues_of

#: Columns that mean something only in the storage that they come from.
_LOCAL = {"worker": None, "claimed_at": None, "suspect": 0, "batch": None}
_NUMBERS = [
    name for name, kind in Job.__annotations__.items() if "int" in str(kind) or "float" in str(kind)
]
_PLAIN, _STATES = (int, float, type(None)), frozenset(State)
#: What tells that a job is still as it was seen, besides its state.
_SEEN = (
    *("id", "task", "claim", "attempt", "waits", "priority", "preview", "key_name"),
    *("run_at", "finished_at", "expires_at"),
)


class Transfer(Part, protocol.Transfer):
    def export(self, selector: Selector) -> list[Cargo]:
        found: list[Cargo] = []
        rows = find(self, selector._replace(sort="seq"))
        for queue in sorted({row.queue for row in rows}):
            mine = [row for row in rows if row.queue == queue]
            found += departure.pack(self, queue, departure.packed(self, mine), {})
        return sorted(found, key=lambda one: one.job.seq)

    def dump(
        self, selector: Selector, *, records: bool = False
    ) -> Iterator[Sequence[Cargo | Record]]:
        queues = queues_of(self, selector)
        with departure.copied(self, queues) as copy:
            if records:
                yield from copy.lasting(belongings.pages(copy, queues))
            for queue in queues:
                yield from copy.lasting(departure.pages(copy, queue, selector))

    def load(
        self,
        cargo: Sequence[Cargo],
        *,
        if_exists: str = "keep",
        pending: bool = False,
        mark: protocol.Mark | None = None,
    ) -> list[Loaded]:
        answers: dict[int, Loaded] = {}
        told = [_told(one) for one in cargo]  # all of it can be written, or nothing is
        marked = None if mark is None else (mark.dump, mark.text or False)
        queues = sorted({one.job.queue for one in cargo})
        if marked and self.queue not in queues:
            queues.append(self.queue)
        for queue in queues:
            some = [(place, one) for place, one in enumerate(cargo) if one.job.queue == queue]
            arg = {
                "cargo": [told[place] for place, _ in some],
                "if_exists": if_exists,
                "pending": pending or None,
                "mark": marked if queue == self.queue else None,
            }
            data = [word for _, one in some for word in _bytes(one)]
            answer = self.operate("load", arg, *data, queue=queue)
            if some:
                self.client.call("SADD", QUEUES, queue)
            for (place, one), (seq, outcome) in zip(some, answer, strict=True):
                ref = JobRef(seq, one.job.id, one.job.task)
                answers[place] = Loaded(ref, outcome.decode())
        return [answers[place] for place in range(len(cargo))]

    def load_records(self, records: Sequence[Record], *, if_exists: str = "keep") -> list[str]:
        outcomes: dict[int, str] = {}
        for queue in sorted({one.queue for one in records}):
            some = [(place, one) for place, one in enumerate(records) if one.queue == queue]
            told = [belongings.told(one) for _, one in some]
            arg = {"records": told, "replace": if_exists == "replace" or None}
            data = [belongings.data(one) for _, one in some]
            answer = self.operate("records", arg, *data, queue=queue)
            self.client.call("SADD", QUEUES, queue)
            for (place, _), outcome in zip(some, answer, strict=True):
                outcomes[place] = outcome.decode()
        return [outcomes[place] for place in range(len(records))]

    def mark(self, dump: str) -> str | None:
        return text(self.client.call("HGET", self.key("mark"), dump))

    def refuses(self, error: StorageError) -> bool:
        return isinstance(error, Impossible)

    def discard(
        self, jobs: Sequence[Job], *, waiting: bool = False, reason: str | None = None
    ) -> list[JobRef]:
        gone = []
        for queue in sorted({job.queue for job in jobs}):
            some = {job.seq: job for job in jobs if job.queue == queue}
            seen = [
                (job.seq, job.state, [(PLACES[n], _plain(getattr(job, n))) for n in _SEEN])
                for job in some.values()
            ]
            arg = {"jobs": seen, "waiting": waiting or None, "reason": reason}
            for seq in self.operate("discard", arg, queue=queue):
                gone.append(JobRef(seq, some[seq].id, some[seq].task))
        return gone


def _plain(value: Any) -> Any:
    return False if value is None else value


def _told(one: Cargo) -> list[Any]:
    """A job as the script takes it. Raises ``Impossible``."""
    job = one.job
    _check(job)
    values = {**job._asdict(), **_LOCAL, "delivered": one.delivered}
    row = [values[name] for name in COLUMNS]
    row = [int(value) if isinstance(value, bool) else value for value in row]
    errors = "\n".join(json.dumps(each, separators=(",", ":")) for each in job.errors)
    return [
        row_values(row),
        errors or False,
        _plain(job.progress),
        one.result is not None,
        [to_input(given) for given in one.inputs],
        [json.dumps([line.at, line.level, line.message, line.attempt]) for line in one.log],
        _plain(one.handler),
        one.group,
    ]


def _check(job: Job) -> None:
    if not all(isinstance(getattr(job, name), _PLAIN) for name in _NUMBERS):
        raise Impossible(f"job {job.id} has a number that is none")
    if not 0 <= job.attempt <= job.claim or min(job.retries, job.retry_delay, job.waits) < 0:
        raise Impossible(f"job {job.id} has a number that no job can have")
    if job.state not in _STATES or (job.state in FINAL) != (job.finished_at is not None):
        raise Impossible(f"job {job.id} cannot be {job.state}")
    check_unique(job.task, job.unique_key, job.unique_until)


def to_input(given: Input) -> list[Any]:
    """What one parent gave, without its bytes."""
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

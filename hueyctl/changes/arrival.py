"""Batches of jobs on their way into a storage, and what became of every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Job, JobRef, Selector
from hueyctl import errors, exits, streams
from hueyctl.changes.report import LISTED, Change
from hueyctl.jsonline import BadLine

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo
    from hueycore.model.records import Record
    from hueycore.storage.base import Storage
    from hueycore.storage.protocol.transfer import Mark
    from hueyctl.changes.move import Mover
    from hueyctl.changes.parser import Header
    from hueyctl.changes.target import Target
    from hueyctl.context import Session

#: The number of a line, and the job that it is.
Numbered = tuple[int, "Cargo"]


class How(NamedTuple):
    """What the options of a loading command said."""

    if_exists: str
    pending: bool
    dry_run: bool
    #: Put the jobs here, whatever queue they name.
    queue: str | None = None
    #: Refuse jobs in any other state, and leave out the records of queues.
    only: tuple[str, ...] = ()


class Arrival:
    """The storage is opened with the first good batch, so that bad input makes no file. ``mover``
    takes away at the source what has come."""

    def __init__(
        self, target: Target, how: How, change: Change, mover: Mover | None = None
    ) -> None:
        self.how = how
        self.change = change
        self.records = 0
        self._target = target
        self._mover = mover
        self._bad = 0
        self._ends_early = False
        self._seen: set[int] = set()

    def report(self, session: Session) -> int:
        """Print what was loaded; the exit code. What failed was told as it was met."""
        change = self.change
        change.show(session)
        verb = "would be loaded" if self.how.dry_run else "loaded"
        session.notice(f"{change.number} of {change.matched} jobs {verb}")
        if self._mover is not None:
            self._mover.report(session)
        if change.failures:
            code = exits.FAILURE if self._bad else exits.REFUSED
            texts = []
            if left_out := change.failures - self._ends_early:
                texts.append(f"{left_out} {'lines were' if left_out > 1 else 'line was'} left out")
            if self._ends_early:
                texts.append("the dump is not whole")
            raise errors.CliError(", ".join(texts), code)
        return exits.OK

    def refuse(
        self, number: int, id_: str | None, code: str, why: str, *, conflict: bool = False
    ) -> None:
        """Report a line. ``conflict``: it was asked for."""
        self._bad += not conflict
        self.change.fail(id_ or f"line {number}", code, f"line {number}: {why}")
        if self.change.failures <= LISTED:
            streams.say(f"hueyctl: line {number}: {streams.visible(why)}")
        elif self.change.failures == LISTED + 1:
            streams.say("hueyctl: more lines are left out, and only counted")

    def end_early(self, number: int, why: str) -> None:
        """Report that the rest is missing."""
        self._ends_early = True
        self.refuse(number, None, "not_whole", why)

    def check_state(self, job: Job) -> None:
        """Raises ``BadLine``."""
        if self.how.only and job.state not in self.how.only:
            raise BadLine(f"the job is {job.state}, not {' or '.join(self.how.only)}")

    # --- dumps ------------------------------------------------------------------------------------

    def begin(self, header: Header) -> None:
        if self._mover is not None:
            self._mover.open(header.source)

    def mark(self, dump: str) -> str | None:
        """How far an earlier load of this dump has come."""
        storage = self._target.look() if self._leaves_marks else None
        return None if storage is None else storage.mark(dump)

    def forget(self, dump: str) -> None:
        from hueycore.storage.protocol.transfer import Mark

        if self.mark(dump) is not None:
            self._target.open().load([], mark=Mark(dump, None))

    @property
    def _leaves_marks(self) -> bool:
        """What is moved is known by its not being there any more; a look leaves nothing."""
        return self._mover is None and not self.how.dry_run

    # --- batches ----------------------------------------------------------------------------------

    def load_records(self, batch: Sequence[tuple[int, Record]]) -> None:
        if self.how.only:
            return
        self.records += len(batch)
        if self.how.dry_run:
            return
        storage = self._target.open()
        try:
            self._load_records(storage, batch)
        except StorageError as error:
            if not storage.refuses(error):
                raise
            for one in batch:
                self._load_record(storage, one)

    def _load_records(self, storage: Storage, batch: Sequence[tuple[int, Record]]) -> None:
        records = [record for _, record in batch]
        outcomes = storage.load_records(records, if_exists=self.how.if_exists)
        for (number, record), outcome in zip(batch, outcomes, strict=True):
            if outcome == "exists" and record.kind != "queue" and self.how.if_exists == "fail":
                why = f"{record.kind} {record.name!r} exists already"
                self.refuse(number, record.name, "exists", why, conflict=True)

    def _load_record(self, storage: Storage, one: tuple[int, Record]) -> None:
        """One of which the database refuses some."""
        try:
            self._load_records(storage, [one])
        except StorageError as error:
            if not storage.refuses(error):
                raise
            self.records -= 1
            self.refuse(one[0], one[1].name, "bad_line", str(error))

    def load(self, batch: list[Numbered], mark: Mark | None) -> None:
        """Bring in whole groups."""
        if self.how.dry_run:
            self._imagine(batch)
            return
        storage = self._target.open()
        if self._mover is not None:
            batch = self._mover.movable(batch)
        try:
            self._load(storage, batch, mark if self._leaves_marks else None)
        except StorageError as error:
            if not storage.refuses(error):
                raise
            for _, group in groupby(batch, lambda one: one[1].group or -one[0]):
                self._load_group(storage, list(group))

    def _load(self, storage: Storage, batch: list[Numbered], mark: Mark | None = None) -> None:
        how = self.how
        cargo = [one for _, one in batch]
        loaded = storage.load(cargo, if_exists=how.if_exists, pending=how.pending, mark=mark)
        came = []
        for (number, one), answer in zip(batch, loaded, strict=True):
            if answer.outcome == "loaded":
                self.change.add(answer.job, "loaded")
                came.append((number, one))
            elif self._mover is None or answer.outcome == "duplicate":
                self._exists(number, one, answer.outcome)
        if self._mover is not None:
            there = [
                pair for pair, one in zip(batch, loaded, strict=True) if one.outcome == "exists"
            ]
            for number, job, why in self._mover.move(storage, came, there):
                self.refuse(number, job.id, "stays", why)

    def _load_group(self, storage: Storage, group: list[Numbered]) -> None:
        """A row that the database refuses: find out which."""
        try:
            self._load(storage, group)
        except StorageError as error:
            if not storage.refuses(error):
                raise
            more = " (of it or of one that hangs together with it)" if len(group) > 1 else ""
            for number, one in group:
                self.refuse(number, one.job.id, "bad_line", f"{error}{more}")

    def _imagine(self, batch: Iterable[Numbered]) -> None:
        """What ``_load`` would say, without loading."""
        batch = list(batch)
        storage = self._target.look()
        if storage is not None:
            self._seen |= {*map(hash, _existing(storage, [one for _, one in batch]))}
        for number, one in batch:
            job, key = one.job, hash((one.job.queue, one.job.id))
            if key in self._seen and self.how.if_exists != "replace":
                self._exists(number, one, "exists")
                continue
            self._seen.add(key)
            self.change.add(JobRef(job.seq, job.id, job.task), self.change.action)

    def _exists(self, number: int, cargo: Cargo, outcome: str) -> None:
        job = cargo.job
        if outcome == "duplicate":
            self.refuse(number, job.id, outcome, f"another job has its key {job.unique_key!r}")
        elif self.how.if_exists == "replace":
            self.refuse(number, job.id, "running", f"job {job.id} is running, or is needed")
        elif self.how.if_exists == "fail":
            self.refuse(number, job.id, "exists", f"job {job.id} exists already", conflict=True)


def _existing(storage: Storage, cargo: Sequence[Cargo]) -> Iterator[tuple[str, str]]:
    """Which of these (queue, id) the storage has already."""
    wanted = {(one.job.queue, one.job.id) for one in cargo}
    queues = tuple({queue for queue, _ in wanted})
    found = storage.jobs(Selector(queues=queues, keys=tuple(id_ for _, id_ in wanted)))
    return (key for key in ((job.queue, job.id) for job in found) if key in wanted)

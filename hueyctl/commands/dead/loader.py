"""From the lines of a dump into a storage: many per transaction, every bad line by its number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from hueycore.exceptions import StorageError
from hueycore.model.jobs import JobRef, Selector
from hueyctl import errors, exits, streams
from hueyctl.changes.report import Change
from hueyctl.commands.dead.parser import to_cargo
from hueyctl.commands.dead.source import Damaged
from hueyctl.jsonline import BadLine

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

_BATCH_JOBS = 500
_BATCH_BYTES = 8_000_000


class How(NamedTuple):
    """What the options of a loading command said."""

    if_exists: str
    pending: bool
    dry_run: bool
    #: Put the jobs here, whatever queue they name.
    queue: str | None = None
    #: Refuse lines in any other state.
    only: tuple[str, ...] = ()


class Loader:
    """Loads lines, in the order of the file.

    A line that is no job is reported and left out, the rest goes on. The storage is opened with
    the first good batch, so that bad input makes no file."""

    def __init__(self, storage: Callable[[], Storage | None], how: How) -> None:
        self.how = how
        self.change = Change("load", dry_run=how.dry_run)
        self.bad = 0
        self._open = storage
        self._batch: list[tuple[int, Cargo]] = []
        self._bytes = 0
        self._seen: set[tuple[str, str]] = set()

    def run(self, lines: Iterable[tuple[int, bytes | None]]) -> None:
        number = 0
        try:
            for number, line in lines:
                self._add(number, line)
        except Damaged as error:
            self._refuse(number + 1, None, "damaged", f"the file is damaged from here on: {error}")
        self._flush()

    def report(self, session: Session) -> int:
        """Print what was loaded; the exit code. What failed was told as it was met."""
        self.change.show(session)
        done, failed = len(self.change.done), len(self.change.failed)
        verb = "would be loaded" if self.how.dry_run else "loaded"
        session.notice(f"{done} of {self.change.matched} jobs {verb}")
        if failed:
            code = exits.FAILURE if self.bad else exits.REFUSED
            raise errors.CliError(f"{failed} of {self.change.matched} lines were left out", code)
        return exits.OK

    def _add(self, number: int, line: bytes | None) -> None:
        self.change.matched += 1
        try:
            if line is None:
                raise BadLine("the line is too long")
            cargo = to_cargo(line, self.how.queue)
            if self.how.only and cargo.job.state not in self.how.only:
                raise BadLine(f"the job is {cargo.job.state}, not {' or '.join(self.how.only)}")
        except BadLine as error:
            self._refuse(number, None, "bad_line", str(error))
            return
        self._batch.append((number, cargo))
        self._bytes += len(line)
        if len(self._batch) >= _BATCH_JOBS or self._bytes >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        batch, self._batch, self._bytes = self._batch, [], 0
        if not batch:
            return
        storage = self._open()
        if self.how.dry_run or storage is None:
            self._imagine(storage, batch)
            return
        try:
            self._load(storage, batch)
        except StorageError as error:
            if not storage.refuses(error):
                raise
            for one in batch:  # a row that the database refuses: find out which
                self._load_alone(storage, one)

    def _load(self, storage: Storage, batch: list[tuple[int, Cargo]]) -> None:
        loaded = storage.load(
            [cargo for _, cargo in batch], if_exists=self.how.if_exists, pending=self.how.pending
        )
        for (number, cargo), one in zip(batch, loaded, strict=True):
            if one.outcome == "loaded":
                self._came_in(one.job)
            else:
                self._exists(number, cargo, one.outcome)

    def _load_alone(self, storage: Storage, one: tuple[int, Cargo]) -> None:
        try:
            self._load(storage, [one])
        except StorageError as error:
            if not storage.refuses(error):
                raise
            self._refuse(one[0], one[1].job.id, "bad_line", str(error))

    def _imagine(self, storage: Storage | None, batch: list[tuple[int, Cargo]]) -> None:
        """What ``_load`` would say, without loading."""
        if storage is not None:
            self._seen |= _existing(storage, [cargo for _, cargo in batch])
        for number, cargo in batch:
            job = cargo.job
            if (job.queue, job.id) in self._seen and self.how.if_exists != "replace":
                self._exists(number, cargo, "exists")
                continue
            self._seen.add((job.queue, job.id))
            self._came_in(JobRef(job.seq, job.id, job.task))

    def _came_in(self, job: JobRef) -> None:
        action = self.change.action if self.how.dry_run else "loaded"
        self.change.add(job, action)

    def _exists(self, number: int, cargo: Cargo, outcome: str) -> None:
        job = cargo.job
        if outcome == "duplicate":
            self._refuse(number, job.id, outcome, f"another job has its key {job.unique_key!r}")
        elif self.how.if_exists == "replace":
            self._refuse(number, job.id, "running", f"job {job.id} is running")
        elif self.how.if_exists == "fail":
            self._refuse(number, job.id, "exists", f"job {job.id} exists already", conflict=True)

    def _refuse(
        self, number: int, id_: str | None, code: str, why: str, *, conflict: bool = False
    ) -> None:
        self.bad += not conflict
        self.change.fail(id_ or f"line {number}", code, f"line {number}: {why}")
        streams.say(f"hueyctl: line {number}: {streams.visible(why)}")


def _existing(storage: Storage, cargo: Iterable[Cargo]) -> set[tuple[str, str]]:
    """Which of these (queue, id) the storage has already."""
    wanted = {(one.job.queue, one.job.id) for one in cargo}
    queues = tuple({queue for queue, _ in wanted})
    found = storage.jobs(Selector(queues=queues, keys=tuple(id_ for _, id_ in wanted)))
    return {(job.queue, job.id) for job in found} & wanted


def one_destination(queues: tuple[str, ...]) -> str | None:
    """The queue that ``--queue`` or the URL names, None when every job goes to its own."""
    if len(queues) > 1:
        raise errors.usage("jobs go to one queue, or each to its own", "say --queue once")
    return queues[0] if queues else None

"""The lines of a dump, on their way into a storage: in the order of the file, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

from hueycore.model.jobs import Cargo
from hueycore.model.records import Record
from hueycore.storage.protocol.transfer import Mark
from hueyctl import errors, streams
from hueyctl.changes.parser import Header, Trailer, to_entry
from hueyctl.changes.source import Damaged
from hueyctl.jsonline import BadLine

if TYPE_CHECKING:
    from hueyctl.changes.arrival import Arrival, Numbered

_BATCH_JOBS = 500
_BATCH_BYTES = 8_000_000


class Loader:
    """Loads lines. One that says nothing is reported and left out, the rest goes on.

    A load that was killed goes on where it was: each batch leaves a mark, which says how many lines
    of the dump are in, and what their digest is."""

    def __init__(self, arrival: Arrival, on_line: Callable[[int], None] = lambda _: None) -> None:
        self._arrival = arrival
        self._on_line = on_line
        self._batch: list[Numbered] = []
        self._records: list[tuple[int, Record]] = []
        self._bytes = 0
        #: The dump that has begun, and the line before its first.
        self._dump: str | None = None
        self._before = 0
        #: Of its lines before the one that is looked at.
        self._digest = blake2b(digest_size=16)
        #: The last line that an earlier load has brought in, and the digest that was then.
        self._known: tuple[int, str] = (0, "")

    def run(self, lines: Iterable[tuple[int, bytes | None]]) -> None:
        number = 0
        torn = None
        try:
            for number, line in lines:
                self._add(number, line or b"")
                self._on_line(number)
        except Damaged as error:
            torn = f"the file is damaged from here on: {error}"
        self._flush(number + 1)
        if torn is None and not number:
            torn = "there is nothing; a dump has a first and a last line"
        elif torn is None and self._dump is not None:
            torn = "the dump should go on here: it was cut off"
        if torn is not None:
            self._arrival.end_early(number + 1, torn)

    def _add(self, number: int, line: bytes) -> None:
        if number <= self._known[0]:
            self._digest.update(line)
            if number == self._known[0] and self._digest.hexdigest() != self._known[1]:
                self._begin_anew(number)
            return
        try:
            if not line:
                raise BadLine("the line is too long")
            entry = to_entry(line, self._arrival.how.queue)
            if isinstance(entry, Cargo):
                self._add_job(number, entry, len(line))
            elif isinstance(entry, Record):
                self._add_record(number, entry)
            elif isinstance(entry, Header):
                self._begin(number, entry)
            else:
                self._end(number, entry)
        except BadLine as error:
            self._arrival.change.matched += 1
            self._arrival.refuse(number, None, "bad_line", str(error))
        self._digest.update(line)

    def _add_job(self, number: int, cargo: Cargo, size: int) -> None:
        self._arrival.check_state(cargo.job)
        full = len(self._batch) >= _BATCH_JOBS or self._bytes >= _BATCH_BYTES
        # What hangs together comes in together.
        if full and not (cargo.group and cargo.group == self._batch[-1][1].group):
            self._flush(number)
        self._arrival.change.matched += 1
        self._batch.append((number, cargo))
        self._bytes += size

    def _add_record(self, number: int, record: Record) -> None:
        if len(self._records) >= _BATCH_JOBS:
            self._flush(number)
        self._records.append((number, record))

    def _begin(self, number: int, header: Header) -> None:
        self._flush(number)
        self._arrival.begin(header)
        self._dump, self._before = header.dump, number - 1
        self._digest = blake2b(digest_size=16)
        mark = self._arrival.mark(header.dump)
        if mark is not None:
            lines, _, digest = mark.partition(" ")
            self._known = (self._before + int(lines), digest)
            streams.say(f"hueyctl: {int(lines):,} lines came in before: it goes on after them")

    def _end(self, number: int, trailer: Trailer) -> None:
        if self._dump is None:
            raise BadLine("it ends a dump that has no first line")
        if trailer.dump != self._dump:
            raise BadLine("it ends another dump than the one that has begun")
        self._flush(number)
        self._arrival.forget(trailer.dump)
        self._dump = None

    def _begin_anew(self, number: int) -> None:
        assert self._dump is not None
        self._arrival.forget(self._dump)
        raise errors.CliError(
            f"line {number}: a load of this dump has come up to here, and its lines were others",
            hint="run it again: it begins with the first line",
        )

    def _flush(self, number: int) -> None:
        """Bring in what was read so far, up to the line before this one."""
        records, self._records = self._records, []
        batch, self._batch, self._bytes = self._batch, [], 0
        if records:
            self._arrival.load_records(records)
        if batch:
            mark = None
            if self._dump is not None:
                text = f"{number - 1 - self._before} {self._digest.hexdigest()}"
                mark = Mark(self._dump, text)
            self._arrival.load(batch, mark)

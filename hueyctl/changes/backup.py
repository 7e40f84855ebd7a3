"""Jobs into a file, and then out of the queue: nothing goes that is not safe on the disk."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from hueyctl import errors
from hueyctl.answers.dump import dumps, ending, header, record_object, to_line
from hueyctl.changes.dumpfile import DumpFile, StandardOutput, is_plain

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo, Job, JobRef
    from hueycore.model.records import Record
    from hueycore.storage.base import Storage

#: Jobs that one transaction deletes.
GROUP = 500


class Dump:
    """A dump that is being written: see ``answers.dump``."""

    def __init__(self, sink: DumpFile | StandardOutput, source: str) -> None:
        self._sink = sink
        self._name = str(uuid4())
        self._source = source
        self.jobs = self.records = 0

    def begin(self) -> None:
        self._sink.write(dumps(header(self._name, self._source, time.time())))

    def record(self, one: Record) -> None:
        self._sink.write(dumps(record_object(one)))
        self.records += 1

    def job(self, cargo: Cargo) -> None:
        self._sink.write(to_line(cargo))
        self.jobs += 1

    def end(self) -> None:
        self._sink.write(dumps(ending(self._name, self.jobs, self.records)))
        self._sink.finish()


@contextmanager
def backup_file(path: str, source: str) -> Iterator[Dump]:
    """A new file for ``--backup``, on the disk when the block is left; compressed if its name says
    so."""
    if not is_plain(path):
        raise errors.usage("--backup needs a file that is safe on a disk")
    with DumpFile(path, compressed=path.endswith(".gz")) as file:
        dump = Dump(file, source)
        dump.begin()
        yield dump
        dump.end()


def write(cargoes: Iterable[Cargo], dump: Dump) -> Iterator[Job]:
    """Write every job as a line; answers what ``remove`` needs to know it again."""
    for cargo in cargoes:
        dump.job(cargo)
        yield cargo.job._replace(errors=[], progress=None)


def remove(storage: Storage, jobs: Sequence[Job], reason: str | None = None) -> list[JobRef]:
    """Delete what was written, but nothing that has changed since."""
    gone: list[JobRef] = []
    for start in range(0, len(jobs), GROUP):
        gone += storage.discard(jobs[start : start + GROUP], reason=reason)
    return gone

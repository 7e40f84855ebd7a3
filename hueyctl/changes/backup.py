"""Jobs into a file, and then out of the queue: nothing goes that is not safe on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hueyctl import errors
from hueyctl.answers.dump import to_line
from hueyctl.changes.dumpfile import DumpFile, StandardOutput, is_plain

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo, Job, JobRef
    from hueycore.storage.base import Storage

#: Jobs that one transaction deletes.
GROUP = 500


@contextmanager
def backup_file(path: str) -> Iterator[DumpFile]:
    """A new file for ``--backup``, on the disk when the block is left; compressed if its name says
    so."""
    if not is_plain(path):
        raise errors.usage("--backup needs a file that is safe on a disk")
    with DumpFile(path, compressed=path.endswith(".gz")) as file:
        yield file
        file.finish()


def write(cargoes: Iterable[Cargo], sink: DumpFile | StandardOutput) -> Iterator[Job]:
    """Write every job as a line; answers what ``remove`` needs to know it again."""
    for cargo in cargoes:
        sink.write(to_line(cargo))
        yield cargo.job._replace(errors=[], preview=None, progress=None)


def remove(storage: Storage, jobs: Sequence[Job]) -> list[JobRef]:
    """Delete what was written, but nothing that has changed since."""
    gone: list[JobRef] = []
    for start in range(0, len(jobs), GROUP):
        gone += storage.discard(jobs[start : start + GROUP])
    return gone

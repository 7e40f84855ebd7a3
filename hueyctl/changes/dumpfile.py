"""Files of lines, written whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, TYPE_CHECKING, BinaryIO

from hueycore.system.files import rename_new, sync_folder
from hueyctl import errors

if TYPE_CHECKING:
    from gzip import GzipFile


class DumpFile:
    """A new private file. It gets its name when all of it is on the disk, so that a reader never
    finds half of one; what is not a plain file (a pipe, a device) is written as it is."""

    def __init__(self, path: str, *, compressed: bool = False) -> None:
        self.path = path
        self.plain = is_plain(path)
        self._temporary = f"{path}.{os.getpid()}.part"
        self._file: BinaryIO | None = None
        self._writer: BinaryIO | GzipFile | None = None
        self._compressed = compressed

    def __enter__(self) -> DumpFile:
        if self.plain and os.path.lexists(self.path):
            raise errors.CliError(
                f"{self.path} exists already", hint="name a new file: a dump overwrites none"
            )
        with self._named():
            # Exclusively: nobody's link in a shared folder is followed.
            name, mode = (self._temporary, "xb") if self.plain else (self.path, "wb")
            self._file = open(name, mode, opener=_private)  # type: ignore[assignment]
            assert self._file is not None
            self._writer = _gzip(self._file) if self._compressed else self._file
        return self

    def write(self, line: str) -> None:
        assert self._writer is not None
        with self._named():
            self._writer.write(line.encode() + b"\n")

    def finish(self) -> None:
        """On the disk, under its name."""
        assert self._file is not None and self._writer is not None
        with self._named():
            if self._writer is not self._file:
                self._writer.close()
            self._file.flush()
            if self.plain:
                os.fsync(self._file.fileno())
            self._file.close()
            if self.plain:
                rename_new(self._temporary, self.path)
                sync_folder(os.path.dirname(self.path) or ".")
        self._file = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        _forget(self._writer)
        try:
            self._file.close()
        except OSError:
            pass  # what could not be written is about to be removed
        if self.plain:
            os.unlink(self._temporary)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors of a write do not know the file; the message should."""
        try:
            yield
        except OSError as error:
            error.filename = self.path
            raise


class StandardOutput:
    """Lines on stdout, compressed or not."""

    def __init__(self, *, compressed: bool) -> None:
        self._zip = _gzip(sys.stdout.buffer) if compressed else None

    def __enter__(self) -> StandardOutput:
        return self

    def __exit__(self, *unused: object) -> None:
        _forget(self._zip)

    def write(self, line: str) -> None:
        if self._zip is not None:
            self._zip.write(line.encode() + b"\n")
        else:
            sys.stdout.write(line + "\n")

    def finish(self) -> None:
        if self._zip is not None:
            self._zip.close()
        sys.stdout.flush()


def sink(path: str, *, compressed: bool) -> DumpFile | StandardOutput:
    """Where ``--to`` writes."""
    if path == "-":
        return StandardOutput(compressed=compressed)
    return DumpFile(path, compressed=compressed)


def _forget(writer: object) -> None:
    """Let a compressor go that is not to write any more: left alone it would try, at its end."""
    if writer is not None and hasattr(writer, "fileobj"):
        writer.fileobj = None


def is_plain(path: str) -> bool:
    """Whether a path is, or would become, a plain file."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _private(path: str, flags: int) -> int:
    # Arguments of jobs are in it: nobody else's business, as the queue file itself.
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _gzip(file: IO[bytes]) -> GzipFile:
    from gzip import GzipFile

    # No name and no time in it: the same jobs make the same bytes.
    return GzipFile(filename="", mode="wb", fileobj=file, mtime=0)

"""Files of lines: written whole or not at all, read whatever is in them."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, TYPE_CHECKING, BinaryIO

from hueyctl import errors

if TYPE_CHECKING:
    from gzip import GzipFile

#: The longest line that is read: a payload of 10 MB with its result and its errors.
LONGEST = 64_000_000
_GZIP = b"\x1f\x8b"


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
                os.rename(self._temporary, self.path)
                _sync_folder(os.path.dirname(self.path) or ".")
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


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some file systems refuse to sync a directory; they order its writes themselves
    finally:
        os.close(descriptor)


# --- reading --------------------------------------------------------------------------------------


class Damaged(Exception):
    """The rest of the file cannot be read."""


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """A file, or stdin for ``-``, decompressed if need be."""
    if path == "-":
        yield _plain(sys.stdin.buffer)
        return
    try:
        file = open(path, "rb")  # noqa: SIM115  an error while it is read is another one
    except OSError as error:
        raise errors.usage(f"{path}: {error.strerror}") from error
    with file:
        yield _plain(file)


def _plain(file: IO[bytes]) -> IO[bytes]:
    reader = io.BufferedReader(_Borrowed(file))
    if reader.peek(len(_GZIP))[: len(_GZIP)] != _GZIP:
        return reader
    from gzip import GzipFile

    return GzipFile(fileobj=reader, mode="rb")  # type: ignore[return-value]


class _Borrowed(io.RawIOBase):
    """Reads a file and leaves it open: it may be stdin."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """(number, line) of every line that is not blank; None for one that is too long.

    Raises ``Damaged``."""
    number = 0
    while line := _line(file):
        number += 1
        if len(line) >= LONGEST and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = _line(file)
            yield number, None
        elif line.strip():
            yield number, line


def _line(file: IO[bytes]) -> bytes:
    import zlib

    try:
        return file.readline(LONGEST)
    except (EOFError, zlib.error, OSError) as error:
        raise Damaged(str(error)) from error

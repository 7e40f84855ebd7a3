"""The lines of a file, compressed or not, whatever is in them."""

from __future__ import annotations

import io
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from hueyctl import errors

#: The longest line that is read: a payload of 10 MB with its result and its errors.
LONGEST = 64_000_000
_GZIP = b"\x1f\x8b"


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
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
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

"""What a worker has started, pairs of (seq, claim), where others read it after a kill -9."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from hueycore.exceptions import StorageFull

PAIR = struct.Struct("<qq")
_NONE = PAIR.pack(0, 0)


class Descriptor:
    """Closed when nobody refers to it any more, hence never under a thread that writes with it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


class FileSlots:
    """Slots in a file, at an offset.

    Written and not mapped: a store into a map of a file that somebody truncates kills the process.
    """

    def __init__(self, file: Descriptor, offset: int) -> None:
        self._file: Descriptor | None = file
        self._offset = offset

    def start(self, slot: int, seq: int, claim: int) -> None:
        self._write(slot, PAIR.pack(seq, claim))

    def clear(self, slot: int) -> None:
        self._write(slot, _NONE)

    def close(self) -> None:
        """From now on nothing is noted: the region may soon be another worker's."""
        self._file = None

    def _write(self, slot: int, pair: bytes) -> None:
        file = self._file
        if file is not None:
            try:
                os.pwrite(file.number, pair, self._offset + slot * PAIR.size)
            except OSError as error:
                raise StorageFull(f"the side file: {error.strerror}") from error


class MemorySlots:
    """Slots that nobody else reads."""

    def __init__(self, count: int) -> None:
        self._pairs = bytearray(count * PAIR.size)

    def start(self, slot: int, seq: int, claim: int) -> None:
        PAIR.pack_into(self._pairs, slot * PAIR.size, seq, claim)

    def clear(self, slot: int) -> None:
        self.start(slot, 0, 0)

    def close(self) -> None: ...

    def pairs(self) -> Iterator[tuple[int, int, int]]:
        return pairs(self._pairs)


def pairs(region: bytes | bytearray) -> Iterator[tuple[int, int, int]]:
    """(slot, seq, claim) of every run that had started and not finished."""
    for slot in range(len(region) // PAIR.size):
        seq, claim = PAIR.unpack_from(region, slot * PAIR.size)
        if seq:
            yield slot, seq, claim

"""What a worker has started, pairs of (seq, claim), where others read it after a kill -9."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import partial

from hueycore.exceptions import StorageFull

PAIR = struct.Struct("<qq")


class Descriptor:
    """Closed when nobody refers to it any more, hence never under a thread that writes with it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


class FileSlots:
    """Slots in a file, at an offset.

    Written and not mapped: a store into a map of a file that somebody truncates kills the process.
    Written by a call that keeps the interpreter's lock: ``os.pwrite`` gives it to another thread,
    twice a job, which costs ten times as much as the write.
    """

    def __init__(self, file: Descriptor, offset: int, count: int) -> None:
        import ctypes  # dear, and only workers have slots

        pwrite = ctypes.PyDLL(None)["pwrite"]
        self._file: Descriptor | None = file
        self._offset = offset
        self._pairs = [ctypes.create_string_buffer(PAIR.size) for _ in range(count)]
        # Converted here, and not at each call.
        number, size = ctypes.c_int.from_param(file.number), ctypes.c_size_t.from_param(PAIR.size)
        self._writes = [
            partial(
                pwrite,
                number,
                ctypes.byref(pair),
                size,
                ctypes.c_long.from_param(offset + slot * PAIR.size),
            )
            for slot, pair in enumerate(self._pairs)
        ]

    def start(self, slot: int, seq: int, claim: int) -> None:
        file = self._file
        if file is not None:
            PAIR.pack_into(self._pairs[slot], 0, seq, claim)
            if self._writes[slot]() != PAIR.size:
                self._try_again(file, slot)

    def clear(self, slot: int) -> None:
        self.start(slot, 0, 0)

    def close(self) -> None:
        """From now on nothing is noted: the region may soon be another worker's."""
        self._file = None

    def _try_again(self, file: Descriptor, slot: int) -> None:
        try:
            os.pwrite(file.number, self._pairs[slot], self._offset + slot * PAIR.size)
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

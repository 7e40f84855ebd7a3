"""Between a supervisor and its child processes: messages, and memory that both see."""

from __future__ import annotations

import json
import mmap
import socket
import struct
from typing import Any, NamedTuple

from hueycore.system import clock


class Channel:
    """One end of a pair of sockets. A message is a JSON line. The death of the other process, of
    whatever kind, reads as the end. No method waits."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.setblocking(False)
        self._rest = b""

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        here, there = socket.socketpair()
        return cls(here), cls(there)

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, *message: Any) -> None:
        """A message is lost when the other process is gone or does not read: either is about to be
        replaced."""
        try:
            self._end.send(json.dumps(message).encode() + b"\n")
        except OSError:
            pass

    def receive(self) -> list[list[Any]] | None:
        """The messages that have come; None at the end."""
        ended = False
        try:
            while not ended:
                data = self._end.recv(65536)
                self._rest += data
                ended = not data
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        *lines, self._rest = self._rest.split(b"\n")
        return None if ended and not lines else [json.loads(line) for line in lines]

    def close(self) -> None:
        self._end.close()


class Limit(NamedTuple):
    """Until when (monotonic time, the same in all processes) a run may go on."""

    end: float
    seq: int
    claim: int


_CELL = struct.Struct("<dqq")
_BUSY = struct.Struct("<q")
_FEED = struct.Struct("<qq")


class Board:
    """A cell per worker process, in memory that they share with the supervisor. It must know the
    limits of runs whose process can send nothing any more."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._memory = mmap.mmap(-1, size * Cell.SIZE)

    def cell(self, number: int) -> Cell:
        return Cell(self._memory, number * Cell.SIZE)

    def count(self) -> tuple[int, int]:
        """How many workers are inside a job, and how many of these are past their limit."""
        cells = [self.cell(number) for number in range(self.size)]
        now = clock.monotonic()
        limits = [cell.read() for cell in cells]
        overdue = sum(limit is not None and limit.end <= now for limit in limits)
        return sum(cell.busy for cell in cells), overdue


class Cell:
    SIZE = _CELL.size + _BUSY.size + _FEED.size

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._memory = memory
        self._offset = offset

    def write(self, limit: Limit) -> None:
        _CELL.pack_into(self._memory, self._offset, *limit)

    @property
    def busy(self) -> bool:
        """Whether a job is inside."""
        return bool(_BUSY.unpack_from(self._memory, self._offset + _CELL.size)[0])

    def begin(self) -> None:
        _BUSY.pack_into(self._memory, self._offset + _CELL.size, 1)

    def end(self) -> None:
        _BUSY.pack_into(self._memory, self._offset + _CELL.size, 0)

    @property
    def feed(self) -> tuple[int, int]:
        """How many claims no run has started, and how many endings are not written, as of the last
        beat of the worker's feed."""
        held, unwritten = _FEED.unpack_from(self._memory, self._offset + self.SIZE - _FEED.size)
        return held, unwritten

    @feed.setter
    def feed(self, counts: tuple[int, int]) -> None:
        _FEED.pack_into(self._memory, self._offset + self.SIZE - _FEED.size, *counts)

    def clear(self) -> None:
        _CELL.pack_into(self._memory, self._offset, 0.0, 0, 0)

    def read(self) -> Limit | None:
        limit = Limit(*_CELL.unpack_from(self._memory, self._offset))
        return limit if limit.end else None

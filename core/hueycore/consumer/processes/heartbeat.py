"""When the loops of a child process are due, in memory that its supervisor reads: a loop that hangs
sends no message."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable

from hueycore.consumer.health import Loops
from hueycore.system import clock

_DUE = struct.Struct("<d")


class Heartbeat(Loops):
    """Written by the child, read and cleared by the supervisor. ``loops`` are their names. A loop
    that has not beaten yet is not late."""

    def __init__(self, *loops: str) -> None:
        self.loops = loops
        self._offsets = {loop: number * _DUE.size for number, loop in enumerate(loops)}
        self._memory = mmap.mmap(-1, len(loops) * _DUE.size)
        self._troubles: dict[str, str | None] = dict.fromkeys(loops)
        #: Called in the child when the storage begins or ceases to fail a loop.
        self.on_trouble: Callable[[str, str | None], None] = lambda loop, trouble: None

    def beat(self, loop: str, pause: float = 0.0) -> None:
        _DUE.pack_into(self._memory, self._offsets[loop], clock.monotonic() + pause)

    def set_trouble(self, loop: str, trouble: str | None) -> None:
        if self._troubles[loop] != trouble:
            self._troubles[loop] = trouble
            self.on_trouble(loop, trouble)

    def clear(self) -> None:
        """Another child begins."""
        self._memory[:] = bytes(len(self._memory))

    def due(self) -> dict[str, float]:
        """When each loop will be back at the latest, in monotonic time, the same in all
        processes."""
        dues = {
            loop: _DUE.unpack_from(self._memory, offset)[0]
            for loop, offset in self._offsets.items()
        }
        return {loop: due for loop, due in dues.items() if due}

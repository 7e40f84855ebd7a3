"""The log of a consumer, written by a thread of its own."""

from __future__ import annotations

import logging
import os
import select
import stat
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from hueycore.exceptions import TaskTimeout
from hueycore.system import native
from hueyctl import streams

#: Lines that may wait before who logs has to. A long one counts as one per so many bytes.
MOST = 10_000
LONG = 1_000
#: Bytes of a write. What several processes write to a pipe is whole up to this size.
PIECE = select.PIPE_BUF
PIECE_OF_FILE = 1 << 18
#: Seconds in which lines gather after a write.
PAUSE = 0.01
#: Seconds between two looks of who waits.
LOOK = 0.005


class Writer(logging.Handler):
    """Formats a line where it is logged, with the values of that moment. A thread writes what has
    gathered, in order. Before ``start``, after ``close`` and in a forked child each call writes its
    line itself: nobody knows how such a child ends.

    No lock is held while a line comes in: a signal handler, or the exception of a time limit, may
    arrive anywhere in a call."""

    def __init__(
        self, target: logging.StreamHandler[Any], reopen: Callable[[], None] = lambda: None
    ) -> None:
        """``target`` has the stream, a file of the system, which ``reopen`` may replace."""
        super().__init__()
        self._target = target
        self._reopen = reopen
        self._encoding = target.stream.encoding
        self._failed = False
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """What waits in the parent is written there."""
        self._lines: deque[bytes] = deque()
        self._writing = native.RLock()
        self._bell: native.SimpleQueue[None] = native.SimpleQueue()
        self._rung = False
        self._thread: native.AnyThread | None = None

    def start(self) -> None:
        """Write in a thread from now on. May be called again."""
        with self._writing:
            if self._thread is not None:
                return
            self._thread = native.Thread(self._run, "huey-log")
            try:
                self._thread.start()
            except RuntimeError:  # no more threads
                self._thread = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of other handlers: workers must not wait for each other."""
        if not self.filter(record):
            return False
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(self._encoding, "backslashreplace")
        except (RecursionError, TaskTimeout):
            raise
        except Exception:
            self.handleError(record)
            return
        while len(self._lines) >= MOST and self._thread is not None:
            _sleep()
        self._lines.append(line)
        if len(line) > LONG:
            self._lines.extend([b""] * (len(line) // LONG))
        if self._thread is None:
            self.flush()
        elif not self._rung:
            self._rung = True
            self._bell.put(None)

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            while self._lines:
                self._write()

    def close(self) -> None:
        """End the thread; none of its lines is lost."""
        self._thread = None
        self._bell.put(None)
        self.flush()
        super().close()

    def _run(self) -> None:
        while self._thread is not None:
            self._bell.get()
            self._rung = False  # before the look at the lines: one that comes later rings again
            self.flush()
            native.sleep(PAUSE)

    def _write(self) -> None:
        try:
            self._reopen()
            self._write_piece(self._target.stream)
            self._failed = False
        except TaskTimeout:
            raise
        except Exception as error:
            # The lines are lost: jobs do not wait until a disk has room.
            if not self._failed:
                self._failed = True
                streams.say(f"hueyctl: the log cannot be written: {error}")

    def _write_piece(self, stream: IO[str]) -> None:
        # Not by the stream itself: its lock, held here during a fork, would be held in the child.
        descriptor = stream.fileno()
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        left = memoryview(self._take(PIECE_OF_FILE if is_file else PIECE))
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:  # another program has made it so
                native.sleep(LOOK)

    def _take(self, most: int) -> bytes:
        """As many whole lines as fit into ``most`` bytes, and at least one."""
        lines = [self._lines.popleft()]
        most -= len(lines[0])
        while self._lines and (most := most - len(self._lines[0])) >= 0:
            lines.append(self._lines.popleft())
        return b"".join(lines)


def _sleep() -> None:
    """As its caller sleeps: a greenlet lets the others run meanwhile."""
    try:
        time.sleep(LOOK)
    except AssertionError:  # gevent's hub
        native.sleep(LOOK)

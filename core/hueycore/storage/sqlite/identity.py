"""Whether a path still names the file that was opened.

SQLite answers COMMIT with OK into a file that no longer has a name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

from hueycore.exceptions import StorageError, StorageMoved

#: Device and inode.
Key = tuple[int, int]
#: Device, inode, time of the last change.
FolderState = tuple[int, int, int]
#: More than one tick of a file system's clock, in nanoseconds; Linux has a hundred a second.
_TICK = 20_000_000
#: The clock of file systems: ``time.time_ns`` is another where a test has frozen or moved the time.
_now = partial(time.clock_gettime_ns, time.CLOCK_REALTIME)


def key_of(found: os.stat_result) -> Key:
    return found.st_dev, found.st_ino


def key_at(path: str) -> Key | None:
    """Of the file that a path names; None when it names none."""
    try:
        return key_of(os.stat(path))
    except OSError:
        return None


class Identity:
    """Of a file that exists. ``check_beside`` looks at what belongs to it."""

    def __init__(self, path: str, check_beside: Callable[[], object] = bool) -> None:
        self._path = path
        self._folder = os.path.dirname(path)
        self._check_beside = check_beside
        self._settled: FolderState | None = None
        self._file = self._look()

    def check(self) -> None:
        """Raise ``StorageMoved`` when the path names another file by now, or none."""
        # One look at the folder tells that none of three names has changed.
        folder = _state(self._folder)
        if folder is not None and folder == self._settled:
            return
        if self._look() != self._file:
            raise StorageMoved(f"{self._path} was replaced while it was in use")
        self._check_beside()
        self._settled = folder if _is_settled(folder) else None

    def _look(self) -> Key:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            raise StorageMoved(f"{self._path} was removed while it was in use") from None
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}") from error
        return key_of(found)


def _state(path: str) -> FolderState | None:
    """Changes with every name that is made, removed or replaced in a folder; None: there is none.

    Its clock ticks every few milliseconds; see ``_is_settled``."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _is_settled(state: FolderState | None) -> bool:
    """Whether the next change will be seen: not while it could happen within the same tick."""
    return state is not None and state[2] < _now() - _TICK

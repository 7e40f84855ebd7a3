"""A storage that fails: whether that passes, and until when it is left alone."""

from __future__ import annotations

from hueycore.exceptions import (
    StorageCorrupt,
    StorageError,
    StorageMissing,
    StorageMoved,
    StorageReadOnly,
    StorageTooNew,
)
from hueycore.system import clock

#: First and longest pause between two tries, seconds.
FIRST, LONGEST = 0.1, 5.0

#: What does not pass by itself.
_FINAL = (StorageCorrupt, StorageMissing, StorageMoved, StorageReadOnly, StorageTooNew)


def will_pass(error: StorageError) -> bool:
    """Whether the storage may work again by itself. A plain error is the disk's (EIO), and engines
    have kinds of their own, as for a commit without an answer."""
    return not isinstance(error, _FINAL)


class Trouble:
    """Tries that failed since the storage worked last."""

    def __init__(self) -> None:
        #: Seconds from the last try to the next; 0.0 while the storage works.
        self.pause = 0.0
        self.error: str | None = None
        self._retry_at = 0.0

    def grow(self, error: StorageError) -> None:
        """A try has failed."""
        self.pause, self.error = min(self.pause * 2 or FIRST, LONGEST), str(error)
        self._retry_at = clock.monotonic() + self.pause

    def end(self) -> None:
        self.pause, self.error = 0.0, None

    def forget_pause(self) -> None:
        """The next try may be at once."""
        self._retry_at = 0.0

    def rest(self) -> float:
        """Seconds until the next try; 0.0 or less: it may be now."""
        return self._retry_at - clock.monotonic() if self.pause else 0.0

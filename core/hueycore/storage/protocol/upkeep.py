"""For those who keep a storage in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hueycore.model.reports import Info
from hueycore.model.retention import Keeping


class Upkeep(Protocol):
    """What a consumer does beside its jobs, and switches for the whole queue."""

    def record_events(self, on: bool) -> bool:
        """From now on what becomes of this queue's jobs is recorded, whoever does it, in the
        transaction that does it; or no more. False when that was so already."""
        ...

    def keep(self, rules: Keeping) -> dict[str, int]:
        """Purge by rule, a small batch per call: {rule: rows}. All zero when there is no more. It
        goes in short steps, each committed by itself, between which others write.

        Dead letters leave by age only, never by number."""
        ...

    def mend(self, *, set_back: bool = False) -> list[str]:
        """Let go what a key blocks without need, which no verb should leave behind: the keys where
        that was so. Also bring back the rates that a clock that was set back has moved out of
        reach, and forget those that are at rest. ``set_back``: it may have been, so bring back the
        jobs and pauses too that have longer to go than they were to last."""
        ...

    def verify(self) -> None:
        """Raise ``StorageMoved`` or ``StorageTooNew`` when this process must stop taking jobs."""
        ...

    def leave_checkpoints_to_janitor(self) -> None:
        """Called by a consumer: from now on only ``checkpoint`` does such work."""
        ...

    def checkpoint(self) -> None:
        """Fold the log of changes into the data."""
        ...

    def backup(
        self,
        path: str,
        *,
        overwrite: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Write all queues, as they are at one moment, into a new file that only its owner may
        read. ``on_progress`` is told how much is written, and of how much.

        Raises ``FileExistsError``, unless ``overwrite``."""
        ...

    def tool(self, verb: str) -> str | None:
        """What to use in place of ``backup``, ``restore`` or ``vacuum``, where that is a tool of
        the server's; None where the verb does it."""
        ...

    def info(self) -> Info:
        """The engine, its version and schema, sizes, and what stands in the way."""
        ...

    def vacuum(self) -> None:
        """Give the space of what was deleted back to the disk. Nobody else writes meanwhile.

        Raises ``StorageBusy``, ``StorageFull`` (there is no room for a second copy)."""
        ...

    def restore(self, path: str, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Put what ``backup`` has written in the place of everything that is here, in one
        transaction. No consumer may live, and all other tables of the database are lost. No number
        is given out again that a job here has had.

        Raises ``FileNotFoundError`` or another ``OSError``, ``StorageCorrupt``,
        ``StorageTooNew``."""
        ...

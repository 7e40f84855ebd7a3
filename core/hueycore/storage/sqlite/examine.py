"""The half of examination and upkeep that is about a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from hueycore.exceptions import StorageMoved
from hueycore.model.diagnosis import Diagnosis
from hueycore.model.reports import Info
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.sql import examine
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sqlite import schema
from hueycore.storage.sqlite.alive import Alive
from hueycore.storage.sqlite.database import Database
from hueycore.storage.sqlite.dial import WAL_LIMIT


class Examination(examine.Examination, Upkeep):
    db: Database
    alive: Alive

    def ring(self) -> None:
        """See ``Part.ring``."""
        raise NotImplementedError

    def damage(self, con: Connection, full: bool) -> list[str]:
        check = "integrity_check" if full else "quick_check(1)"
        rows = con.execute(f"pragma {check}").fetchall()
        return [row[0] for row in rows if row[0] != "ok"]

    def checkup(self) -> Mapping[str, Callable[[], Iterable[Diagnosis]]]:
        # Imported here: few processes ever ask.
        from hueycore.storage.sqlite import checkup, space

        path = self.db.path
        return {
            "durability": lambda: checkup.fsync(path),
            "wal": lambda: checkup.log(*self.size()),
            "space": lambda: space.room(self.db),
            "files": lambda: checkup.files(path),
            "clock": lambda: checkup.clock(path, self.newest_at()),
        }

    def gauges(self) -> dict[str, float]:
        from hueycore.storage.sqlite import checkup

        return checkup.gauges(self.db.path)

    def size(self) -> tuple[int, int]:
        return _size(self.db.path), _size(self._log)

    def tool(self, verb: str) -> str | None:
        return None

    def info(self) -> Info:
        from hueycore.storage.sqlite import space

        return space.info(self.db, *self.size())

    def vacuum(self) -> None:
        from hueycore.storage.sqlite import space

        space.vacuum(self.db)

    def restore(self, path: str, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        # Imported here: few processes ever do.
        from hueycore.storage.sqlite.restore import restore

        restore(self.db, path, on_progress)
        self.ring()

    def verify(self) -> None:
        self.db.read(schema.is_current)
        side = self.alive.side()
        if side is not None and side.moved():
            raise StorageMoved(
                f"{side.path} was removed or replaced: it tells who lives, so this consumer must "
                "start again"
            )

    def leave_checkpoints_to_janitor(self) -> None:
        self.db.autocheckpoint(0)

    def checkpoint(self) -> None:
        """Waits for readers only when the log has grown large."""
        if os.path.exists(self._log):
            self.db.checkpoint(truncate=_size(self._log) > WAL_LIMIT)

    @property
    def _log(self) -> str:
        return self.db.path + "-wal"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0

"""The half of examination and upkeep that is about a database on a server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from hueycore.exceptions import ConfigurationError, HueyException
from hueycore.model.diagnosis import Diagnosis
from hueycore.model.reports import Info
from hueycore.storage.postgres.alive import Alive
from hueycore.storage.postgres.database import Database
from hueycore.storage.postgres.hindrance import Hindrance
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.sql import examine
from hueycore.storage.sql.dialect import Connection
from hueycore.system import native

logger = logging.getLogger("hueycore.storage")

Question = Callable[[Any], Iterable[Diagnosis]]


#: The server's own.
_TOOLS = {
    "backup": "pg_dump --schema={schema} copies it while it is in use",
    "restore": "pg_restore, or psql, reads what pg_dump has written; stop the consumers first",
    "vacuum": "the server's autovacuum makes room for what comes; VACUUM FULL of the tables huey_… "
    "gives it back to the disk, while nobody works on them",
}


class Examination(examine.Examination, Upkeep):
    db: Database
    alive: Alive
    _hindrance: Hindrance | None = None
    _cleaner: native.AnyThread | None = None

    def damage(self, con: Connection, full: bool) -> list[str]:
        return []  # the server looks at what it reads

    def checkup(self) -> Mapping[str, Callable[[], Iterable[Diagnosis]]]:
        # Imported here: few processes ever ask.
        from hueycore.storage import server_clock
        from hueycore.storage.postgres import checkup

        def asked(question: Question) -> Callable[[], Iterable[Diagnosis]]:
            return lambda: self.db.read(lambda con: list(question(con)))

        return {
            "server": asked(partial(checkup.server, connect=self.db.connect)),
            "durability": asked(checkup.durability),
            "transaction": asked(checkup.transactions),
            "rows": asked(checkup.rows),
            "connections": asked(checkup.connections),
            "clock": lambda: server_clock.compared(self.db.now(), self.newest_at()),
        }

    def gauges(self) -> dict[str, float]:
        from hueycore.storage.postgres import checkup

        return self.db.read(checkup.gauges)

    def size(self) -> tuple[int, int]:
        return self.db.read(_size), 0

    def leave_checkpoints_to_janitor(self) -> None:
        """A server does that by itself."""

    def checkpoint(self) -> None:
        """A server does that by itself. Who keeps it from doing so is named, and what it leaves is
        cleaned."""
        if self._hindrance is None:
            self._hindrance = Hindrance(self.checkup()["transaction"])
        cleaning = self._cleaner is not None and self._cleaner.is_alive()
        if self._hindrance.look() and not cleaning:
            # It may take minutes, in which the janitor has others to look after.
            self._cleaner = native.Thread(self.clean, "huey-vacuum")
            self._cleaner.start()

    def clean(self) -> None:
        """Remove dead rows where the server leaves too many."""
        from hueycore.storage.postgres import checkup

        schema = self.db.schema
        try:
            for table in self.db.read(lambda con: checkup.dirty(con, schema)):
                self.db.vacuum(table)
        except HueyException as error:
            logger.warning("dead rows were not removed: %s", error)

    def tool(self, verb: str) -> str | None:
        return _TOOLS[verb].format(schema=self.db.schema)

    def info(self) -> Info:
        from hueycore.storage.postgres import checkup

        return self.db.read(lambda con: checkup.info(con, _size(con)), snapshot=True)

    def backup(self, path: str, **options: object) -> None:
        raise ConfigurationError(self.tool("backup") or "")

    def restore(self, path: str, **options: object) -> None:
        raise ConfigurationError(self.tool("restore") or "")

    def vacuum(self) -> None:
        raise ConfigurationError(self.tool("vacuum") or "")


def _size(con: Connection) -> int:
    rows = con.execute(
        """
        select sum(pg_total_relation_size(oid)) from pg_class
        where relkind = 'r' and relname like 'huey\\_%'
            and relnamespace = (
                select relnamespace from pg_class where oid = to_regclass('huey_meta'))
        """
    ).fetchall()
    return int(rows[0][0] or 0)

"""The half of examination and upkeep that is about a database on a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from hueycore.exceptions import ConfigurationError
from hueycore.model.diagnosis import Diagnosis
from hueycore.model.reports import Info
from hueycore.storage.postgres.database import Database
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.sql import examine
from hueycore.storage.sql.dialect import Connection

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

"""What the rooms of the SQLite engine share: one database, one queue name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hueycore.exceptions import StorageMoved
from hueycore.storage.sidefile import MappedSlots, SideFile, attach
from hueycore.storage.sqlite.connection import Database


class Room:
    """Base of the rooms; :class:`hueycore.storage.sqlite.SqliteStorage` joins them."""

    db: Database
    queue: str
    serializer: str | None
    max_pending: int | None
    mode: int
    _side: SideFile | None
    _slots: dict[int, MappedSlots]

    def side(self) -> SideFile | None:
        """The side file, made at the first need; None in memory, or for a reader where there is
        none."""
        if self._side is None and not self.db.memory:
            try:
                side = attach(self.db.path, None if self.db.read_only else self.mode)
            except FileNotFoundError:
                if self.db.read_only:
                    return None
                raise StorageMoved(f"{self.db.path}-huey was removed while it was opened") from None
            if self._side is None:
                self._side = side
            else:
                side.detach()  # another thread was quicker
        return self._side

    def ring(self) -> None:
        """Wake the consumers. After the commit only, and never an error."""
        raise NotImplementedError


def listed(values: Iterable[Any]) -> str:
    """A list as one parameter, for ``in (select value from json_each(?))``: the number of bound
    variables is limited, the length of a JSON text is not."""
    return json.dumps(list(values))

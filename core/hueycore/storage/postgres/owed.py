"""Locks that were to be given back while the server was away. Their holder lives, so that nobody
else would ever free them: it does so as soon as it can."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Ended, Exchange, Want
from hueycore.storage.sql.exchange import Exchanges
from hueycore.storage.sql.locks import Locks


class Owed(Exchanges, Locks):
    def _init_owed(self) -> None:
        #: (name, token), the oldest first.
        self._owed: list[tuple[str, bytes]] = []

    def unlock(self, name: str, token: bytes | None = None) -> bool:
        try:
            return super().unlock(name, token)
        except StorageError:
            if token is not None:
                self._owed.append((name, token))
            raise

    def lock(
        self,
        name: str,
        owner: int,
        token: bytes,
        *,
        ttl: float | None = None,
        reserve: bool = False,
    ) -> bool:
        self._pay()
        return super().lock(name, owner, token, ttl=ttl, reserve=reserve)

    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        self._pay()
        return super().exchange(worker, endings, want)

    def _pay(self) -> None:
        with suppress(StorageError):  # at the next call
            for debt in self._owed[:]:
                super().unlock(*debt)
                with suppress(ValueError):  # another thread was quicker
                    self._owed.remove(debt)

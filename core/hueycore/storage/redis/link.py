"""A connection that stays with its owner: by its number the server can say whether it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hueycore.exceptions import StorageError
from hueycore.storage.redis import errors
from hueycore.storage.redis.client import Client, describe
from hueycore.storage.redis.connections import Connection
from hueycore.storage.redis.wire import AnyScript, Word, evaluate, read, say, send

T = TypeVar("T")


class Link:
    """To the server that has a key. An error drops it, and the next call connects again: nothing is
    tried twice here. It is used by one thread at a time. All raise ``StorageError``."""

    def __init__(self, client: Client, key: str) -> None:
        self._client, self._key = client, key
        self._connection: Connection | None = None
        self._version: tuple[int, ...] = ()
        #: Of the connection that there was last, and of the server that it was to.
        self.id, self.run_id = 0, ""

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> Connection:
        """Connect, unless that is done."""
        if self._connection is None:
            self._guarded(self._connect)
        return self._connection

    def run(self, script: AnyScript, keys: Sequence[str], args: Sequence[Word]) -> Any:
        """Call a script."""
        return self._on(lambda connection: evaluate(connection, self._version, script, keys, args))

    def send(self, script: AnyScript, keys: Sequence[str], args: Sequence[Word]) -> None:
        """Call a script, and go on: ``receive`` gives the answer, before anything else is said."""
        self._on(lambda connection: send(connection, self._version, script, keys, args))

    def receive(self) -> Any:
        """The answer to what was sent; the connection must stand since."""
        if self._connection is None:
            raise StorageError("Redis: the connection is gone")
        return self._on(read)

    def call(self, *command: Word) -> Any:
        """One command."""
        return self._on(lambda connection: say(connection, command)[0])

    def use(self, action: Callable[[Connection], T]) -> T:
        """Do something with the connection; after an error of it, it is dropped."""
        return self._on(action)

    def drop(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _on(self, action: Callable[[Connection], T]) -> T:
        connection = self.open()
        return self._guarded(lambda: action(connection))

    def _connect(self) -> None:
        connection = self._client.nodes.pool(self._key).private()
        try:
            connection.connect()
            self._version, self.run_id = describe(connection)
            self.id = _number(connection)
        except BaseException:
            connection.disconnect()
            raise
        self._connection = connection

    def _guarded(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except Exception as error:
            if not errors.is_theirs(error):
                raise
            self.drop()
            trouble = errors.trouble(error)
            if trouble.elsewhere or errors.code(error) in ("MOVED", "ASK"):
                self._client.look_again()
            raise trouble.error from error


def _number(connection: Connection) -> int:
    """By which the server knows it; 0 where this user may not ask."""
    try:
        return int(say(connection, ("CLIENT", "ID"))[0])
    except Exception as error:
        if errors.code(error) != "NOPERM":
            raise
        return 0

"""What the parts of the engine share: one client, one queue name, and how they speak."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from hueycore.exceptions import StorageError, StorageReadOnly
from hueycore.storage.redis.bell import Bell
from hueycore.storage.redis.client import Client
from hueycore.storage.redis.scripts import QUEUES, keys_of, prefix_of, script
from hueycore.storage.redis.watch import Watch

#: Arguments of scripts. ``json.dumps`` with separators makes an encoder each time.
encode = json.JSONEncoder(separators=(",", ":")).encode
#: Rows that one command reads, and that one script changes at most.
PAGE = 1000


class Impossible(StorageError):
    """No row can hold what was to be written."""


class Part:
    """Base of the parts, which the engine joins."""

    client: Client
    bell: Bell
    watch: Watch
    queue: str
    prefix: str
    keys: tuple[str, ...]
    serializer: str | None
    max_pending: int | None
    read_only: bool
    #: Whose verbs these are, when a person gives them: they go into the event log then.
    operator: str | None
    #: How many scripts have been called: what they have changed nobody else tells this process.
    calls = 0
    #: Whether the set of all queues has this one.
    _listed: bool

    def run(
        self,
        verb: str,
        arg: dict[str, Any] | None = None,
        *data: bytes | str | int,
        queue: str | None = None,
        again: bool = True,
        durable: bool = False,
    ) -> Any:
        """Run the script of a verb; what is None is left out of its arguments. ``again``: a second
        time does no harm, and tells the same."""
        words = self.words(arg or {}, data)
        return self.call(verb, words, queue=queue, again=again, durable=durable)

    def words(self, arg: dict[str, Any], data: Sequence[bytes | str | int]) -> Sequence[Any]:
        """The arguments of a script, of which those that are None are left out."""
        given = {name: value for name, value in arg.items() if value is not None}
        try:
            return (repr(self.client.now()), encode(given), *data)
        except (TypeError, ValueError) as error:
            raise Impossible(f"{type(error).__name__}: {error}") from error

    def call(
        self,
        verb: str,
        words: Sequence[Any],
        *,
        queue: str | None = None,
        again: bool = True,
        durable: bool = False,
    ) -> Any:
        """Run a script with its arguments as they are."""
        if self.read_only:
            raise StorageReadOnly("the storage was opened to be read")
        self.calls += 1
        found = script(verb)
        keys = keys_of(self.queue if queue is None else queue, found.keys)
        return self.client.run(found, keys, words, again=again, durable=durable)

    def operate(
        self,
        verb: str,
        arg: dict[str, Any],
        *data: bytes,
        queue: str | None = None,
        durable: bool = True,
    ) -> Any:
        """``run`` for a person's verb: noted, and never given twice."""
        noted = {**arg, "operator": self.operator}
        return self.run(verb, noted, *data, queue=queue, again=False, durable=durable)

    def key(self, name: str, queue: str | None = None) -> str:
        return (self.prefix if queue is None else prefix_of(queue)) + name

    def ask(self, *commands: Sequence[Any]) -> list[Any]:
        return self.client.ask(*commands)

    def many(
        self, command: str, name: str, fields: Sequence[Any], queue: str | None = None
    ) -> list[Any]:
        """``HMGET`` and its kin for any number of fields."""
        key, found = self.key(name, queue), []
        for start in range(0, len(fields), PAGE):
            found += self.client.call(command, key, *fields[start : start + PAGE])
        return found

    def pairs(self, name: str, queue: str | None = None) -> dict[bytes, bytes]:
        """A whole hash."""
        flat = self.client.call("HGETALL", self.key(name, queue))
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def queue_names(self) -> list[str]:
        """Every queue of the server, by name."""
        return sorted(name.decode() for name in self.client.call("SMEMBERS", QUEUES))

    def list_queue(self) -> None:
        """See to it that all can find this queue."""
        if not self._listed:
            self.client.call("SADD", QUEUES, self.queue)
            self._listed = True


def row_values(values: Iterable[Any]) -> list[Any]:
    """Columns as the scripts take them: JSON without nulls."""
    return [False if value is None else value for value in values]


def text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def number(value: bytes | None) -> float | None:
    return None if value is None else float(value)

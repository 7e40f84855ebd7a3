"""A queue on a server as it is stored, read key by key."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hueycore.storage.redis.client import Client
from hueycore.storage.redis.messagepack import unpack, unpack_row
from hueycore.storage.redis.scripts import COLUMNS, KEYS, QUEUES, prefix_of

#: Told by the clock or the machine, so that two runs of the same verbs differ in them.
_OF_A_PROCESS = ("pid", "host", "boot_id", "space", "client", "server")
_READ = {
    b"hash": ("HGETALL",),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    b"stream": ("XRANGE", "-", "+"),
    b"string": ("GET",),
    b"list": ("LRANGE", 0, -1),
    b"set": ("SMEMBERS",),
}


class Row(dict[str, Any]):
    """A job's columns by name."""


class Contents(NamedTuple):
    """Of one queue, at one moment: hashes and sorted sets by the names of their keys."""

    queue: str
    rows: dict[int, Row]
    keys: dict[str, Any]

    def hash(self, name: str) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self.keys.get(name, {})
        return found

    def seqs(self, name: str) -> set[int]:
        """The numbers of the jobs that a hash has something of."""
        return {int(field) for field in self.hash(name) if field.isdigit()}

    def inputs(self, seq: int) -> list[Any]:
        packed = self.hash("input").get(b"%d" % seq)
        return [] if packed is None else list(unpack(packed))


def queues(client: Client) -> list[str]:
    return sorted(name.decode() for name in client.call("SMEMBERS", QUEUES))


def read(client: Client, queue: str) -> Contents:
    prefix = prefix_of(queue)
    names = [*KEYS]
    kinds = client.ask(*(("TYPE", prefix + name) for name in names))
    there = [(name, kind) for name, kind in zip(names, kinds, strict=True) if kind != b"none"]
    answers = client.ask(
        *((_READ[kind][0], prefix + name, *_READ[kind][1:]) for name, kind in there)
    )
    keys: dict[str, Any] = {}
    for (name, kind), answer in zip(there, answers, strict=True):
        keys[name] = _paired(answer) if kind in (b"hash", b"zset") else answer
    rows = {
        int(seq): Row(zip(COLUMNS, unpack_row(data), strict=True))
        for seq, data in keys.get("row", {}).items()
    }
    return Contents(queue, rows, keys)


def snapshot(client: Client) -> dict[str, Any]:
    """All queues, but for what the clock or the machine has told."""
    found: dict[str, Any] = {}
    for queue in queues(client):
        contents = read(client, queue)
        keys = {**contents.keys}
        if "worker" in keys:
            keys["worker"] = dict(filter(None, map(_steady, keys["worker"].items())))
        if "queue" in keys:
            keys["queue"] = {k: v for k, v in keys["queue"].items() if k != b"version"}
        found[queue] = keys
    return found


def _steady(field: tuple[bytes, bytes]) -> tuple[bytes, Any] | None:
    name, value = field
    if name.endswith((b" beat", b" link", b" runs")):
        return None
    if not name.isdigit():
        return name, value
    return name, {k: v for k, v in json.loads(value).items() if k not in _OF_A_PROCESS}


def _paired(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))

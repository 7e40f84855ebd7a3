"""What Huey left on a server. Waiting messages are set aside under another name before they are
read, so that a consumer of Huey's which still works runs none of them; all else is only read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from hueycore.exceptions import ConfigurationError, StorageCorrupt
from hueycore.model.migration import OldFile, OldMessage
from hueycore.storage.redis.client import Client

#: Of a queue with priorities, before each message: when it was enqueued.
_STAMP = 8
#: Keys of one step of a search.
_STEP = 1000
#: What a key that was set aside is called besides.
ASIDE = ".hueyctl."


def read_old(client: Client, queue: str | None, *, take: bool) -> OldFile:
    """What Huey left for a queue, or for the only one when it is None. ``take``: messages are set
    aside; those that were set aside before are read as well. Raises ``StorageCorrupt`` when there
    is nothing of Huey's; ``ConfigurationError`` when there is nothing of this queue, or None and
    several."""
    name = _chosen(client, queue)
    messages: list[OldMessage] = []
    for kind in ("redis", "schedule"):
        key = f"huey.{kind}.{name}"
        if take:
            _set_aside(client, key)
        for each in (*_aside(client, key), key):
            messages += _messages(client, each)
    values = dict(_values(client, name))
    return OldFile(client.url, queue or name, messages, values, ())


def waiting(client: Client) -> dict[str, int]:
    """By queue, as Huey writes its name, how many messages a consumer of Huey's would run."""
    found: Counter[str] = Counter()
    for key in _keys(client, "huey.*"):
        _, kind, name, *_ = (*key.split(".", 2), "", "")
        if kind in ("redis", "schedule") and ASIDE not in name:
            count = {b"list": "LLEN", b"zset": "ZCARD"}.get(client.call("TYPE", key))
            found[name] += client.call(count, key) if count else 0
    return {name: number for name, number in sorted(found.items()) if number}


def cleaned(name: str) -> str:
    """As Huey writes it in its keys."""
    return re.sub("[^A-Za-z0-9_]", "", name)


def _chosen(client: Client, queue: str | None) -> str:
    names = {
        rest
        for kind in ("redis", "schedule", "results")
        for key in _keys(client, f"huey.{kind}.*")
        if (rest := key.split(".", 2)[2].partition(ASIDE)[0])
    } | {key.split(".", 3)[2] for key in _keys(client, "huey.r.*.*")}
    if not names:
        raise StorageCorrupt(f"{client.url} holds no keys of Huey's")
    if queue is None and len(names) == 1:
        return names.pop()
    for name in (queue, cleaned(queue)) if queue is not None else ():
        if name in names:
            return name
    wrong = "several queues" if queue is None else f"no queue {queue!r}"
    listed = ", ".join(sorted(names))
    raise ConfigurationError(f"{client.url} has {wrong}: Huey's are {listed}")


def _set_aside(client: Client, key: str) -> None:
    number = 1
    while client.call("EXISTS", key) and not client.call(
        "RENAMENX", key, f"{key}{ASIDE}{number}", again=False
    ):
        number += 1


def _aside(client: Client, key: str) -> Iterator[str]:
    number = 1
    while client.call("EXISTS", f"{key}{ASIDE}{number}"):
        yield f"{key}{ASIDE}{number}"
        number += 1


def _messages(client: Client, key: str) -> Iterator[OldMessage]:
    """In the order in which Huey would run them."""
    if client.call("TYPE", key) == b"list":
        # They are taken from the end.
        found = client.call("LRANGE", key, 0, -1)[::-1]
    else:
        found = client.call("ZRANGE", key, 0, -1)
        if key.startswith("huey.redis."):
            found = [data[_STAMP:] for data in found]
    for number, data in enumerate(found, 1):
        yield OldMessage(f"{key} {number}", data)


def _values(client: Client, name: str) -> Iterator[tuple[str, bytes]]:
    flat = client.call("HGETALL", f"huey.results.{name}")
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        yield key.decode(errors="replace"), value
    prefix = f"huey.r.{name}."
    for key in _keys(client, f"{prefix}*"):
        value = client.call("GET", key)
        if value is not None:
            yield key.removeprefix(prefix), value


def _keys(client: Client, pattern: str) -> Iterator[str]:
    cursor = b"0"
    while True:
        cursor, found = client.call("SCAN", cursor, "MATCH", pattern, "COUNT", _STEP)
        yield from (key.decode(errors="replace") for key in found)
        if cursor == b"0":
            return

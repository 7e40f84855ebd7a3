"""What a server can be asked, all of it from INFO: who it is, what it promises, how much room there
is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hueycore.model.diagnosis import WARNING, Diagnosis, of_old_jobs, ok, problem, warning
from hueycore.model.reports import Info
from hueycore.storage import server_clock
from hueycore.storage.redis import oldkeys
from hueycore.storage.redis.client import Client
from hueycore.storage.redis.messagepack import unpack_row
from hueycore.storage.redis.scripts import COLUMNS, KEYS

OLDEST_SERVER = (6, 2)
#: The part of its memory that a server should have left.
LITTLE_ROOM = 0.1
_ENQUEUED_AT = [*COLUMNS].index("enqueued_at")
#: What the server's own tools do.
TOOLS = {
    "backup": "redis-cli --rdb FILE copies all that the server holds while it is in use; "
    "hueyctl dump writes this queue alone",
    "restore": "stop the server, put the RDB file in its place, and start it; hueyctl load reads "
    "what dump has written",
    "vacuum": "the server gives memory back by itself; MEMORY PURGE does so now",
}
#: How the keys of a queue are laid out, and its rows: both kinds are read, the second is written.
SCHEMA = 2


def questions(
    client: Client, keys: Sequence[str], queue: str
) -> Mapping[str, Callable[[], Iterable[Diagnosis]]]:
    """By name, in order; each asks when it is called. ``keys``: of the ``queue``."""
    return {
        "server": lambda: server(client),
        "durability": lambda: durability(client),
        "memory": lambda: memory(client),
        "huey": lambda: old_jobs(client, queue),
        "clock": lambda: server_clock.compared(client.now(), _newest(client, keys)),
    }


def server(client: Client) -> Iterator[Diagnosis]:
    """Its version, and whether it may be written to."""
    about, replication = client.info("server"), client.info("replication")
    kind = "Valkey" if "valkey_version" in about else "Redis"
    version = about.get("valkey_version") or about.get("redis_version", "?")
    facts: dict[str, Any] = {
        "kind": kind,
        "version": version,
        "mode": about.get("redis_mode") or about.get("server_mode", "standalone"),
        "role": replication.get("role", "?"),
        "writable": replication.get("role") == "master",
        "replicas": int(replication.get("connected_slaves", "0")),
    }
    name = f"{kind} {version}, {facts['mode']}"
    if client.version < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        yield problem("server", f"{name} is too old: {oldest} is the least", **facts)
    elif not facts["writable"]:
        hint = "give the address of the master, or Sentinel's master_for(…)"
        yield problem("server", f"{name} is a replica, which can only be read", hint, **facts)
    else:
        yield ok("server", name, **facts)


def durability(client: Client) -> Iterator[Diagnosis]:
    """What an answer is worth when the power goes, and when a replica takes over."""
    persistence, replication = client.info("persistence"), client.info("replication")
    replicas = int(replication.get("connected_slaves", "0"))
    facts: dict[str, Any] = {
        "aof": persistence.get("aof_enabled") == "1",
        "appendfsync": _setting(client, "appendfsync"),
        "replicas": replicas,
    }
    failed = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if persistence.get(name, "ok") != "ok"
    ]
    if failed:
        yield problem(
            "durability",
            f"the server cannot save: {', '.join(failed)}",
            "see its log; its disk may be full",
            **facts,
        )
    elif not facts["aof"]:
        yield warning(
            "durability",
            "the server has no append-only file: a crash of it loses all jobs since its last"
            " snapshot",
            "set appendonly yes, and appendfsync everysec or always",
            **facts,
        )
    elif facts["appendfsync"] == "no":
        yield warning(
            "durability",
            "appendfsync is no: a power cut may lose what the system has not written in half a"
            " minute",
            "set appendfsync everysec or always",
            **facts,
        )
    else:
        worth = {
            "always": "an answer is on the server's disk when it comes",
            "everysec": "a power cut may lose the last second, a crash of the server nothing",
        }.get(facts["appendfsync"] or "", "the server has an append-only file")
        more = f"; {replicas} replicas follow asynchronously" if replicas else ""
        yield ok("durability", worth + more, **facts)


def memory(client: Client) -> Iterator[Diagnosis]:
    """Whether there is room, and what the server does when there is none."""
    about = client.info("memory")
    used, most = int(about.get("used_memory", "0")), int(about.get("maxmemory", "0"))
    policy = about.get("maxmemory_policy", "?")
    facts: dict[str, Any] = {"used": used, "most": most, "policy": policy}
    if policy.startswith("allkeys") and most:
        yield problem(
            "memory",
            f"maxmemory-policy is {policy}: when the memory is full the server deletes the queue",
            "set maxmemory-policy noeviction",
            **facts,
        )
    elif most and used > most * (1 - LITTLE_ROOM):
        yield warning(
            "memory",
            f"{_mb(used)} of {_mb(most)} are used: when all of it is, enqueue fails",
            "purge jobs that are done, or raise maxmemory",
            **facts,
        )
    else:
        limit = f"of {_mb(most)}" if most else "and no limit"
        yield ok("memory", f"{_mb(used)} used, {limit}", **facts)


def old_jobs(client: Client, queue: str) -> Iterator[Diagnosis]:
    """Jobs of Huey's on the same server run only once they are brought over; those of another queue
    than this one may have a consumer of Huey's."""
    for name, number in oldkeys.waiting(client).items():
        if name == oldkeys.cleaned(queue):
            yield of_old_jobs(queue, number, client.url)
        else:
            yield of_old_jobs(name, number, client.url)._replace(status=WARNING)


def _newest(client: Client, keys: Sequence[str]) -> float | None:
    named = dict(zip(KEYS, keys, strict=True))
    seq = client.call("HGET", named["queue"], "seq")
    row = None if seq is None else client.call("HGET", named["row"], seq)
    return None if row is None else float(unpack_row(row)[_ENQUEUED_AT])


def gauges(client: Client) -> dict[str, float]:
    """``memory_used`` and ``memory_limit`` in bytes (0: none); ``replicas``."""
    about = client.info("memory")
    return {
        "memory_used": float(about.get("used_memory", "0")),
        "memory_limit": float(about.get("maxmemory", "0")),
        "replicas": float(client.info("replication").get("connected_slaves", "0")),
    }


def size(client: Client, keys: Sequence[str]) -> tuple[int, int]:
    """Bytes of a queue in the server's memory, as it estimates them; it has no log of its own."""
    found = client.ask(*(("MEMORY", "USAGE", key) for key in keys))
    return sum(each or 0 for each in found), 0


def info(client: Client, keys: Sequence[str]) -> Info:
    """The server, and how much of its memory the queue takes."""
    about, held = client.info("server"), client.info("memory")
    kind = "Valkey" if "valkey_version" in about else "Redis"
    version = about.get("valkey_version") or about.get("redis_version", "?")
    facts = {
        "mode": about.get("redis_mode") or about.get("server_mode", "standalone"),
        "memory_used": int(held.get("used_memory", "0")),
        "memory_limit": int(held.get("maxmemory", "0")) or None,
        "memory_policy": held.get("maxmemory_policy"),
    }
    return Info(kind, version, SCHEMA, size(client, keys)[0], 0, None, None, facts)


def _setting(client: Client, name: str) -> str | None:
    """None where this user may not ask, or nobody may."""
    from hueycore.exceptions import ConfigurationError, StorageError

    try:
        found = client.call("CONFIG", "GET", name)
    except (ConfigurationError, StorageError):
        return None
    return found[1].decode() if found else None


def _mb(number: int) -> str:
    return f"{number / 2**20:,.1f} MB"

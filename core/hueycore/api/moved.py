"""Options of Huey's that have another name here, or no effect."""

from __future__ import annotations

from typing import Any, TypedDict

from hueycore.exceptions import ConfigurationError
from hueycore.system.caller import warn_caller

_WOKEN = "an idle worker is woken, it does not poll"
_ANOTHER = "it is for another engine"
#: Why an option has no effect; those that are not here are for another engine.
_NO_EFFECT = {
    "cache_mb": "SQLite's own cache suffices",
    "journal_mode": "the file always has a write-ahead log",
    "pragmas": "they are set by the library",
    "create_tables": "tables are made when they are missing",
    "table_prefix": "tables begin with huey_, in the schema that schema= names",
    "store_intermediate_errors": "hueyctl show has the error of every attempt, the result that of "
    "the last",
    "blocking": _WOKEN,
    "read_timeout": _WOKEN,
}
#: Values that say what is so anyway.
_SO_ANYWAY = {
    "journal_mode": "wal",
    "create_tables": True,
    "store_intermediate_errors": False,
}


class HueyOptions(TypedDict, total=False):
    """Huey's options of a storage: ``fsync`` is ``durability``, ``strict_fifo`` is so anyway, and
    a warning says of the others why they have no effect."""

    fsync: bool | None
    strict_fifo: bool
    cache_mb: int
    journal_mode: str
    pragmas: Any
    create_tables: bool
    table_prefix: str
    store_intermediate_errors: bool
    blocking: bool
    read_timeout: float
    connection: Any
    host: Any
    port: Any
    db: Any
    username: Any
    password: Any
    connection_pool: Any
    unix_socket_path: Any
    client_name: Any
    notify_result: Any
    notify_result_ttl: Any
    clean_name: Any
    expire_time: Any


def storage_options(given: HueyOptions, durability: str | None, made: str) -> str | None:
    """The durability that ``fsync`` asks for, else the one given. One warning names what has no
    effect. Raises TypeError for an option that Huey does not have either, ``ConfigurationError``
    for two that say the same."""
    options: dict[str, Any] = {**given}
    fsync = options.pop("fsync", None)
    options.pop("strict_fifo", None)
    unknown = next((name for name in options if name not in HueyOptions.__annotations__), None)
    if unknown is not None:
        raise TypeError(f"{made}.__init__() got an unexpected keyword argument {unknown!r}")
    idle = [name for name, value in options.items() if _SO_ANYWAY.get(name, options) != value]
    if idle:
        why = "; ".join(f"{name}: {_NO_EFFECT.get(name, _ANOTHER)}" for name in idle)
        warn_caller(f"{made}: these options have no effect: {why}")
    if fsync is None:
        return durability
    if durability is not None:
        raise ConfigurationError("fsync= is another name of durability=: give one of them")
    return "full" if fsync else "fast"

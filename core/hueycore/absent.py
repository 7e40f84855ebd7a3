"""Names of Huey with nothing behind them here. They import, and say what to use when called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hueycore.exceptions import ConfigurationError

FILE: Final = "SqliteHuey(name, filename) keeps a queue in one file, which many processes may share"
ENGINE: Final = "a Huey without storage_class= keeps its queue in a file"
EVENTS: Final = "Huey(events=True) records what becomes of jobs, hueyctl events and stats show it"
GLIDE: Final = (
    "RedisHuey(name, host=…) speaks to Valkey as well, by redis-py or a valkey-py client="
)

#: Those of ``huey`` itself and of ``huey.api``.
HUEYS: Final = {
    "CySqliteHuey": FILE,
    "FileHuey": FILE,
    "BlackHoleHuey": "MemoryHuey(name) forgets its jobs with the process, and "
    "hueycore.testing.Sandbox keeps those of a test apart",
}

_made: dict[str, type] = {}


def absent(module: str, texts: Mapping[str, str], name: str) -> type:
    """The class that answers for a name of Huey's, one of ``texts``. Its call raises
    ``ConfigurationError``. Raises AttributeError for another name."""
    if name not in texts:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    if name not in _made:

        def __init__(self: object, *args: Any, **kwargs: Any) -> None:
            raise ConfigurationError(f"there is no {name} here: {texts[name]}")

        body = {"__init__": __init__, "__doc__": texts[name], "__module__": module}
        _made[name] = type(name, (), body)
    return _made[name]

"""Calls that only make what would do the work: a coroutine, a generator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType, NoneType
from typing import Any

from hueycore.exceptions import ConfigurationError

#: A value of one of these very types is nothing but a value; to ask for others takes a microsecond.
PLAIN = frozenset({NoneType, bool, int, float, str, bytes, list, tuple, dict, set})
_GENERATORS = (GeneratorType, AsyncGeneratorType)
_MAKERS = (
    inspect.iscoroutinefunction,
    inspect.isasyncgenfunction,
    inspect.isgeneratorfunction,
)


def check_callback(func: Callable[..., Any]) -> None:
    """Raises ``ConfigurationError`` for a hook or receiver whose call would run nothing of it."""
    call = type(func).__call__  # of an object that is called like a function
    if any(makes(func) or makes(call) for makes in _MAKERS):
        name = getattr(func, "__name__", repr(func))
        raise ConfigurationError(
            f"{name} is async or a generator, and nobody would await it: hooks and receivers are "
            "plain functions"
        )


def refuse_generator(value: Any, what: str) -> None:
    """Raises TypeError for what a generator function returned."""
    if isinstance(value, _GENERATORS):
        kind = "a generator" if isinstance(value, GeneratorType) else "an async generator"
        raise TypeError(f"{what} returned {kind}: nothing of it has run")


def refuse_deferred(value: Any, what: str) -> None:
    """The same for a coroutine, where nobody awaits it."""
    if isinstance(value, CoroutineType):
        value.close()  # or Python warns that it was never awaited
        raise TypeError(f"{what} returned a coroutine: nothing of it has run")
    refuse_generator(value, what)

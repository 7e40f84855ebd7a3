"""Whether two calls are the same: a digest of a function's arguments."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from hueycore.exceptions import SerializationError


def fingerprint(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """A digest of a call, the same in every process and Python: ``f(1, 2)`` and ``f(b=2, a=1)``
    are one call, a list and a tuple one sequence, and the order of a dictionary or set is none.

    Not of the pickle: its bytes depend on the protocol, on memoised objects and on hash seeds."""
    try:
        named: Mapping[str, Any] = inspect.signature(func).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):  # wrong arguments are for the run to complain about
        named = {"": args, **kwargs}
    try:
        text = _canonical(dict(named))
    except RecursionError:
        raise SerializationError("arguments that contain themselves have no unique key") from None
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _canonical(value: Any) -> str:
    """A text that two values share exactly when they are the same argument. Lengths are written
    before contents, so that no content looks like structure."""
    match value:
        case None | bool():
            return repr(value)
        case Enum():
            return f"{type(value).__qualname__}.{value.name}"
        case int():
            return f"i{value:x}"  # hexadecimal: digits have a limit
        case float() | complex():
            return f"f{value!r}"
        case str():
            return f"s{len(value)}:{value}"
        case bytes() | bytearray() | memoryview():
            return f"y{bytes(value).hex()}"
        case list() | tuple():
            return f"l{len(value)}[{','.join(map(_canonical, value))}]"
        case Mapping():
            pairs = sorted((_canonical(key), _canonical(item)) for key, item in value.items())
            return f"d{len(pairs)}{{{','.join(f'{key}={item}' for key, item in pairs)}}}"
        case set() | frozenset():
            return f"e{len(value)}{{{','.join(sorted(map(_canonical, value)))}}}"
        case datetime():
            moment = value if value.tzinfo is None else value.astimezone(UTC)
            return f"t{moment.isoformat()}"
        case date() | time():
            return f"t{value.isoformat()}"
        case timedelta():
            return f"t{value.days}d{value.seconds}s{value.microseconds}"
        case Decimal() | UUID() | PurePath():
            return f"{type(value).__name__}({value})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return f"{type(value).__qualname__}{_canonical(fields)}"
    raise SerializationError(
        f"unique=True cannot tell one {type(value).__name__} from another; "
        "give unique= a function of the arguments that returns the key"
    )

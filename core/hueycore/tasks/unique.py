"""What makes a call the same as another: the keys of unique jobs."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, Literal, NamedTuple

from hueycore.exceptions import SerializationError

#: What distinguishes the jobs of a task: their arguments (True and "args"), nothing ("task"), or
#: what a function of the arguments returns. A job for which it returns None is not unique.
By = bool | Literal["args", "task"] | Callable[..., object]
Until = Literal["start", "end"]
OnConflict = Literal["keep", "replace", "fail"]


class Unique(NamedTuple):
    """How a job is unique among those of its task."""

    by: By = False
    key: str | None = None
    until: str = "end"
    on_conflict: str = "keep"

    def key_of(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> str | None:
        """The key of a call; None when it is not unique.

        Raises ``SerializationError`` for arguments that have no canonical form."""
        if self.key is not None:
            return self.key
        if callable(self.by):
            key = self.by(*args, **kwargs)
            return None if key is None else str(key)
        if self.by == "task":
            return "task"
        if not self.by:
            return None
        return fingerprint(func, args, kwargs)


def make_unique(
    base: Unique | None,
    by: By | None = None,
    key: str | None = None,
    until: str | None = None,
    on_conflict: str | None = None,
) -> Unique | None:
    """``base`` with what is given. Raises ValueError for values that do not exist or fit."""
    found = base or Unique()
    if by is not None:
        if not (isinstance(by, bool) or by in ("args", "task") or callable(by)):
            raise ValueError(f'unique={by!r}: use True, "args", "task" or a function')
        found = found._replace(by=by)
    if key is not None:
        if not key:
            raise ValueError("unique_key= cannot be empty")
        found = found._replace(key=key)
    if until is not None:
        if until not in ("start", "end"):
            raise ValueError(f"unique_until={until!r}: use start or end")
        found = found._replace(until=until)
    if on_conflict is not None:
        if on_conflict not in ("keep", "replace", "fail"):
            raise ValueError(f"on_conflict={on_conflict!r}: use keep, replace or fail")
        found = found._replace(on_conflict=on_conflict)
    if found.by or found.key is not None:
        return found
    if until or on_conflict:
        raise ValueError("unique_until= and on_conflict= need unique= or unique_key=")
    return None


def fingerprint(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """A digest of a call, the same in every process and Python: ``f(1, 2)`` and ``f(b=2, a=1)``
    are one call, a list and a tuple one sequence, and the order of a dictionary or set is none.

    Not of the pickle: its bytes depend on the protocol, on memoised objects and on hash seeds.
    Raises ``SerializationError`` for arguments that have no canonical form."""
    # OpenSSL takes megabytes: only a call that is unique by its arguments pays for it.
    import hashlib

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
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return f"{type(value).__qualname__}{_canonical(fields)}"
    if _has_exact_text(value):
        return f"{type(value).__name__}({value})"
    raise SerializationError(
        f"unique=True cannot tell one {type(value).__name__} from another; "
        "give unique= a function of the arguments that returns the key"
    )


def _has_exact_text(value: Any) -> bool:
    # Who has such a value has loaded these; nobody else pays for them.
    from decimal import Decimal
    from pathlib import PurePath
    from uuid import UUID

    return isinstance(value, Decimal | UUID | PurePath)

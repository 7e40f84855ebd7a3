"""Arguments and results as JSON values, without executing anything that they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from hueyctl.answers.budget import SAFE_LIMIT, Budget
from hueyctl.units import rfc3339

_MISSING = object()


class Arguments(NamedTuple):
    """The arguments of a job as JSON values."""

    args: list[Any]
    kwargs: dict[str, Any]


def decode_arguments(blob: bytes | None) -> Arguments | None:
    """The arguments in a payload, None when they may not or cannot be decoded."""
    value = _decode(blob)
    if value is _MISSING or not isinstance(value, (tuple, list)) or len(value) != 2:
        return None
    args, kwargs = value
    if not isinstance(args, (tuple, list)) or not isinstance(kwargs, Mapping):
        return None
    try:
        return Arguments(jsonable(list(args)), jsonable(dict(kwargs)))
    except Exception:  # whatever is in it, it is one job of many
        return None


def decode_value(blob: bytes | None, limit: int = SAFE_LIMIT) -> tuple[bool, Any]:
    """(True, JSON value) of a result, (False, None) when it may not or cannot be decoded, or has
    more than ``limit`` bytes."""
    value = _decode(blob, limit)
    if value is _MISSING:
        return False, None
    try:
        return True, jsonable(value)
    except Exception:
        return False, None


def _decode(blob: bytes | None, limit: int = SAFE_LIMIT) -> Any:
    if blob is None:
        return _MISSING
    from hueyctl.answers.safe_pickle import safe_decode

    known, value = safe_decode(blob, limit)
    return value if known else _MISSING


def jsonable(value: Any) -> Any:
    """The value in JSON's types: sets as sorted lists, bytes as base64, dates as RFC 3339.

    Raises ``TooLarge``.
    """
    return _Converter().convert(value, 0)


class _Converter:
    def __init__(self) -> None:
        self._budget = Budget(text=math.inf)  # a text that is there once may be long

    def convert(self, value: Any, depth: int) -> Any:
        self._budget.enter(depth)
        self._budget.spend(value)
        if value is None or type(value) in (bool, str, int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, Mapping):
            return {self._key(key): self.convert(each, depth + 1) for key, each in value.items()}
        if isinstance(value, (set, frozenset)):
            return sorted((self.convert(each, depth + 1) for each in value), key=repr)
        if isinstance(value, (list, tuple)):
            return [self.convert(each, depth + 1) for each in value]
        return _scalar(value)

    def _key(self, key: Any) -> str:
        self._budget.spend(key)
        return key if isinstance(key, str) else str(_scalar(key))


def _scalar(value: Any) -> Any:
    import datetime

    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return rfc3339(value.timestamp())
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray)):
        import base64

        return {"base64": base64.b64encode(value).decode("ascii")}
    return str(value)


def finite(value: Any) -> Any:
    """A document with words for infinities, which JSON does not have: somebody wrote them into a
    row."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def dumps(value: Any) -> str:
    """Compact JSON on one line."""
    import json

    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))

"""Turning arguments and results into bytes and back.

The first byte says how to read the rest; an unknown one is an error, never a guess. Pickle is the
default, as in Huey: arguments are Python objects, and whoever can write the file runs code anyway.
"""

from __future__ import annotations

import io
import json
import pickle
import reprlib
from collections.abc import Mapping
from typing import Any

from hueycore.exceptions import SerializationError, TaskTimeout

PICKLE = 0x01
JSON = 0x02
CUSTOM = 0x7F

NAMES = {PICKLE: "pickle/1", JSON: "json/1", CUSTOM: "custom"}

#: Payloads that may be decoded outside of the application, bytes.
SAFE_LIMIT = 1024 * 1024
PREVIEW = 200

_BIG = 10**40
_PLAIN = frozenset((int, float, bool, type(None)))


class Serializer:
    """Pickle. Subclasses override ``_serialize`` and ``_deserialize``, as in Huey."""

    name = "pickle"
    tag = PICKLE

    def __init__(self, pickle_protocol: int = pickle.HIGHEST_PROTOCOL) -> None:
        self.pickle_protocol = pickle_protocol
        self._prefix = bytes((self.tag,))

    def __init_subclass__(cls) -> None:
        if "_serialize" in cls.__dict__ and "tag" not in cls.__dict__:
            cls.tag, cls.name = CUSTOM, "custom"

    def _serialize(self, data: Any) -> bytes:
        return pickle.dumps(data, self.pickle_protocol)

    def _deserialize(self, data: bytes) -> Any:
        return pickle.loads(data)

    def serialize(self, data: Any) -> bytes:
        """Raises ``SerializationError`` when the value cannot be written."""
        try:
            return self._prefix + self._serialize(data)
        except TaskTimeout:
            raise  # of the run that this is part of
        except Exception as error:
            raise SerializationError(
                f"cannot {self.name} {safe_repr(data, 80)}: {describe(error)}"
            ) from error

    def deserialize(self, data: bytes) -> Any:
        """Raises ``SerializationError`` when the bytes cannot be read by this serializer."""
        if not data or data[0] != self.tag:
            raise SerializationError(f"written as {format_name(data)}, read as {NAMES[self.tag]}")
        try:
            return self._deserialize(data[1:])
        except TaskTimeout:
            raise
        except Exception as error:
            raise SerializationError(f"unreadable {self.name} data: {describe(error)}") from error

    def preview(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """A line for people who look at the queue; None hides the arguments."""
        parts = [_short(value) for value in args]
        if kwargs:
            parts += [f"{name}={_short(value)}" for name, value in kwargs.items()]
        text = ", ".join(parts)
        return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"


class JSONSerializer(Serializer):
    """JSON: readable anywhere; tuples come back as lists, keys as strings."""

    name = "json"
    tag = JSON

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    def _deserialize(self, data: bytes) -> Any:
        return json.loads(data)


class _Repr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlong = 40


_repr = _Repr()


def _short(value: Any) -> str:
    kind = type(value)
    # Not every int has a repr: Python refuses those of more than 4,300 digits.
    if kind in _PLAIN and (kind is not int or -_BIG < value < _BIG):
        return repr(value)
    if kind is str and len(value) <= 40:
        return repr(value)
    return safe_repr(value, 80)


def safe_repr(value: Any, limit: int) -> str:
    """``repr`` that is short, can be stored as UTF-8, and never raises."""
    try:
        text = _repr.repr(value).encode(errors="backslashreplace").decode()
    except Exception:
        text = f"<{type(value).__name__} whose repr raises>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def describe(error: BaseException) -> str:
    """``Type: message`` of an exception, also of one whose str raises."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__} (its message cannot be shown)"


def format_name(data: bytes | None) -> str:
    """How a blob was written: ``pickle/1``, ``json/1`` …"""
    if not data:
        return "nothing"
    return NAMES.get(data[0], f"an unknown format (0x{data[0]:02x})")


#: The only globals that a pickle may name when it is decoded outside of the application. Names,
#: not modules: an allow-list of a whole module would run ``builtins.eval``.
_SAFE_GLOBALS = frozenset(
    {
        ("builtins", "set"),
        ("builtins", "frozenset"),
        ("builtins", "complex"),
        ("datetime", "datetime"),
        ("datetime", "date"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("uuid", "UUID"),
    }
)


def _bytearray(*args: Any) -> bytearray:
    """A number as argument would allocate that many bytes."""
    if args and isinstance(args[0], int):
        raise SerializationError("a bytearray of a number is not decoded")
    return bytearray(*args)


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "bytearray"):
            return _bytearray
        if (module, name) in _SAFE_GLOBALS:
            return super().find_class(module, name)
        raise SerializationError(f"{module}.{name} is not decoded outside of the application")


def safe_decode(data: bytes | None) -> tuple[bool, Any]:
    """Decode JSON or a pickle of plain types without running anything: (True, value), or
    (False, None) when the bytes may not be decoded here."""
    if not data or len(data) > SAFE_LIMIT:
        return False, None
    try:
        if data[0] == JSON:
            return True, json.loads(data[1:])
        if data[0] == PICKLE:
            return True, _PlainUnpickler(io.BytesIO(data[1:])).load()
    except Exception:
        return False, None
    return False, None

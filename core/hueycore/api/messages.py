"""What Huey wrote, as plain values: its messages, results and revocations."""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hueycore.canvas import SKIPPED, Error
from hueycore.exceptions import SerializationError, UnknownClass
from hueycore.model import migration
from hueycore.serializer import CUSTOM, GZIP, ZLIB, Serializer, unpacked
from hueycore.unpickler import PLAIN, Nothing

_SIGNED = re.compile(rb":[0-9a-f]{40}\Z")
#: What an ``Error`` has in it, by which JSON is told to be one.
_METADATA = {"error", "retries", "traceback", "task_id"}


class Message(migration.Message):
    """With what hangs on it."""

    __slots__ = ()

    @property
    def after(self) -> Message | None:
        return None if self.on_complete is None else to_message(self.on_complete)

    @property
    def handler(self) -> Message | None:
        return None if self.on_error is None else to_message(self.on_error)

    def line(self) -> Iterator[Message]:
        """This call and those that come after it."""
        one: Message | None = self
        while one is not None:
            yield one
            one = one.after

    @property
    def chord(self) -> str | None:
        """The outermost chord that it is a part of: all calls of a composition name the same."""
        found, message = None, self
        while True:
            *_, tail = message.line()
            if tail.chord_config is None:
                return found
            found = str(tail.chord_config[0])
            message = to_message(tail.chord_config[3])


def to_message(value: Any) -> Message:
    """Raises ``SerializationError`` for what is none."""
    if isinstance(value, Message):
        return value
    if hasattr(value, "_asdict"):
        value = value._asdict()
    try:
        if isinstance(value, dict):
            message = Message(**{name: value[name] for name in Message._fields if name in value})
        else:
            message = Message(*value)
    except TypeError:
        raise SerializationError("it is no message of Huey's") from None
    if not all(map(_is_name, message[:2])):
        raise SerializationError("it is no message of Huey's")
    return message


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


class Reader:
    """Reads with the keys and classes of an application, or only ``plain`` types."""

    def __init__(self, serializer: Serializer, *, plain: bool) -> None:
        self._serializer, self._plain = serializer, plain

    def message(self, data: bytes) -> Message:
        """Raises ``UnknownClass`` for classes that are not there, ``SerializationError``."""
        return to_message(self.value(data))

    def value(self, data: bytes) -> Any:
        """A result, or what else was stored. Raises the same."""
        try:
            return self._value(data)
        except SerializationError:
            raise
        except Exception as error:
            raise SerializationError(f"{type(error).__name__}: {error}") from error

    def outline(self, data: bytes) -> Message | None:
        """A message whose classes are not there, with something else in their place: what it is
        called, and what it belongs to."""
        try:
            return to_message(_Outline(io.BytesIO(_unpacked(data, self._limit))).load())
        except Exception:
            return None

    @property
    def _limit(self) -> int:
        return self._serializer.unpacked_limit

    def _value(self, data: bytes) -> Any:
        ours = self._serializer
        kind = type(ours)
        if ours.tag == CUSTOM and kind._deserialize is Serializer._deserialize:
            return ours.deserialize(data)
        data = ours.without_signature(_unpacked(data, self._limit))
        if ours.tag == CUSTOM:
            return _error_of(ours._deserialize(data))
        if self._plain and _SIGNED.search(data):
            raise SerializationError("it is signed, and only the application has the secret")
        if data[:1] in b'[{"-0123456789tfn' and data:
            return _error_of(json.loads(data))
        try:
            return _Unpickler(io.BytesIO(data), self._plain).load()
        except (ImportError, AttributeError) as error:
            raise UnknownClass(str(error)) from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, plain: bool) -> None:
        super().__init__(file)
        self._plain = plain

    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module, name))
        if known is not None:
            return known
        if module == "__builtin__":  # as the second protocol has it
            module = "builtins"
        if self._plain and (module, name) not in PLAIN:
            raise UnknownClass(f"{module}.{name} is only in the application")
        if module == "huey" or module.startswith("huey."):
            module = f"hueycore{module[4:]}"
        return super().find_class(module, name)


class _Outline(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module, name))
        if known is None and (module, name) in PLAIN:
            return super().find_class(module, name)
        return Nothing if known is None else known


class _OldError(Error):
    """Huey's is a tuple, which a pickle makes by calling ``__new__`` alone."""

    def __new__(cls, metadata: dict[str, Any]) -> Any:
        return Error(metadata)


_KNOWN: dict[tuple[str, str], Any] = {
    ("huey.registry", "Message"): Message,
    ("huey.utils", "Error"): _OldError,
    ("huey.utils", "SKIPPED"): SKIPPED,
}


def _unpacked(data: bytes, limit: int) -> bytes:
    """Without Huey's compression, which has no mark of its own."""
    if data[:2] == b"\x1f\x8b":
        return unpacked(bytes((GZIP,)) + data, limit)
    if data[:1] == b"\x78" and int.from_bytes(data[:2], "big") % 31 == 0:
        return unpacked(bytes((ZLIB,)) + data, limit)
    return data


def _error_of(value: Any) -> Any:
    """JSON has no ``Error``, but the list that it is written as."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return Error(value[0]) if value[0].keys() == _METADATA else value
    return value


def to_datetime(value: Any) -> datetime | None:
    """A moment: JSON has it as a text. Raises ``SerializationError``."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value is not None and not isinstance(value, datetime):
        raise SerializationError(f"{value!r} is no time")
    return value

"""Turning arguments and results into bytes and back.

The first byte says how to read the rest; an unknown one is an error, never a guess. Pickle is the
default, as in Huey: arguments are Python objects, and whoever can write the file runs code anyway.
What is compressed or signed has a first byte of its own, and inside it is all of the other.
"""

from __future__ import annotations

import json
import pickle
import reprlib
import zlib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from hueycore.exceptions import SerializationError, TaskTimeout, UnknownClass
from hueycore.unpickler import names_unknown

PICKLE = 0x01
JSON = 0x02
GZIP = 0x10
ZLIB = 0x11
SIGNED = 0x20
CUSTOM = 0x7F

#: Characters of an exception's message in one line.
LONGEST_MESSAGE = 1000

NAMES = {
    PICKLE: "pickle/1",
    JSON: "json/1",
    GZIP: "gzip/1",
    ZLIB: "zlib/1",
    SIGNED: "signed/1",
    CUSTOM: "custom",
}

PREVIEW = 200

_BIG = 10**40
_PLAIN = frozenset((int, float, bool, type(None)))


class Serializer:
    """Pickle. Subclasses override ``_serialize`` and ``_deserialize``, as in Huey.

    :param compression: compress what is written, with gzip or with ``use_zlib``. Compressed and
        plain data are read whatever the setting, so it may be changed while jobs wait.
    :param compression_level: 1 is quick, 9 is small.
    """

    name = "pickle"
    tag = PICKLE
    #: Whether arguments and values may be shown to people, in listings and in errors. A subclass
    #: with bytes of its own may well encrypt: none are shown unless it says ``previews = True``.
    previews = True
    #: Bytes that a compressed value may have when it is unpacked; more is neither written nor read.
    unpacked_limit = 256 * 1024 * 1024

    # Also of a subclass whose __init__ does not call this one.
    compression = False
    compression_level = 6
    use_zlib = False
    pickle_protocol = pickle.HIGHEST_PROTOCOL
    _prefix = bytes((PICKLE,))

    def __init__(
        self,
        compression: bool = False,
        compression_level: int = 6,
        use_zlib: bool = False,
        pickle_protocol: int = pickle.HIGHEST_PROTOCOL,
    ) -> None:
        self.compression = compression
        self.compression_level = compression_level
        self.use_zlib = use_zlib
        self.pickle_protocol = pickle_protocol

    def __init_subclass__(cls) -> None:
        own = cls.__dict__
        if ("_serialize" in own or "serialize" in own) and "tag" not in own:
            cls.tag, cls.name = CUSTOM, "custom"
            cls.previews = own.get("previews", False)
        cls._prefix = bytes((cls.tag,))

    @property
    def written_as(self) -> str:
        """What the queue's row says to those who have no application: ``pickle``, ``json+gzip``,
        ``signed`` …"""
        packed = ("+zlib" if self.use_zlib else "+gzip") if self.compression else ""
        return self.name + packed

    def _serialize(self, data: Any) -> bytes:
        return pickle.dumps(data, self.pickle_protocol)

    def _deserialize(self, data: bytes) -> Any:
        try:
            return pickle.loads(data)
        except (ImportError, AttributeError) as error:
            if not names_unknown(data):
                raise
            text = f"unreadable {self._format} data: {describe(error)}"
            raise UnknownClass(text) from error

    def serialize(self, data: Any) -> bytes:
        """Raises ``SerializationError`` when the value cannot be written."""
        try:
            blob = self._prefix + self._serialize(data)
            return self._packed(blob) if self.compression else blob
        except TaskTimeout:
            raise  # of the run that this is part of
        except Exception as error:
            shown = safe_repr(data, 80) if self.previews else f"a {type(data).__name__}"
            raise SerializationError(f"cannot {self._format} {shown}: {describe(error)}") from error

    def deserialize(self, data: bytes) -> Any:
        """Raises ``SerializationError`` when the bytes cannot be read by this serializer,
        ``UnknownClass`` when what they name cannot be imported."""
        try:
            if data and data[0] != self.tag and data[0] in WBITS:
                data = unpacked(data, self.unpacked_limit)
            if not data or data[0] != self.tag:
                written, read = format_name(data), format_name(self._prefix)
                raise SerializationError(f"written as {written}, read as {read}")
            return self._deserialize(data[1:])
        except (TaskTimeout, SerializationError):
            raise
        except Exception as error:
            raise SerializationError(
                f"unreadable {self._format} data: {describe(error)}"
            ) from error

    def without_signature(self, data: bytes) -> bytes:
        """What Huey's serializer of this name wrote, before it was signed. Raises
        ``SerializationError`` where a signature is wanted and is not right."""
        return data

    @property
    def _format(self) -> str:
        return format_name(self._prefix).partition("/")[0]

    def _packed(self, blob: bytes) -> bytes:
        if len(blob) > self.unpacked_limit:
            raise ValueError(f"{len(blob):,} bytes, and unpacked_limit={self.unpacked_limit:,}")
        tag = ZLIB if self.use_zlib else GZIP
        return bytes((tag,)) + zlib.compress(blob, self.compression_level, WBITS[tag])

    def preview(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """A line for people who look at the queue; None hides the arguments."""
        if not self.previews:
            return None
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


def __getattr__(name: str) -> Any:
    if name == "SignedSerializer":  # where Huey has it
        return import_module("hueycore.signatures").SignedSerializer
    raise AttributeError(name)


def by_name(name: str | None) -> Serializer | None:
    """The serializer that a queue's row names (``written_as``); None when only the application
    has it."""
    kind, _, packing = (name or "pickle").partition("+")
    found = {"pickle": Serializer, "json": JSONSerializer}.get(kind)
    if found is None or packing not in ("", "gzip", "zlib"):
        return None
    return found(compression=bool(packing), use_zlib=packing == "zlib")


#: How zlib is told the form of what it reads and writes.
WBITS = {GZIP: 31, ZLIB: 15}


def unpacked(data: bytes, limit: int) -> bytes:
    """What was compressed, unless that is more than ``limit`` bytes: a few kilobytes can unpack to
    gigabytes."""
    reader = zlib.decompressobj(WBITS[data[0]])
    plain = reader.decompress(memoryview(data)[1:], limit + 1)
    if len(plain) > limit:
        raise SerializationError(f"unpacked it takes more than {limit:,} bytes")
    if not reader.eof or reader.unused_data:
        raise SerializationError(f"the {format_name(data)} data is damaged")
    return plain


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


def shortened(text: str, most: int) -> str:
    """A text of at most about so many characters: where it is longer, without its middle."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} … {len(text) - most} characters … {text[-(most // 2) :]}"


def describe(error: BaseException) -> str:
    """``Type: message`` of an exception, also of one whose str raises or is endless."""
    try:
        return f"{type(error).__name__}: {shortened(str(error), LONGEST_MESSAGE)}"
    except BaseException:
        return f"{type(error).__name__} (its message cannot be shown)"


def format_name(data: bytes | None) -> str:
    """How a blob was written: ``pickle/1``, ``json/1``, ``signed/1`` …"""
    if not data:
        return "nothing"
    return NAMES.get(data[0], f"an unknown format (0x{data[0]:02x})")

"""Looking into payloads outside of the application: nothing that lies in them runs."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

from hueycore.exceptions import SerializationError
from hueycore.serializer import JSON, PICKLE, WBITS, unpacked

#: Payloads that may be decoded here, bytes; of compressed ones what they unpack to as well.
SAFE_LIMIT = 1024 * 1024

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
        if data[0] in WBITS:
            data = unpacked(data, SAFE_LIMIT)
        if data[0] == JSON:
            return True, json.loads(data[1:])
        if data[0] == PICKLE:
            return True, _PlainUnpickler(io.BytesIO(data[1:])).load()
    except Exception:
        return False, None
    return False, None

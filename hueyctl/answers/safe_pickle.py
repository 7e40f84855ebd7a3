"""Looking into payloads outside of the application: nothing that lies in them runs."""

from __future__ import annotations

import json
from typing import Any

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
        ("builtins", "bytearray"),
        ("datetime", "datetime"),
        ("datetime", "date"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("uuid", "UUID"),
    }
)


def safe_decode(data: bytes | None) -> tuple[bool, Any]:
    """Decode JSON or a pickle of plain types without running anything: (True, value), or
    (False, None) when the bytes may not be decoded here, or would make too much of it."""
    if not data or len(data) > SAFE_LIMIT:
        return False, None
    try:
        if data[0] in WBITS:
            data = unpacked(data, SAFE_LIMIT)
        if data[0] == JSON:
            return True, json.loads(data[1:])
        if data[0] == PICKLE:
            from hueyctl.answers.pickle_builder import build
            from hueyctl.answers.pickle_reader import read

            return True, build(read(data[1:], _SAFE_GLOBALS))
    except Exception:
        return False, None
    return False, None

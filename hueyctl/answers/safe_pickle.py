"""Looking into payloads outside of the application: nothing that lies in them runs."""

from __future__ import annotations

import json
from typing import Any

from hueycore.serializer import JSON, PICKLE, WBITS, unpacked
from hueycore.unpickler import PLAIN
from hueyctl.answers.budget import SAFE_LIMIT, TEXT


def safe_decode(data: bytes | None, limit: int = SAFE_LIMIT) -> tuple[bool, Any]:
    """Decode JSON or a pickle of plain types without running anything: (True, value), or
    (False, None) when the bytes may not be decoded here, or would make too much of it."""
    if not data or len(data) > limit:
        return False, None
    try:
        if data[0] in WBITS:
            data = unpacked(data, limit)
        if data[0] == JSON:
            return True, json.loads(data[1:])
        if data[0] == PICKLE:
            from hueyctl.answers.pickle_builder import build
            from hueyctl.answers.pickle_reader import read

            return True, build(read(data[1:], PLAIN), max(TEXT, limit))
    except Exception:
        return False, None
    return False, None

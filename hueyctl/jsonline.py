"""A line that is a JSON object, as ``enqueue --from`` and ``dead load`` read them."""

from __future__ import annotations

import json
from typing import Any


class BadLine(Exception):
    """A line that says no job; the message says why."""


def object_of(line: str | bytes) -> dict[str, Any]:
    """Raises ``BadLine``."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadLine("not a JSON object")
    return found

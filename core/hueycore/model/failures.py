"""The failed attempts of a job, as its row keeps them: a JSON list of objects."""

from __future__ import annotations

from typing import Any

from hueycore.model.documents import parsed

#: What an entry has, where it has it.
_KINDS: dict[str, type | tuple[type, ...]] = {
    "at": (int, float),
    "attempt": int,
    "type": str,
    "class": str,
    "message": str,
    "traceback": str,
    "run_s": (int, float),
    "worker": str,
    "counted": bool,
}
#: Characters of a text that is no such list.
_SHOWN = 200


def read_errors(text: str | None) -> list[dict[str, Any]]:
    """The entries, the oldest first. A text that somebody else wrote is one entry which says so."""
    if not text:
        return []
    found = parsed(text)
    if isinstance(found, list) and all(map(_is_entry, found)):
        return found
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return [{"type": "UnreadableErrors", "message": f"the row says {shown!r}"}]


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        entry.get(name) is None or (isinstance(entry[name], kind) and _is_finite(entry[name]))
        for name, kind in _KINDS.items()
    )


def _is_finite(value: Any) -> bool:
    return not isinstance(value, (int, float)) or (-1e300 < value < 1e300)

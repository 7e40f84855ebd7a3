"""Addresses of the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode


def quoted(path: str) -> str:
    """A path as it stands in a URL. One that began with two slashes would be another host."""
    return "/" + quote(path.lstrip("/"), safe="/")


def joined(base: str, parts: Iterable[Any], query: Mapping[str, Any]) -> str:
    """``joined("", ("jobs",), {"state": ["dead", "done"], "task": None})``; what is None or empty
    is left out."""
    path = base + "/" + "/".join(quote(str(part), safe="") for part in parts)
    pairs = [
        (name.rstrip("_"), word)
        for name, value in query.items()
        for word in (value if isinstance(value, (list, tuple)) else [value])
        if word not in (None, "")
    ]
    return f"{path}?{urlencode(pairs)}" if pairs else path

"""Connection strings of libpq: a URL, or ``key=value`` words."""

from __future__ import annotations

from collections.abc import Mapping

from hueycore.system.mask import masked_dsn

#: The schema of PostgreSQL that everybody has.
PUBLIC = "public"


def shown(dsn: str, schema: str) -> str:
    """For people: without passwords, and with the schema if it is one of its own."""
    text = masked_dsn(dsn) or "postgresql:///"
    if schema == PUBLIC:
        return text
    if "://" not in text:
        return f"{text} schema={schema}"
    return f"{text}{_sign(text)}schema={schema}"


def joined(dsn: str, words: Mapping[str, str]) -> str:
    """With more connection parameters, such as ``host`` and ``password``."""
    if not words:
        return dsn
    if "://" not in dsn:
        more = " ".join(f"{key}={_quoted(value)}" for key, value in words.items())
        return f"{dsn} {more}".strip()
    from urllib.parse import quote, urlencode

    return f"{dsn}{_sign(dsn)}{urlencode(words, quote_via=quote)}"


def _sign(url: str) -> str:
    return "&" if "?" in url else "?"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", r"\\").replace("'", r"\'") + "'"

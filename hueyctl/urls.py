"""Storage URLs: ``sqlite:///queue.db?name=huey``, ``sqlite:////abs/path``, or a bare path."""

from __future__ import annotations

from typing import NamedTuple

from hueyctl import errors, exits

LATER = {"redis": "Redis", "rediss": "Redis", "postgresql": "PostgreSQL", "postgres": "PostgreSQL"}


class Location(NamedTuple):
    """A SQLite file, and the queue that the URL names."""

    filename: str
    queue: str | None = None


def parse_url(text: str) -> Location:
    """Where the storage is. Opens nothing."""
    if text.startswith("@"):
        text = _read(text[1:])
    scheme, separator, rest = text.partition("://")
    if not separator:
        path, queue = _split_query(text) if "?name=" in text else (text, None)
        return Location(path, queue)
    scheme = scheme.lower()
    if scheme in LATER:
        raise errors.CliError(
            f"{LATER[scheme]} storages come with a later release", exits.UNAVAILABLE
        )
    if scheme != "sqlite":
        raise errors.usage(f"unknown storage {scheme!r}", "like sqlite:///queue.db?name=huey")
    path, queue = _split_query(rest)
    if not path.startswith("/"):
        raise errors.usage(
            f"a SQLite URL has three slashes, or four for an absolute path: {masked(text)}",
            f"sqlite:///{path}",
        )
    path = _unquoted(path[1:])
    if not path:
        raise errors.usage("the URL names no file", "like sqlite:///queue.db?name=huey")
    return Location(path, queue)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise errors.CliError(f"cannot read the URL from {path}: {reason}", exits.USAGE) from error


def _split_query(text: str) -> tuple[str, str | None]:
    path, _, query = text.partition("?")
    queue = None
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        if key not in ("name", "queue"):
            raise errors.usage(f"the URL has an unknown part {key!r}", "only ?name=QUEUE is known")
        queue = _unquoted(value) or None
    return path, queue


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)


def masked(text: str) -> str:
    """A URL without its password, for messages."""
    scheme, separator, rest = text.partition("://")
    before, at, after = rest.rpartition("@")
    if separator and at and ":" in before:
        return f"{scheme}://{before.partition(':')[0]}:***@{after}"
    return text

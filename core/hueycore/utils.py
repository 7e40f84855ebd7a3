"""Huey's helpers under its names, for applications that import them; nothing here uses them."""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from hueycore.canvas import SKIPPED, Error

__all__ = [
    "SKIPPED",
    "Error",
    "aware_to_utc",
    "encode",
    "is_naive",
    "load_class",
    "local_to_utc",
    "make_naive",
    "noop_context",
    "normalize_expire_time",
    "normalize_time",
    "utcnow",
]

noop_context = nullcontext


def load_class(path: str) -> Any:
    """What a dotted path names. Raises ImportError, AttributeError."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def utcnow() -> datetime:
    """The time in UTC, naive."""
    return datetime.now(UTC).replace(tzinfo=None)


def is_naive(dt: datetime) -> bool:
    """Whether a datetime has no zone."""
    return dt.utcoffset() is None


def make_naive(dt: datetime) -> datetime:
    """An aware datetime in local time, naive, without microseconds."""
    return dt.astimezone().replace(tzinfo=None, microsecond=0)


def aware_to_utc(dt: datetime) -> datetime:
    """An aware datetime in UTC, naive."""
    return dt.astimezone(UTC).replace(tzinfo=None)


def local_to_utc(dt: datetime) -> datetime:
    """A naive local datetime in UTC, naive, without microseconds."""
    return datetime(*time.gmtime(time.mktime(dt.timetuple()))[:6])


def normalize_time(
    eta: datetime | None = None, delay: float | timedelta | None = None, utc: bool = True
) -> datetime:
    """When something runs, as a naive datetime in UTC or in local time. Raises ValueError unless
    one of both is given, and for an eta that is no datetime."""
    if (delay is None) == (eta is None):
        raise ValueError("Specify either an eta (datetime) or delay (seconds)")
    if delay is not None:
        now = utcnow() if utc else datetime.now()
        return now + (delay if isinstance(delay, timedelta) else timedelta(seconds=delay))
    if not isinstance(eta, datetime):
        raise ValueError("eta must be a datetime instance")
    if utc:
        return local_to_utc(eta) if is_naive(eta) else aware_to_utc(eta)
    return eta if is_naive(eta) else make_naive(eta)


def normalize_expire_time(expires: datetime | float | timedelta, utc: bool = True) -> datetime:
    """``normalize_time`` of an expiry: a datetime, or seconds from now."""
    if isinstance(expires, datetime):
        return normalize_time(eta=expires, utc=utc)
    return normalize_time(delay=expires, utc=utc)


def encode(value: Any) -> bytes | None:
    """Text as bytes; bytes and None as they are."""
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()

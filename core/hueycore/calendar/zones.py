"""The machine's time zone as a real zone, so that DST nights are known in advance."""

from __future__ import annotations

import os
from datetime import datetime, tzinfo


def local_zone() -> tzinfo | None:
    """From ``TZ`` or /etc/localtime; a fixed offset where neither names a zone."""
    from zoneinfo import ZoneInfo

    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        target = os.path.realpath("/etc/localtime")
        if "/zoneinfo/" in target:
            return ZoneInfo(target.split("/zoneinfo/", 1)[1])
    except (ValueError, OSError, KeyError):
        pass
    return datetime.now().astimezone().tzinfo


def default_zone(utc: bool) -> tzinfo | None:
    """The zone of schedules that name none: None, which is UTC, or the machine's."""
    return None if utc else local_zone()


def default_zone_name(utc: bool) -> str | None:
    """The name of that zone, for a schedule that is stored; None for UTC, and where it has none."""
    return getattr(default_zone(utc), "key", None)

"""What a queue has besides its jobs, as it goes from one storage to another."""

from typing import Any, NamedTuple


class Record(NamedTuple):
    """Something that a queue has by a name, which is empty where there is one of its kind.

    ``kind`` is one of ``FIELDS``, ``fields`` are those that stand there, with plain values or
    bytes. Times are POSIX seconds."""

    kind: str
    queue: str
    name: str
    fields: dict[str, Any]


_ORDER = ("until", "once", "since", "reason", "by")
#: The fields of each kind. A queue comes before all that is in it.
FIELDS: dict[str, tuple[str, ...]] = {
    "queue": (
        *("paused_at", "paused_until", "paused_by", "pause_reason"),
        *("serializer", "events", "created_at"),
    ),
    "periodic": (
        *("task", "schedule", "tz", "catch_up", "grace", "next_run", "last_run", "last_id"),
        *("paused_at", "paused_by", "pause_reason", "payload", "preview", "options", "origin"),
    ),
    "revoked-task": _ORDER,
    "revoked-id": _ORDER,
    "paused-task": _ORDER,
    "paused-scheduler": _ORDER,
    "limit": ("key_name", "at_once", "rate", "per", "burst"),
    "rate": ("tat", "seen"),
    "value": ("value", "expires_at", "created_at"),
    "counter": ("number", "created_at"),
    # For people to see: it is held by a process, which no other storage knows.
    "lock": ("owner", "expires_at", "created_at"),
}

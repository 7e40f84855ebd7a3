"""What makes a call the same as another: the keys of unique jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

#: How jobs of a task are told apart: by their arguments (True and "args"), not at all ("task"), or
#: by what a function of the arguments answers; its None is a job that may be doubled.
By = bool | Literal["args", "task"] | Callable[..., object]
Until = Literal["start", "end"]
OnConflict = Literal["keep", "replace", "fail"]


class Unique(NamedTuple):
    """How a job is unique among those of its task."""

    by: By = False
    key: str | None = None
    until: str = "end"
    on_conflict: str = "keep"

    def key_of(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> str | None:
        """The key of a call; None when it is not unique.

        Raises ``SerializationError`` for arguments that have no canonical form."""
        if self.key is not None:
            return self.key
        if callable(self.by):
            key = self.by(*args, **kwargs)
            return None if key is None else str(key)
        if self.by == "task":
            return "task"
        if not self.by:
            return None
        # Imported here: who has no such task does not pay for what it needs.
        from hueycore.tasks.fingerprint import fingerprint

        return fingerprint(func, args, kwargs)


def unique(
    base: Unique | None,
    by: By | None = None,
    key: str | None = None,
    until: str | None = None,
    on_conflict: str | None = None,
) -> Unique | None:
    """``base`` with what is given. Raises ValueError for values that do not exist or fit."""
    found = base or Unique()
    if by is not None:
        if not (isinstance(by, bool) or by in ("args", "task") or callable(by)):
            raise ValueError(f'unique={by!r}: use True, "args", "task" or a function')
        found = found._replace(by=by)
    if key is not None:
        if not key:
            raise ValueError("unique_key= cannot be empty")
        found = found._replace(key=key)
    if until is not None:
        if until not in ("start", "end"):
            raise ValueError(f"unique_until={until!r}: use start or end")
        found = found._replace(until=until)
    if on_conflict is not None:
        if on_conflict not in ("keep", "replace", "fail"):
            raise ValueError(f"on_conflict={on_conflict!r}: use keep, replace or fail")
        found = found._replace(on_conflict=on_conflict)
    if found.by or found.key is not None:
        return found
    if until or on_conflict:
        raise ValueError("unique_until= and on_conflict= need unique= or unique_key=")
    return None

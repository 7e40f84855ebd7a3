"""The log lines of a job as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.events import LogLine


def as_object(line: LogLine) -> dict[str, Any]:
    """A line, for a document that says which job it is of."""
    return {
        "line": line.line,
        "at": rfc3339(line.at),
        "attempt": line.attempt,
        "level": line.level.lower(),
        "message": line.message,
    }

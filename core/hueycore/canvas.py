"""What stands in a chord's list for a member without a value.

Stored results hold both, pickled under the name of this module: workers of other versions read
them, so they stay here.
"""

from __future__ import annotations

from typing import Any

__all__ = ["SKIPPED", "Error"]


class Error:
    """In a chord's list: this member failed for good; ``metadata`` as ``TaskException`` has it."""

    __slots__ = ("metadata",)

    def __init__(self, metadata: dict[str, Any]) -> None:
        self.metadata = metadata

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Error) and self.metadata == other.metadata

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Error({self.metadata.get('error')})"


class _Skipped:
    """In a chord's list: this member was revoked or has expired."""

    def __repr__(self) -> str:
        return "SKIPPED"

    def __reduce__(self) -> str:
        return "SKIPPED"


SKIPPED = _Skipped()

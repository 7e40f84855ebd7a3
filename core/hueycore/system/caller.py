"""Who uses the library."""

from __future__ import annotations

import sys
import warnings
from types import FrameType


def warn_caller(text: str) -> None:
    """Warn at the line that uses the library."""
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("hueycore."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)

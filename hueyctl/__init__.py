"""The command line of a durable task queue in one SQLite file, or in PostgreSQL."""

from __future__ import annotations

from typing import Final

# A literal: importlib.metadata would cost more than half of `hueyctl --version`.
__version__: Final = "0.1.0"
#: The date of the release: man pages carry it, and building them twice gives the same bytes.
RELEASED: Final = "2026-11-20"

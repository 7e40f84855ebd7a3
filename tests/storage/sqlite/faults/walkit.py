"""What is in a write-ahead log, and the file that a power cut leaves of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

HEADER = 32
FRAME = 24 + 4096


def valid_frames(log: bytes) -> int:
    """How many frames at the front belong to the log's present generation."""
    if len(log) < HEADER:
        return 0
    salt = log[16:24]
    count = 0
    while log[HEADER + count * FRAME :][8:16] == salt:
        count += 1
    return count


def after_power_cut(folder: Path, base: bytes, log: bytes) -> sqlite3.Connection:
    found = folder / "found.db"
    Path(f"{found}-shm").unlink(missing_ok=True)
    found.write_bytes(base)
    Path(f"{found}-wal").write_bytes(log)
    return sqlite3.connect(found, isolation_level=None)

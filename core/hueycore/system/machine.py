"""Which machine, and which part of it, this process is on."""

from __future__ import annotations

import os


def boot_id() -> str:
    """Changes at every boot; '' where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def process_space() -> int:
    """Processes of the same boot see each other under the same numbers when this is the same, as
    it is not in two containers; 0 where the system does not tell."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def runs(pid: int) -> bool:
    """Whether there is a process of this number that has not ended: the parent of a killed one may
    not have asked yet how it ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """False where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # Its name, in brackets, may hold anything.
            return file.read().rpartition(b")")[2].split()[:1] == [b"Z"]
    except OSError:
        return False

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
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

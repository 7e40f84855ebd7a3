"""Passwords of the command line, which `ps` shows to everybody on the machine."""

from __future__ import annotations

import sys


def hide_passwords() -> None:
    """Write over the passwords of URLs in the words by which this process was started, so that
    `ps` shows neither its own nor those of the children that it forks. Where the system has no
    /proc they stay; nothing else depends on it."""
    if any("://" in word for word in sys.argv):
        from hueyctl import streams

        for word in sys.argv:
            if streams.masked(word) != word:
                _overwrite(word.encode(errors="surrogateescape"), streams.masked(word).encode())


def _overwrite(word: bytes, shown: bytes) -> None:
    try:
        import ctypes

        with open("/proc/self/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        # arg_start and arg_end; the first field after the name is the third.
        start, end = int(fields[48 - 3]), int(fields[49 - 3])
        at = ctypes.string_at(start, end - start).find(b"\0" + word + b"\0")
        if at >= 0:
            ctypes.memmove(start + at + 1, shown[: len(word)].ljust(len(word)), len(word))
    except (OSError, ImportError, ValueError, IndexError):
        pass

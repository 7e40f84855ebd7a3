"""Who is at the keyboard, for the others to read."""

from __future__ import annotations

import os


def operator() -> str:
    """``user@host``."""
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user has no name
        name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"

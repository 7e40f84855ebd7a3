"""What is to run, whatever the format of the file that says so."""

from __future__ import annotations

import os
import pwd
import re
import sys
from typing import NamedTuple

from hueyctl import errors

#: Seconds that a supervisor waits on top of the time that running jobs get.
MARGIN = 15
#: Seconds that running jobs get when nothing was said.
SHUTDOWN_TIMEOUT = 60
PORT = 9808


class Deployment(NamedTuple):
    """``words``: the options of ``hueyctl consume``, without what the format adds itself.
    ``command``: how ``scaffold`` was called. ``endless``: also one that ended well is restarted.
    ``server``: the engine of one of its own, which the queue is on; else None."""

    app: str
    name: str
    words: tuple[str, ...]
    command: str
    directory: str
    user: str
    image: str
    stop_signal: str
    stop_s: int
    http: tuple[str, int] | None
    kind: str | None
    template: bool
    endless: bool
    server: str | None


def program() -> list[str]:
    """How this very hueyctl is called: by the script beside its Python, in a venv or not."""
    script = os.path.join(os.path.dirname(sys.executable), "hueyctl")
    if os.access(script, os.X_OK):
        return [script]
    return [sys.executable, "-m", "hueyctl"]


def owner(directory: str) -> str:
    """Whose the directory is: the one who can write the queue beside the application."""
    uid = os.stat(directory).st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def name_of(app: str) -> str:
    """``myapp.queues:emails`` is myapp-queues-emails-worker; ``app.huey`` is app-worker."""
    parts = re.findall(r"[a-z0-9]+", app.removesuffix("()").lower())
    if len(parts) > 1 and parts[-1] == "huey":
        parts.pop()
    return f"{'-'.join(parts)[:50].strip('-') or 'huey'}-worker"


def refuse_controls(*texts: str) -> None:
    """No format can hold a line break where it means one."""
    for text in texts:
        if not text.isprintable():
            raise errors.usage(f"{text!r} has characters that cannot be printed into a file")


def header(deployment: Deployment, *lines: str) -> str:
    """Where the file goes and how it was made, as a comment."""
    made = f"Made by: hueyctl scaffold {deployment.command}"
    return "".join(f"# {line}".rstrip() + "\n" for line in (*lines, made))

"""Files that a user names: those that are written over or into, none of which may be a queue, and
queues that are made."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from hueyctl import errors, exits

if TYPE_CHECKING:
    from hueycore import Huey


def refuse_queue(option: str, path: str) -> None:
    """Exit 6 when a file is a queue, or one of those that lie beside it."""
    from hueycore.storage.open import holds_queue

    if holds_queue(path):
        raise errors.CliError(
            f"{option} {path} is a database, or belongs to one; nothing was written",
            exits.REFUSED,
            "name another file",
        )


def refuse_planted(option: str, path: str) -> None:
    """Exit 6 when a file is the link of another user, who would choose what is written to."""
    try:
        found = os.lstat(path)
    except OSError:
        return  # not there, or whoever opens it learns why not
    if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
        raise errors.CliError(
            f"{option} {path} is a link that belongs to another user (uid {found.st_uid})",
            exits.REFUSED,
            "name the file itself",
        )


def missing(huey: Huey) -> str | None:
    """The path of an application's file that is not there yet."""
    path = huey.location.filename
    is_missing = huey.location.is_file and not os.path.exists(path)
    return os.path.abspath(path) if is_missing else None


def make_queue(huey: Huey) -> str | None:
    """Make the file of an application that has none yet; the path of what was made."""
    path = missing(huey)
    if path is None:
        return None
    _ = huey.storage  # the first look makes it
    huey.close()
    return path if os.path.exists(path) else None

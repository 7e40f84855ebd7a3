"""Files that a user names to be written over or into: none of them may be a queue."""

from __future__ import annotations

import os
import stat

from hueyctl import errors, exits


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

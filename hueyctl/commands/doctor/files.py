"""Questions of ``doctor`` about the files of a storage: who may write them, and their clock."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hueyctl.commands.doctor.findings import Note, ok, problem, warning
from hueyctl.commands.doctor.storage import path_of

if TYPE_CHECKING:
    from hueyctl.context import Session

#: Seconds.
CLOCK_LIMIT = 5.0
_SUFFIXES = ("", "-wal", "-shm", "-huey")


def files(session: Session) -> Iterator[Note]:
    """Who may read and write the files: with pickle, whoever writes them runs code."""
    path = path_of(session.looking())
    present = {
        suffix: os.stat(path + suffix) for suffix in _SUFFIXES if os.path.exists(path + suffix)
    }
    mode = stat.S_IMODE(present[""].st_mode)
    owner = present[""].st_uid
    facts = {"mode": f"{mode:04o}", "uid": owner, "gid": present[""].st_gid}
    complaints = list(_about_modes(path, mode, present, owner))
    if not complaints:
        yield ok("files", f"mode {mode:04o}, owner {owner}, {len(present)} files alike", **facts)
    for status, text, hint in complaints:
        yield (problem if status else warning)("files", text, hint, **facts)


def _about_modes(
    path: str, mode: int, present: dict[str, os.stat_result], owner: int
) -> Iterator[tuple[bool, str, str | None]]:
    if mode & 0o002:
        yield True, f"{path} can be written by everybody, who can so run code", f"chmod 600 {path}"
    elif mode & 0o004:
        yield False, f"{path} can be read by everybody", f"chmod 600 {path}"
    for suffix, found in present.items():
        if found.st_uid != owner:
            yield (
                True,
                f"{path}{suffix} belongs to user {found.st_uid}, the database to {owner}",
                "run hueyctl and the application as the same user",
            )
    folder = os.path.dirname(path)
    if not os.access(folder, os.W_OK | os.X_OK) or not os.access(path, os.W_OK):
        yield False, f"{path} or its folder cannot be written by this user", None


def clock(session: Session) -> Iterator[Note]:
    """Times are compared between processes: a clock that was set back makes jobs late."""
    from hueycore.model.jobs import Selector

    found = session.looking()
    now = time.time()
    newest = found.jobs(Selector(sort="-seq", limit=1))
    ahead = newest[0].enqueued_at - now if newest else 0.0
    skew = _skew_of_files(os.path.dirname(path_of(found)))
    facts = {"newest_job_ahead_s": round(ahead, 3), "file_system_skew_s": skew}
    if ahead > CLOCK_LIMIT:
        yield problem(
            "clock",
            f"the newest job was enqueued {ahead:.0f} s in the future: a clock was set back, or "
            "a producer's clock is ahead",
            "synchronise the clocks",
            **facts,
        )
    elif skew is not None and abs(skew) > CLOCK_LIMIT:
        yield problem(
            "clock", f"the file system's clock is {skew:.0f} s away from ours", None, **facts
        )
    else:
        yield ok("clock", "agrees with the newest job and with the file system", **facts)


def _skew_of_files(folder: str) -> float | None:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
            return round(os.fstat(file.fileno()).st_mtime - time.time(), 3)
    except OSError:
        return None

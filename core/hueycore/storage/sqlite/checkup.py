"""What a queue file can be asked: how quick its disk is, its log, who may write it, its clock."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator

from hueycore.model.diagnosis import Diagnosis, ok, problem, skipped, warning

#: Consumers truncate the write-ahead log above 16 MB: more than this means that they cannot.
LOG_LIMIT = 64 * 1024 * 1024
SYNCS = 5
#: No disk that keeps its word is quicker than this.
TOO_QUICK = 0.00002
#: Seconds.
CLOCK_LIMIT = 5.0
_SUFFIXES = ("", "-wal", "-shm", "-huey")


def fsync(path: str) -> Iterator[Diagnosis]:
    """How long the disk takes to promise something, measured beside the file."""
    folder = os.path.dirname(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield skipped("durability", f"{folder} cannot be written: fsync was not measured")
        return
    try:
        took = _measured(folder)
    except OSError as error:
        yield problem("durability", f"nothing can be written to {folder}: {error.strerror}")
        return
    facts = {"fsync_s": round(took, 6), "per_second": round(1 / took)}
    text = (
        f"fsync takes {took * 1000:.2f} ms: about {1 / took:,.0f} durable enqueues a second one at "
        "a time, many more in groups"
    )
    if took < TOO_QUICK:
        yield warning(
            "durability",
            f"fsync takes {took * 1e6:.0f} µs: no disk is that quick, a power cut may take the "
            "newest jobs with it",
            "is this memory (tmpfs), or a virtual disk that does not pass syncs on?",
            **facts,
        )
    else:
        yield ok("durability", text, **facts)


def _measured(folder: str) -> float:
    """The median of a few appends with fsync to a file that has no name afterwards."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return max(1e-9, sorted(times)[SYNCS // 2])


def log(size: int, wal: int) -> Iterator[Diagnosis]:
    """Whether the write-ahead log is folded in."""
    text = f"the write-ahead log has {wal:,} bytes"
    if wal > LOG_LIMIT:
        yield warning(
            "wal",
            f"{text}, {wal / max(1, size):.1f} times the file",
            "a reader that never ends its transaction keeps it from being folded in: look for "
            "sqlite3 shells, backups and cursors that are left open",
            wal_bytes=wal,
        )
    else:
        yield ok("wal", text, wal_bytes=wal)


def files(path: str) -> Iterator[Diagnosis]:
    """Who may read and write the files: with pickle, whoever writes them runs code."""
    present = {
        suffix: os.stat(path + suffix) for suffix in _SUFFIXES if os.path.exists(path + suffix)
    }
    mode = stat.S_IMODE(present[""].st_mode)
    owner = present[""].st_uid
    facts = {"mode": f"{mode:04o}", "uid": owner, "gid": present[""].st_gid}
    complaints = list(_about_modes(path, mode, present))
    if not complaints:
        yield ok("files", f"mode {mode:04o}, owner {owner}, {len(present)} files alike", **facts)
    for status, text, hint in complaints:
        yield (problem if status else warning)("files", text, hint, **facts)


def _about_modes(
    path: str, mode: int, present: dict[str, os.stat_result]
) -> Iterator[tuple[bool, str, str | None]]:
    if mode & 0o002:
        yield True, f"{path} can be written by everybody, who can so run code", f"chmod 600 {path}"
    elif mode & 0o004:
        yield False, f"{path} can be read by everybody", f"chmod 600 {path}"
    whole = present[""]
    for suffix, found in present.items():
        # Whoever opens a queue first makes what lies beside it; the group has it in common.
        shared = found.st_gid == whole.st_gid and found.st_mode & whole.st_mode & 0o060 == 0o060
        if found.st_uid != whole.st_uid and not shared:
            yield (
                True,
                f"{path}{suffix} belongs to user {found.st_uid}, the database to {whole.st_uid}",
                "one user, or a group that all of them are in: hueyctl help operating",
            )
    folder = os.path.dirname(path)
    if not os.access(folder, os.W_OK | os.X_OK) or not os.access(path, os.W_OK):
        yield False, f"{path} or its folder cannot be written by this user", None


def clock(path: str, newest: float | None) -> Iterator[Diagnosis]:
    """Times are compared between processes: a clock that was set back makes jobs late. ``newest``
    is when the newest job was enqueued."""
    ahead = newest - time.time() if newest is not None else 0.0
    skew = _skew_of_files(os.path.dirname(path))
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


def gauges(path: str) -> dict[str, float]:
    """``disk_free``: bytes."""
    try:
        found = os.statvfs(os.path.dirname(path))
    except OSError:
        return {}
    return {"disk_free": found.f_bavail * found.f_frsize}

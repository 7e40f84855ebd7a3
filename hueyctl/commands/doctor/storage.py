"""Questions of ``doctor`` about a storage: where it is, how quick, how large, whether sound."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hueyctl.commands.doctor.findings import Note, ok, problem, skipped, warning

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

#: Consumers truncate the write-ahead log above 16 MB: more than this means that they cannot.
LOG_LIMIT = 64 * 1024 * 1024
SYNCS = 5
#: No disk that keeps its word is quicker than this.
TOO_QUICK = 0.00002


def storage(session: Session) -> Iterator[Note]:
    from hueycore.storage.location import SqliteLocation, place

    if session.location() is None and not session.may_import:
        why = "none was named (--url or --app), and there is no huey.db here"
        if session.has_app:
            why = "only a config file names the application: say --app or --url"
        yield skipped("storage", why)
        return
    location = session.location() or session.app_location()
    path, kind, is_network = location.name, "", False
    if isinstance(location, SqliteLocation):
        path, kind, is_network = place(location)
    if is_network:
        yield problem(
            "storage",
            f"{path} is on {kind}, a network file system: SQLite's locks do not hold there",
            "move the file to a local disk",
            file_system=kind,
        )
        return
    started = time.perf_counter()
    found = session.looking()
    queues = [row.queue for row in found.queues()]
    took = time.perf_counter() - started
    size, wal = found.size()
    said = ", ".join(queues) or "none yet"
    yield ok(
        "storage",
        f"{path} answered in {took * 1000:.1f} ms: {size:,} bytes, queues: {said}, "
        f"file system {kind or 'unknown'}",
        path=path,
        ping_s=round(took, 6),
        size_bytes=size,
        wal_bytes=wal,
        queues=queues,
        file_system=kind or None,
    )


def old_jobs(session: Session) -> Iterator[Note]:
    """Jobs that Huey left in the same file run only once they are brought over."""
    found = session.looking()
    waiting = found.left_by_huey()
    path = path_of(found)
    for queue, number in waiting.items():
        yield problem(
            "huey",
            f"{number:,} jobs of Huey's wait in queue {queue!r}, which nobody here runs",
            f"hueyctl load --from-huey {path} --queue {queue} --app MODULE:ATTR",
            queue=queue,
            jobs=number,
        )


def fsync(session: Session) -> Iterator[Note]:
    """How long the disk takes to promise something, measured beside the file."""
    folder = os.path.dirname(path_of(session.looking()))
    if not os.access(folder, os.W_OK | os.X_OK):
        yield skipped("durability", f"{folder} cannot be written: fsync was not measured")
        return
    took = _measured(folder)
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


def log(session: Session) -> Iterator[Note]:
    found = session.looking()
    size, wal = found.size()
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


def integrity(session: Session, full: bool) -> Iterator[Note]:
    started = time.perf_counter()
    findings = session.looking().examine(full=full)
    took = time.perf_counter() - started
    what = "every page and the invariants between rows" if full else "every page"
    if not findings:
        more = "" if full else " (--full also checks invariants between rows)"
        yield ok("integrity", f"{what}: sound, in {took:.2f} s{more}", seconds=round(took, 3))
    for one in findings:
        rows = ", ".join(map(str, one.rows))
        text = f"broken: {one.text}" if one.kind == "invariant" else one.text
        yield problem(
            "integrity",
            f"{text} (jobs {rows})" if rows else text,
            "stop the consumers, keep a copy of the file and its -wal, then repair"
            if one.kind == "integrity"
            else "please report this with the output of hueyctl show",
            kind=one.kind,
            rows=list(one.rows),
        )


def path_of(found: Storage) -> str:
    return found.url.partition(":///")[2]

"""Questions of ``doctor`` about a storage. All but the recovery of dead consumers only look."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hueyctl import errors
from hueyctl.commands.doctor.findings import Note, ok, problem, skipped, warning

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

#: Consumers truncate the write-ahead log above 16 MB: more than this means that they cannot.
LOG_LIMIT = 64 * 1024 * 1024
SYNCS = 5
#: No disk that keeps its word is quicker than this.
TOO_QUICK = 0.00002
CLOCK_LIMIT = 5.0
_SUFFIXES = ("", "-wal", "-shm", "-huey")


def storage(session: Session) -> Iterator[Note]:
    from hueycore.storage.open import place

    if session.location() is None and not session.has_app:
        yield skipped("storage", "none was named (--url or --app), and there is no huey.db here")
        return
    path, kind, is_network = place(session.location() or session.app_location())
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


def fsync(session: Session) -> Iterator[Note]:
    """How long the disk takes to promise something, measured beside the file."""
    folder = os.path.dirname(_path(session.looking()))
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


def consumers(session: Session) -> Iterator[Note]:
    """Consumers that died leave their jobs behind until somebody takes them back."""
    found = session.looking()
    rows = [row for row in found.workers() if row.takes_jobs]
    dead = [row for row in rows if not row.alive]
    if not dead:
        alive = sum(row.slots for row in rows)
        text = f"{len(rows)} alive with {alive} workers" if rows else "none is running"
        yield ok("consumers", text, alive=len(rows), dead=0)
        return
    names = ", ".join(f"{row.name} (pid {row.pid})" for row in dead)
    if not os.access(_path(found), os.W_OK):
        yield problem(
            "consumers",
            f"dead: {names}; the file cannot be written to take their jobs back",
            "run hueyctl doctor as the owner of the file",
            dead=len(dead),
        )
        return
    taken = [
        one for queue in sorted({row.queue for row in dead})
        for one in session.writing(queue).recover()
    ]  # fmt: skip
    yield warning(
        "consumers",
        f"dead: {names}; {len(taken)} jobs were taken back",
        "a living consumer does this by itself within a second" if len(dead) == len(rows) else None,
        alive=len(rows) - len(dead),
        dead=len(dead),
        recovered=[one.job.seq for one in taken],
    )


def unknown_tasks(session: Session) -> Iterator[Note]:
    if not session.has_app:
        yield skipped("tasks", "needs the application (--app)")
        return
    from hueycore.model.jobs import Selector
    from hueycore.model.states import WAITING

    huey, found = session.app(), session.looking()
    known = set(huey.registry.names())
    seen = [row for row in found.tasks_seen() if row.queue == huey.name and row.task not in known]
    unknown = {}
    for row in seen:
        selector = Selector(
            queues=(row.queue,), states=WAITING, where=(("task", "=", row.task),)
        )  # fmt: skip
        number = found.count(selector)
        if number and not _is_path(session, huey, row.task):
            unknown[row.task] = number
    if not unknown:
        yield ok("tasks", "every waiting job is of a task that the application has")
    for task, number in unknown.items():
        yield problem(
            "tasks",
            f"{number} jobs wait for {task}, which the application does not register",
            "an older or newer producer, or a module that nobody imports: they will end dead",
            task=task,
            jobs=number,
        )


def _is_path(session: Session, huey: Huey, task: str) -> bool:
    """Whether a name that no task has is that of a function which the application allows. One
    whose module raises is there, for this question."""
    from hueycore.exceptions import UnknownTask
    from hueyctl.apps import load_path

    try:
        return bool(load_path(huey, task, session.settings.app_dir))
    except UnknownTask:
        return False
    except errors.CliError:
        return True


def files(session: Session) -> Iterator[Note]:
    """Who may read and write the files: with pickle, whoever writes them runs code."""
    path = _path(session.looking())
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
    skew = _skew_of_files(os.path.dirname(_path(found)))
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


def _path(found: Storage) -> str:
    return found.url.partition(":///")[2]

"""Questions of ``doctor`` about a storage: where it is, how large, whether sound."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hueycore.model.diagnosis import Diagnosis, of_old_jobs, ok, problem, skipped

if TYPE_CHECKING:
    from hueyctl.context import Session


def storage(session: Session) -> Iterator[Diagnosis]:
    from hueycore.storage.location import SqliteLocation, place

    if session.location() is None and not session.may_import:
        why = "none was named (--url or --app), and there is no huey.db here"
        if session.has_app:
            why = "only a config file names the application: say --app or --url"
        yield skipped("storage", why)
        return
    location = session.where()
    lies = place(location) if isinstance(location, SqliteLocation) else None
    if lies and lies.is_network:
        yield problem(
            "storage",
            f"{lies.path} is on {lies.file_system}, a network file system: SQLite's locks do not "
            "hold there",
            "move the file to a local disk",
            file_system=lies.file_system,
        )
        return
    started = time.perf_counter()
    found = session.looking()
    queues = [row.queue for row in found.queues()]
    took = time.perf_counter() - started
    size, wal = found.size()
    said = ", ".join(queues) or "none yet"
    more = f", file system {lies.file_system or 'unknown'}" if lies else ""
    yield ok(
        "storage",
        f"{lies.path if lies else location.name} answered in {took * 1000:.1f} ms: {size:,} bytes, "
        f"queues: {said}{more}",
        url=found.url,
        path=lies and lies.path,
        ping_s=round(took, 6),
        size_bytes=size,
        wal_bytes=wal,
        queues=queues,
        file_system=(lies and lies.file_system) or None,
    )


def old_jobs(session: Session) -> Iterator[Diagnosis]:
    """Jobs that Huey left in the same file run only once they are brought over."""
    found = session.looking()
    waiting = found.left_by_huey()
    file = found.url.partition(":///")[2]
    for queue, number in waiting.items():
        yield of_old_jobs(queue, number, file)


def integrity(session: Session, full: bool) -> Iterator[Diagnosis]:
    looked = ["every page"] * session.where().is_file + ["the invariants between rows"] * full
    if not looked:
        yield skipped("integrity", "--full checks the invariants between rows")
        return
    started = time.perf_counter()
    findings = session.looking().examine(full=full)
    took = time.perf_counter() - started
    what = " and ".join(looked)
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

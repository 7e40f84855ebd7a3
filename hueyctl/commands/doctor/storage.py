"""Questions of ``doctor`` about a storage: those that are quick, and whether it is sound."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from hueycore.model.diagnosis import Diagnosis, ok, problem, skipped
from hueyctl.answers.checks import Note
from hueyctl.answers.health import health
from hueyctl.commands.doctor.jobs import taken_back

if TYPE_CHECKING:
    from hueyctl.context import Session


def health_of(session: Session) -> Iterator[Note]:
    """Of the storage that was named. The jobs of dead consumers are taken back."""
    if session.location() is None and not session.may_import:
        why = "none was named (--url or --app), and there is no huey.db here"
        if session.has_app:
            why = "only a config file names the application: say --app or --url"
        yield Note.of(skipped("storage", why))
        return
    yield from health(
        session.where, session.looking, session.queues, about_dead=partial(taken_back, session)
    )


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

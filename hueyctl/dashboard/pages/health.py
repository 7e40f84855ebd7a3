"""``/health``: what can be asked of the storage; the whole of it is ``hueyctl doctor``."""

from __future__ import annotations

from hueycore.model.diagnosis import PROBLEM
from hueyctl.answers.health import health
from hueyctl.dashboard.page import Page, Table, View
from hueyctl.output.columns import Column

#: The worst first.
_ORDER = ("problem", "warning", "ok", "skipped")
_SIGNS = {"problem": "!", "warning": "~", "ok": "✓", "skipped": "–"}
_CLASSES = {"problem": "critical", "warning": "warning", "ok": "fine", "skipped": "none"}


def page(view: View) -> Page:
    notes = view.board.kept.get("health", lambda: health(view.storage, view.queues))
    problems = [note for note in notes if note.status == PROBLEM]
    document = {
        "schema": "hueyctl.doctor/1",
        "ok": not problems,
        "problems": len(problems),
        "checks": [note.as_object() for note in notes],
    }
    columns = {
        "status": Column("status", "STATUS", "text", lambda note: note.status),
        "name": Column("name", "NAME", "text", lambda note: note.name),
        "message": Column("message", "MESSAGE", "text", lambda note: note.text),
        "hint": Column("hint", "HINT", "text", lambda note: note.hint),
    }
    return Page(
        "health.html",
        "Health",
        ("doctor",),
        {
            "notes": sorted(notes, key=lambda note: _ORDER.index(note.status)),
            "problems": len(problems),
            "warnings": sum(note.status == "warning" for note in notes),
            "signs": _SIGNS,
            "classes": _CLASSES,
        },
        lambda: document,
        lambda: Table(notes, columns, tuple(columns)),
        place="health",
    )

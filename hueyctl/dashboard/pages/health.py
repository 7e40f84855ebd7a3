"""``/health``: what can be asked of the storage; the whole of it is ``hueyctl doctor``."""

from __future__ import annotations

from hueyctl.answers.checks import Note, problems, report
from hueyctl.answers.health import health
from hueyctl.dashboard.page import Page, Table, View
from hueyctl.output.columns import Column

#: The worst first.
_ORDER = ("problem", "warning", "ok", "skipped")
_SIGNS = {"problem": "!", "warning": "~", "ok": "✓", "skipped": "–"}
_CLASSES = {"problem": "critical", "warning": "warning", "ok": "fine", "skipped": "none"}


def page(view: View) -> Page:
    board = view.board

    def find() -> list[Note]:
        return list(health(lambda: board.location, board.reading, lambda: board.queues))

    notes = board.kept.get("health", find)
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
            "problems": len(problems(notes)),
            "warnings": sum(note.status == "warning" for note in notes),
            "signs": _SIGNS,
            "classes": _CLASSES,
        },
        lambda: report(notes),
        lambda: Table(notes, columns, tuple(columns)),
        place="health",
    )

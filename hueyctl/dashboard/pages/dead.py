"""``/dead``: dead letters by their errors, and the newest of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hueyctl.dashboard.page import Page, Table, View
from hueyctl.output import dead
from hueyctl.selection.choice import Choice

if TYPE_CHECKING:
    from hueyctl.output.dead import Group

#: Groups, and letters, that are shown.
_GROUPS, _NEWEST = 100, 20


def page(view: View) -> Page:
    task = view.word("task")
    choice = Choice(state=("dead",), task=task or None)
    selector = choice.selection(view.queues, sort="-finished_at", limit=_NEWEST).selector

    def groups() -> list[Group]:
        found = view.storage.dead_groups(selector)
        return dead.merged((dead.Group._make(row) for row in found), None)

    found = view.board.kept.get(("dead", task), groups)
    only = ("--task", task) if task else ()
    return Page(
        "dead.html",
        "Dead letters",
        ("dead", "summary", *only),
        {
            "groups": found[:_GROUPS],
            "number": len(found),
            "letters": sum(group.number for group in found),
            "recent": [sum(group.recent[place] for group in found) for place in range(5)],
            "windows": dead.WINDOWS,
            "task": task,
            "only": only,
            "newest": view.storage.jobs(selector._replace(limit=_NEWEST)) if found else [],
            "heat": heat,
            "error_of": error_of,
        },
        lambda: [dead.as_object(group) for group in found],
        lambda: Table(found, dead.columns(), tuple(dead.columns())),
        place="dead",
    )


def heat(group: Group, place: int) -> str:
    """How much of what died lies in a window: all of it is news, most of it a warning."""
    if not group.recent[place] or place > 2:
        return ""
    share = group.recent[place] / group.number
    return "heat2" if share > 0.9 else "heat1" if share > 0.5 else ""


def error_of(group: Group) -> str:
    """The condition that finds the jobs of a group."""
    return f"error.type = {group.error}"

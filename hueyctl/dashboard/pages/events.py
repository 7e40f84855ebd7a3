"""``/events``: what happened, and what operators did."""

from __future__ import annotations

from typing import Any

from hueycore.model.events import EventQuery
from hueycore.model.states import MOVES, VERBS
from hueyctl.dashboard.page import Page, Table, View
from hueyctl.output.events import COLUMNS, WIDTHS, as_object, why
from hueyctl.selection.params import moment

#: Events of a page.
_ROWS = 100


def page(view: View) -> Page:
    query, words = asked(view)
    found = view.storage.events(query)
    recorded = any(
        row.events for row in view.storage.queues() if not view.queues or row.queue in view.queues
    )
    return Page(
        "events.html",
        "Events",
        ("events", *words, "-n", str(_ROWS)),
        {
            "events": found[::-1],
            "recorded": recorded,
            "signals": query.signals,
            "moves": MOVES,
            "verbs": VERBS,
            "full": len(found) == _ROWS,
            "why": why,
            **{name: view.word(name) for name in ("task", "id", "since", "until")},
        },
        lambda: [as_object(event) for event in found],
        lambda: Table(found, COLUMNS, [key for key, _ in WIDTHS]),
        place="events",
    )


def asked(view: View) -> tuple[EventQuery, tuple[str, ...]]:
    """What the address asks for, and the options that say the same. Raises ``CliError``."""
    signals = tuple(name for name in view.words("signal") if name in (*MOVES, *VERBS))
    words = [word for name in signals for word in ("--signal", name)]
    times: dict[str, Any] = {}
    utc = view.word("tz") == "UTC"
    words += ["--utc"] if utc else []
    for name in ("since", "until"):
        if view.word(name):
            times[name] = moment(f"--{name}", view.word(name), utc=utc)
            words += [f"--{name}", view.word(name)]
    for name in ("task", "id"):
        words += [f"--{name}", view.word(name)] if view.word(name) else []
    query = EventQuery(
        queues=view.queues,
        signals=signals,
        task=view.word("task") or None,
        key=view.word("id") or None,
        limit=_ROWS,
        newest=True,
        **times,
    )
    return query, tuple(words)

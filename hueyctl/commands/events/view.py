"""Events, for people, pipes and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from hueyctl.answers.watch import looks
from hueyctl.output.events import COLUMNS, WIDTHS, as_object
from hueyctl.output.lines import Lines

if TYPE_CHECKING:
    from hueycore.model.events import Event, EventQuery
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

#: Events that are read at once.
_PAGE = 1000


def show(session: Session, events: Sequence[Event], *, stream: bool) -> None:
    """Print events. With ``stream`` more will come."""
    output = session.output
    if output.is_json and not stream:
        output.objects(map(as_object, events))
    elif stream:
        lines = Lines(output, WIDTHS)
        for event in events:
            lines.write(event, COLUMNS, output.steady, partial(as_object, event), str(event.event))
    else:
        output.style = output.steady
        output.rows(
            events,
            COLUMNS,
            [key for key, _ in WIDTHS],
            ("queue", "id", "event"),
            name=lambda event: str(event.event),
        )


def newest(storage: Storage) -> int:
    """The number of the newest event that is settled."""
    from hueycore.model.events import EventQuery

    found = storage.events(EventQuery(newest=True, limit=1, settled=True))
    return found[0].event if found else 0


def follow_on(session: Session, storage: Storage, query: EventQuery) -> None:
    """Print what comes after ``query.after``, until interrupted."""
    query = query._replace(limit=_PAGE, newest=False)
    # Without news too: what was seen was perhaps not settled, and nothing tells when it is.
    for _ in looks(storage):
        while found := storage.events(query):
            show(session, found, stream=True)
            query = query._replace(after=found[-1].event)

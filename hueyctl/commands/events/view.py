"""Events, for people, pipes and scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from heapq import merge
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


#: Of operators: which queue they changed says more than how long a run was.
_OF_OPERATORS = ("at", "signal", "queue", "task", "seq", "operator", "what")


def show(
    session: Session, events: Sequence[Event], *, stream: bool, operators: bool = False
) -> None:
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
            _OF_OPERATORS if operators else [key for key, _ in WIDTHS],
            ("id", "event") if operators else ("queue", "id", "event"),
            name=lambda event: str(event.event),
        )


def newest(storage: Storage, query: EventQuery) -> dict[str, int]:
    """The number of the newest event that is settled, with its queue; of each queue where each has
    numbers of its own."""
    from hueycore.model.events import EventQuery

    found: dict[str, int] = {}
    for queues in _apart(storage, query):
        last = EventQuery(queues, newest=True, limit=1, settled=True)
        note(found, storage.events(last))
    return found


def note(last: dict[str, int], events: Sequence[Event]) -> None:
    """Keep the numbers of the last ones that were shown."""
    for event in events:
        last[event.queue] = max(event.event, last.get(event.queue, 0))


def follow_on(session: Session, storage: Storage, query: EventQuery, last: dict[str, int]) -> None:
    """Print what comes after the ``last`` ones, until interrupted."""
    query = query._replace(limit=_PAGE, newest=False)
    # Without news too: what was seen was perhaps not settled, and nothing tells when it is.
    for _ in looks(storage):
        while found := later(storage, query, last):
            show(session, found, stream=True)
            note(last, found)


def later(storage: Storage, query: EventQuery, last: Mapping[str, int]) -> list[Event]:
    """What came after the ``last`` ones, oldest first."""
    found = []
    for queues in _apart(storage, query):
        seen = (number for queue, number in last.items() if not queues or queue in queues)
        after = max(query.after, *seen, 0)
        found.append(storage.events(query._replace(queues=queues, after=after)))
    return list(merge(*found, key=lambda event: event.at))


def _apart(storage: Storage, query: EventQuery) -> list[tuple[str, ...]]:
    """The queues that are asked about together: all of them, unless each has its own numbers."""
    if not storage.numbers_apart:
        return [query.queues]
    return [(name,) for name in query.queues or (row.queue for row in storage.queues())]

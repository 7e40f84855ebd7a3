"""The newest of the selected jobs, without reading all that there are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

from hueycore.model.jobs import Newest, Selector
from hueycore.storage.redis.part import PAGE, Part
from hueycore.storage.redis.rows import Row, fetch, pages
from hueycore.storage.redis.selection import (
    candidates,
    check_states,
    condition,
    find,
    needs_texts,
    queues_of,
)


def newest(part: Part, selector: Selector, most: int) -> Newest:
    """See ``Queries.newest``. Each queue has numbers of its own: they are read side by side."""
    selector = selector._replace(sort="-seq")
    if selector.keys:
        rows = find(part, selector)
        before = rows[-1].seq if rows and len(rows) == selector.limit else 0
        return Newest([row.job() for row in rows], len(rows), before)
    test, texts = condition(selector), needs_texts(selector)
    queues = queues_of(part, selector)
    found: list[Row] = []
    looked = last = before = 0
    limit = math.inf if selector.limit is None else selector.limit
    for row in merge(*(_down(part, queue, selector, most, texts) for queue in queues), key=_place):
        if row.seq != last and (looked >= most or len(found) >= limit):
            before = last
            break
        looked, last = looked + 1, row.seq
        if test(row):
            found.append(row)
    return Newest([row.job() for row in _whole(part, found, texts)], looked, before)


def _down(part: Part, queue: str, selector: Selector, most: int, texts: bool) -> Iterator[Row]:
    """The rows of a queue among which the selected ones are, the highest number first."""
    for seqs in _numbers(part, queue, selector, most):
        for page in pages(part, queue, seqs, texts=texts):
            yield from page


def _numbers(part: Part, queue: str, selector: Selector, most: int) -> Iterable[Sequence[int]]:
    """Those of the states, or of all jobs, if they are few; else one after the other."""
    check_states(selector)
    about = part.key("queue", queue)
    last, number, *sizes = part.ask(
        ("HGET", about, "seq"),
        ("HLEN", part.key("row", queue)),
        *(("ZCARD", part.key(state, queue)) for state in {*selector.states}),
    )
    if (sum(sizes) if sizes else number) <= most:
        return candidates(part, queue, selector._replace(limit=None))[0]
    high = min(int(last or 0), selector.before - 1 if selector.before else int(last or 0))
    return (
        range(top, max(top - PAGE, selector.after), -1)
        for top in range(high, selector.after, -PAGE)
    )


def _place(row: Row) -> int:
    return -row.seq


def _whole(part: Part, rows: list[Row], texts: bool) -> list[Row]:
    """The rows with their texts, unless these were read already."""
    if texts:
        return rows
    full = [
        row
        for queue in sorted({row.queue for row in rows})
        for row in fetch(part, queue, [row.seq for row in rows if row.queue == queue])
    ]
    return sorted(full, key=_place)

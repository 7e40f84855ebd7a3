"""A look at a queue: all that the pages of figures show."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from hueycore.model.events import EventQuery
from hueycore.model.jobs import Selector
from hueycore.model.states import VERBS, State
from hueyctl.answers import status as answers
from hueyctl.answers.firings import coming
from hueyctl.answers.look import Look
from hueyctl.answers.series import Series, series
from hueyctl.answers.workers import rss_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hueycore.model.events import Event
    from hueycore.model.reports import Metric
    from hueycore.storage.base import Storage
    from hueyctl.answers.past import Past

#: Bars of a small chart; operators' acts on a large one; runs of schedules that are looked for.
_BARS, _ACTS, _FIRINGS = 30, 12, 2000
#: What an operator does that the curves may show.
_TELLING = tuple(verb for verb in VERBS if verb not in ("load", "events-on", "events-off"))


#: Jobs that are done are told by what was counted when they ended: that takes no time.
_COUNTED = tuple(state for state in State if state is not State.DONE)


class Host(NamedTuple):
    """A consumer with all of its processes."""

    name: str
    queue: str
    kind: str
    alive: bool
    stopping: bool
    busy: int
    slots: int
    rss: int | None
    started_at: float


class Seen(NamedTuple):
    """``tasks`` and ``queues`` are the small charts, ``usual`` is the p95 of each task of all its
    runs, ``plan`` the coming runs of each schedule. ``is_new``: nothing was ever here. ``busy``: a
    later look was tried while somebody held the storage."""

    at: float
    status: answers.Status
    series: Series
    tasks: dict[tuple[str, str], Series]
    queues: dict[str, Series]
    usual: dict[tuple[str, str], float]
    acts: list[Event]
    plan: dict[str, list[float]]
    hosts: list[Host]
    is_new: bool
    busy: bool = False


def look_at(storage: Storage, queues: Sequence[str], window: float, past: Past) -> Seen:
    look = Look(storage, queues, _COUNTED, past=past)
    found = answers.status(look, window)
    now = look.now
    since = (now - window) // 60 * 60
    metrics = [row for row in look.metrics(since) if look.is_about(row.queue)]
    by_task: dict[tuple[str, str], list[Metric]] = defaultdict(list)
    by_queue: dict[str, list[Metric]] = defaultdict(list)
    for row in metrics:
        by_task[row.queue, row.task].append(row)
        by_queue[row.queue].append(row)
    return Seen(
        now,
        found,
        series(metrics, since, now),
        {key: series(rows, since, now, _BARS) for key, rows in by_task.items()},
        {key: series(rows, since, now, _BARS) for key, rows in by_queue.items()},
        _usual(look, by_task),
        _acts(look, since),
        _plan(look),
        _hosts(look),
        _is_new(look),
    )


def _is_new(look: Look) -> bool:
    """Whether nothing was ever here, as far as anybody remembers."""
    if look.consumers:
        return False
    return not look.storage.newest(Selector(queues=tuple(look.names), limit=1)).jobs


def _usual(look: Look, tasks: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
    found = {key: look.usual.spread(*key) for key in tasks}
    return {key: spread[0] for key, spread in found.items() if spread is not None}


def _acts(look: Look, since: float) -> list[Event]:
    query = EventQuery(tuple(look.names), _TELLING, since=since, limit=_ACTS, newest=True)
    return look.storage.events(query)


def _plan(look: Look) -> dict[str, list[float]]:
    """The soonest first."""
    rows: dict[str, list[float]] = {}
    fired = coming(answers.periodic(look), look.now, look.now + answers.AHEAD)
    for at, row in islice(fired, _FIRINGS):
        rows.setdefault(row.name, []).append(at)
    return rows


def _hosts(look: Look) -> list[Host]:
    groups: dict[str, Host] = {}
    for row in look.consumers:
        rss = rss_of(row)
        name = whole(row)
        other = groups.get(name)
        one = Host(
            name,
            row.queue,
            row.kind,
            row.alive,
            row.state == "stopping",
            len(row.running),
            row.slots,
            rss,
            row.started_at,
        )
        groups[name] = one if other is None else _with(other, one)
    return list(groups.values())


def _with(host: Host, other: Host) -> Host:
    memory = [each.rss for each in (host, other) if each.rss is not None]
    return host._replace(
        alive=host.alive or other.alive,
        busy=host.busy + other.busy,
        slots=host.slots + other.slots,
        rss=sum(memory) if memory else None,
        started_at=min(host.started_at, other.started_at),
    )

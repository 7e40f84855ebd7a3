"""The figures in the text format of Prometheus, and in OpenMetrics. One writer, for ``metrics`` and
for a server.

Counters and histograms come from totals that survive purging, so that they only ever grow.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from hueycore.model.histogram import upper_edge
from hueycore.model.states import State
from hueyctl.answers.figures import count_workers
from hueyctl.answers.look import Look
from hueyctl.answers.queues import is_paused

if TYPE_CHECKING:
    from hueycore.consumer.base import BaseConsumer
    from hueycore.model.reports import Metric
    from hueycore.storage.base import Storage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_TYPE = f"{OPENMETRICS}; version=1.0.0; charset=utf-8"
DOWN = """\
# HELP hueyctl_storage_up Whether the storage could be read.
# TYPE hueyctl_storage_up gauge
hueyctl_storage_up 0
"""

#: The heading of a counter, whose family has no ``_total`` in OpenMetrics.
_OF_COUNTER = re.compile("^(# (?:HELP|TYPE) [a-z_]+)_total ", re.MULTILINE)
_ENDINGS = ("done", "retried", "dead", "revoked", "expired")
#: Edges of the histograms, as buckets of ``model.histogram``: each twice the one before, from
#: 1.6 ms to 28 minutes. They never change, or rates over a deploy would be wrong.
_EDGES = tuple(range(16, 100, 4))

#: Figures of a server.
_OF_SERVER = {
    "transaction": (
        "hueyctl_oldest_transaction_seconds",
        "How long the oldest transaction of others has kept dead rows from being removed.",
    ),
    "dead_rows": ("hueyctl_dead_rows", "Rows of the tables that are to be removed."),
    "connections_left": ("hueyctl_connections_left", "Connections that the server has left."),
    "memory_used": ("hueyctl_memory_used_bytes", "Memory that the server uses."),
    "memory_limit": ("hueyctl_memory_limit_bytes", "What it may use at most; 0 is no limit."),
    "replicas": ("hueyctl_replicas", "Replicas that are connected to the server."),
}

Sample = tuple[str, Mapping[str, str], float]


def render(storage: Storage, queues: Sequence[str] = ()) -> str:
    """Everything about a storage; ``queues`` empty means all. Raises ``StorageError``."""
    return "".join(_lines(storage, queues))


def openmetrics(text: str) -> str:
    """What ``render`` and ``of_consumer`` wrote, in OpenMetrics."""
    return _OF_COUNTER.sub(r"\1 ", text) + "# EOF\n"


def _lines(storage: Storage, queues: Sequence[str]) -> Iterator[str]:
    look = Look(storage, queues)
    rows, now = look.queues, look.now
    names = [row.queue for row in rows]
    totals = [row for row in storage.totals() if row.queue in names]
    yield from _family(
        "hueyctl_storage_up", "gauge", "Whether the storage could be read.", [("", {}, 1)]
    )
    size, wal = storage.size()
    yield from _family(
        "hueyctl_storage_bytes",
        "gauge",
        "Size of the data and of its write-ahead log.",
        [("", {"part": "data"}, size), ("", {"part": "wal"}, wal)],
    )
    figures = storage.gauges()
    for name, (family, text) in _OF_SERVER.items():
        if name in figures:
            yield from _family(family, "gauge", text, [("", {}, figures[name])])
    yield from _depths(look, names)
    yield from _family(
        "hueyctl_queue_paused",
        "gauge",
        "Whether the queue is paused.",
        [("", {"queue": row.queue}, is_paused(row, now)) for row in rows],
    )
    yield from _family(
        "hueyctl_alarms",
        "gauge",
        "What is wrong: stuck runs, queues that nobody serves, what is paused or revoked.",
        _alarms(look),
    )
    workers = count_workers(look.consumers)
    states = {"busy": workers.busy, "idle": workers.alive - workers.busy, "dead": workers.dead}
    yield from _family(
        "hueyctl_workers",
        "gauge",
        "Workers of the consumers of this storage.",
        [("", {"state": state}, count) for state, count in states.items()],
    )
    yield from _family(
        "hueyctl_runs_total",
        "counter",
        "Runs that ended, by what became of them.",
        [
            ("", {**_of(row), "ending": ending}, getattr(row, ending))
            for row in totals
            for ending in _ENDINGS
        ],
    )
    yield from _histogram(
        "hueyctl_run_seconds",
        "What runs took.",
        totals,
        [row.run_hist for row in totals],
        [row.run_s for row in totals],
    )
    yield from _histogram(
        "hueyctl_wait_seconds",
        "How long jobs were ready before they ran.",
        totals,
        [row.wait_hist for row in totals],
        None,
    )


def _alarms(look: Look) -> Iterator[Sample]:
    from hueyctl.answers.alarms import alarms

    found = alarms(look, of_work=False)
    counts = Counter((alarm.queue, alarm.kind, alarm.level) for alarm in found)
    for (queue, kind, level), number in sorted(counts.items()):
        yield "", {"queue": queue, "kind": kind, "level": level}, number


def of_consumer(consumer: BaseConsumer) -> Iterator[str]:
    """What one consumer knows of itself; asks no storage."""
    health = consumer.health
    figures = health.figures()
    working = figures.busy - figures.overdue
    states = {"busy": working, "idle": figures.workers - working, "overdue": figures.overdue}
    labels = {"name": consumer.name, "kind": consumer.worker_type, "queue": consumer.huey.name}
    gauges: tuple[tuple[str, str, list[Sample]], ...] = (
        ("info", "This consumer; always 1.", [("", labels, 1)]),
        ("start_time_seconds", "When it was started, since 1970.", [("", {}, health.since)]),
        ("healthy", "What /healthz says.", [("", {}, not health.ill())]),
        ("ready", "What /readyz says.", [("", {}, not health.unready())]),
        (
            "workers",
            "Its workers; the spare of an overdue one is not counted.",
            [("", {"state": state}, max(0, count)) for state, count in states.items()],
        ),
        ("held_jobs", "Jobs that it claimed and has not started.", [("", {}, figures.held)]),
        (
            "unwritten_endings",
            "Runs that are over and not committed.",
            [("", {}, figures.unwritten)],
        ),
        (
            "late_seconds",
            "How late its loops are.",
            [("", {"loop": loop}, round(late, 3)) for loop, late in health.lateness().items()],
        ),
    )
    for name, text, samples in gauges:
        yield from _family(f"hueyctl_consumer_{name}", "gauge", text, samples)


def _depths(look: Look, names: Sequence[str]) -> Iterator[str]:
    counts = {(name, str(state)): 0 for name in names for state in State}
    waited = dict.fromkeys(names, 0.0)
    for row in look.depths:
        if row.queue in waited:
            counts[row.queue, str(row.state)] = row.count
            if row.oldest is not None:
                waited[row.queue] = max(0.0, look.now - row.oldest)
    yield from _family(
        "hueyctl_jobs",
        "gauge",
        "Jobs by state.",
        [("", {"queue": queue, "state": state}, n) for (queue, state), n in counts.items()],
    )
    yield from _family(
        "hueyctl_oldest_pending_seconds",
        "gauge",
        "How long the oldest pending job has waited.",
        [("", {"queue": queue}, round(seconds, 3)) for queue, seconds in waited.items()],
    )


def _histogram(
    name: str,
    text: str,
    rows: Sequence[Metric],
    counts: Sequence[Mapping[int, int]],
    sums: Sequence[float] | None,
) -> Iterator[str]:
    def samples() -> Iterator[Sample]:
        for place, (row, histogram) in enumerate(zip(rows, counts, strict=True)):
            labels = _of(row)
            for edge in _EDGES:
                below = sum(count for number, count in histogram.items() if number <= edge)
                yield "_bucket", {**labels, "le": f"{upper_edge(edge):.6g}"}, below
            total = sum(histogram.values())
            yield "_bucket", {**labels, "le": "+Inf"}, total
            # OpenMetrics has both or neither; without a sum the last bucket is the count.
            if sums is not None:
                yield "_sum", labels, round(sums[place], 6)
                yield "_count", labels, total

    return _family(name, "histogram", text, samples())


def _of(row: Metric) -> dict[str, str]:
    return {"queue": row.queue, "task": row.task}


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    for suffix, labels, value in samples:
        yield f"{name}{suffix}{_labelled(labels)} {_number(value)}\n"


def _labelled(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}"


def escaped(value: str) -> str:
    """A label value: the format knows three escapes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))

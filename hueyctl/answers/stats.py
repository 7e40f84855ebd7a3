"""The figures as the JSON document ``hueyctl.stats/1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.reports import WorkerRow
    from hueyctl.answers.figures import Figures, QueueFigures
    from hueyctl.answers.rates import Spread, TaskFigures


def document(figures: Figures) -> dict[str, Any]:
    size, wal = figures.size
    return {
        "schema": "hueyctl.stats/1",
        "at": rfc3339(figures.at),
        "window_s": figures.window_s,
        "storage": {
            "kind": figures.url.partition(":")[0],
            "url": figures.url,
            "size_bytes": size,
            "wal_bytes": wal,
        },
        "totals": _queue(figures.totals),
        "queues": [{"name": row.name, **_queue(row)} for row in figures.queues],
        "tasks": [_task(row) for row in figures.tasks],
        "workers": figures.workers._asdict(),
        "consumers": [_consumer(row) for row in figures.consumers],
    }


def _queue(row: QueueFigures) -> dict[str, Any]:
    rates = row.rates
    return {
        "paused": row.paused,
        **row.counts,
        "oldest_pending_s": _rounded(row.oldest_s),
        "next_run_at": None if row.next_run_at is None else rfc3339(row.next_run_at),
        "in_per_s": _rounded(row.in_per_s),
        "out_per_s": _rounded(rates.out_per_s),
        "failed_per_s": _rounded(rates.failed_per_s),
        "failure_ratio": _rounded(rates.failure_ratio),
        "wait_s": _spread(rates.wait, ("p50", "p95", "p99")),
        "run_s": _spread(rates.run, ("p50", "p95", "p99", "max")),
        "empty_in_s": _rounded(row.empties_in_s),
        "trend": list(rates.trend),
    }


def _task(row: TaskFigures) -> dict[str, Any]:
    rates = row.rates
    return {
        "queue": row.queue,
        "task": row.task,
        "runs": rates.runs,
        "done": rates.done,
        "dead": rates.dead,
        "retried": rates.retried,
        "out_per_s": _rounded(rates.out_per_s),
        "failed_per_s": _rounded(rates.failed_per_s),
        "failure_ratio": _rounded(rates.failure_ratio),
        "wait_s": _spread(rates.wait, ("p50", "p95", "p99")),
        "run_s": _spread(rates.run, ("p50", "p95", "p99", "max")),
        "last_minute": rfc3339(row.last_minute),
        "trend": list(rates.trend),
    }


def _consumer(row: WorkerRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "queue": row.queue,
        "host": row.host,
        "pid": row.pid,
        "kind": row.kind,
        "state": consumer_state(row),
        "workers": row.slots,
        "busy": len(row.running),
        "running": [seq for _, seq in row.running],
        "started_at": rfc3339(row.started_at),
    }


def consumer_state(row: WorkerRow) -> str:
    if not row.alive:
        return "dead"
    if row.state == "stopping":
        return "stopping"
    return "busy" if row.running else "idle"


def _spread(spread: Spread, names: tuple[str, ...]) -> dict[str, float | None]:
    return {name: _rounded(getattr(spread, name)) for name in names}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)

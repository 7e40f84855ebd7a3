"""New jobs as the scripts take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hueycore.model.jobs import NewJob
from hueycore.model.plan import Plan
from hueycore.storage.redis.part import Impossible
from hueycore.storage.redis.scripts import COLUMNS, DEFAULTS

_USUAL = tuple(NewJob._field_defaults[name] for name in NewJob._fields[6:20])
PLACES = {name: place for place, name in enumerate(COLUMNS)}
_OPTIONS = [(PLACES[name], place) for place, name in enumerate(NewJob._fields) if name in PLACES]


def to_row(job: NewJob) -> list[Any]:
    """The row of a job, without what its birth gives it; a plain job is a short one."""
    if job[6:20] == _USUAL and isinstance(job.priority, int | float):
        return [
            0, job.id, job.task, "", job.priority, job.run_at or False, 0, 0, 0, False, False,
            False if job.preview is None else job.preview,
        ]  # fmt: skip
    _check(job)
    row: list[Any] = [False if value is None else value for value in DEFAULTS]
    for column, field in _OPTIONS:
        value = job[field]
        row[column] = False if value is None else value
    row[PLACES["at_most_once"]] = int(job.at_most_once)
    return [*row, job.on_conflict]


def are_plain(jobs: Sequence[NewJob]) -> bool:
    """Whether none of the jobs has options, or what no row can hold."""
    return all(
        job[6:20] == _USUAL
        and job.preview != ""
        and job.priority.__class__ in _NUMBERS
        and job.run_at.__class__ in _TIMES
        for job in jobs
    )


_NUMBERS, _TIMES = (int, float), (int, float, type(None))


def plain_words(jobs: Sequence[NewJob]) -> list[Any]:
    """Plain jobs as ``births_plain.lua`` takes them."""
    words: list[Any] = []
    for job in jobs:
        at = "" if job.run_at is None else repr(job.run_at)
        words += (job.id, job.task, repr(job.priority), at, job.preview or "", job.payload)
    return words


def _check(job: NewJob) -> None:
    """Raise ``Impossible`` for what no row can hold."""
    numbers = (job.priority, job.retries, job.retry_delay, job.retry_backoff, job.timeout or 0)
    if not all(isinstance(value, int | float) for value in numbers) or min(numbers[1:3]) < 0:
        raise Impossible(f"{job.task} has a number that no job can have")
    check_unique(job.task, job.unique_key, job.unique_until)


def check_unique(task: str, key: str | None, until: str | None) -> None:
    if until is not None and (key is None or until not in ("start", "end")):
        raise Impossible(f"{task} is unique until {until!r}")


def to_plan(plan: Plan) -> Mapping[str, Any]:
    """A plan as the script of ``join`` takes it."""
    return {
        "edges": [
            (one.parent, one.child, *(() if one.slot is None else (one.slot,)))
            for one in plan.edges
        ],
        "delays": list(plan.delays.items()),
        "expiries": list(plan.expiries.items()),
        "handlers": list(plan.handlers.items()),
    }

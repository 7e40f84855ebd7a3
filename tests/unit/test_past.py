"""What ended long ago is told by the half hour, and nothing of it is lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hueycore.model.reports import Metric
from hueyctl.answers.past import Past

NOW = 1_800_000_000.0 + 17 * 60
DAY = 86400.0


class Minutes:
    """A storage of two tasks that end each minute."""

    def __init__(self) -> None:
        self.read = 0

    def metrics(self, since: float, until: float | None = None) -> list[Metric]:
        first, last = int(since // 60), int((NOW if until is None else until - 1) // 60)
        self.read += 2 * (last - first + 1)
        return [
            Metric("q", minute, task, 1, 0, 1, 0, 0, 0.5, float(minute % 7), {30: 1}, {40: 1})
            for minute in range(first, last + 1)
            for task in ("a", "b")
        ]


def sums(rows: list[Metric]) -> Any:
    run: Counter[int] = Counter()
    for row in rows:
        run.update(row.run_hist)
    return sum(row.done for row in rows), sum(row.dead for row in rows), max(rows)[9], run


def test_sums_are_those_of_the_minutes_with_few_lines() -> None:
    storage: Any = Minutes()
    for since in (NOW - DAY, NOW - 7 * DAY, NOW - 3 * 3600 - 60):
        whole = storage.metrics(since)
        found = Past().metrics(storage, since, NOW)

        assert sums(found)[:2] == sums(whole)[:2]
        assert sums(found)[3] == sums(whole)[3]
        assert min(row.minute for row in found) == int(since // 60)
        assert len(found) < len(whole) / 3 + 600


def test_the_last_hours_are_told_by_the_minute() -> None:
    storage: Any = Minutes()
    found = Past().metrics(storage, NOW - DAY, NOW)

    lately = {row.minute for row in found if row.minute > NOW // 60 - 120}
    assert lately == set(range(int(NOW // 60) - 119, int(NOW // 60) + 1))
    assert Past().metrics(storage, NOW - 600, NOW) == storage.metrics(NOW - 600)


def test_what_is_over_is_read_once() -> None:
    storage, past = Minutes(), Past()
    given: Any = storage
    first = past.metrics(given, NOW - DAY, NOW)
    before = storage.read
    again = past.metrics(given, NOW - DAY, NOW)

    assert again == first
    assert storage.read - before < 2 * 200
    assert past.metrics(given, NOW - DAY + 3600, NOW + 3600)[0].minute >= (NOW - DAY) // 60

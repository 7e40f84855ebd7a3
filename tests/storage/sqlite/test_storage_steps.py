"""Housekeeping goes in small steps, and the sum of them is right."""

from __future__ import annotations

import pytest

from hueycore.model.endings import Done
from hueycore.model.jobs import Selector
from hueycore.model.retention import Keeping
from hueycore.storage.sql import clockback, metrics, retention
from hueycore.storage.sqlite import SqliteStorage
from tests.helpers import Clock
from tests.storage.kit import DAY, born, new, run, worker

NOW = 2_000_000_000.0


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_minutes_that_are_folded_some_at_a_time_count_once(
    file: SqliteStorage, clock: Clock, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(metrics, "FOLDED", most)
    clock.freeze(NOW)
    number = worker(file)
    for _ in range(3):
        for name in ("a", "b"):
            born(file, name)
            run(file, number, Done())
        clock.jump(60)
    clock.jump(9 * DAY)

    assert file.keep(Keeping())["metrics"] == 6

    assert [(row.task, row.done) for row in file.totals()] == [("a", 3), ("b", 3)]


def test_a_rule_deletes_its_batch_in_several_commits(
    file: SqliteStorage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "GROUP", 2)
    clock.freeze(NOW)
    number = worker(file)
    for _ in range(7):
        born(file)
        run(file, number, Done())
    clock.jump(2 * DAY)
    file.keep(Keeping(done_age=9 * DAY))
    before = file.db.commits
    file.keep(Keeping(done_age=9 * DAY))
    idle = file.db.commits - before
    before = file.db.commits

    assert file.keep(Keeping(batch=5))["done-age"] == 5

    assert len(file.jobs(Selector())) == 2
    assert file.db.commits - before == idle + 3


def test_jobs_are_brought_back_with_the_clock_in_several_commits(
    file: SqliteStorage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clockback, "GROUP", 2)
    clock.freeze(NOW)
    file.enqueue([new(run_at=NOW + 60, delay=60) for _ in range(5)])
    clock.jump(-DAY)

    file.mend(set_back=True)

    assert {job.run_at for job in file.jobs(Selector())} == {NOW - DAY + 60}

"""Power cuts at any moment: what was acknowledged is there, whatever was not synced.

``HUEYCTL_CUTS=50 make test T=tests/crash/test_crash_power.py`` cuts as often for each kind.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.crashkit import every_kind
from tests.crash.machine import Machine

CUTS = int(os.environ.get("HUEYCTL_CUTS", "1"))

pytestmark = pytest.mark.slow


@pytest.fixture
def machine(tmp_path: Path, kind: str, library: Callable[[str], Path]) -> Iterator[Machine]:
    made = Machine(tmp_path, kind, library("powercut"))
    yield made
    made.close()


@every_kind
@pytest.mark.feature("crash")
def test_a_power_cut_loses_nothing_that_was_acknowledged(
    machine: Machine, chance: random.Random
) -> None:
    for turn in range(CUTS):
        machine.consumer("-q")
        for _ in range(2):
            machine.producer()
        if turn:
            time.sleep(chance.random() * 1.5)  # perhaps while they start
        else:
            machine.wait_for_runs(50, "acked")
            time.sleep(chance.random())
        machine.cut_power(chance)
        assert machine.lost() == set()
    assert machine.consumer("--burst").wait() == 0

    machine.check()


def test_a_cut_takes_what_was_acknowledged_without_a_sync(
    machine: Machine, chance: random.Random
) -> None:
    """Which shows that the others would see it."""
    machine.producer()
    machine.wait_for_runs(1, "acked")
    machine.cut_power(chance)
    assert machine.lost() == set()
    machine.durability = "fast"
    machine.producer()
    machine.wait_for_runs(100, "acked")
    machine.cut_power(chance)

    assert len(machine.lost()) > 25

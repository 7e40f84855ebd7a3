"""Every kind of workers, whatever befalls a consumer, in every phase of its work.

``make test`` plays the fewest cells that have all pairs of kind, event and phase;
``HUEYCTL_TABLE=whole make test T=tests/crash/test_crash_table.py`` plays all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.crash import table
from tests.crash.crashkit import DEADLINE
from tests.crash.table import Cell
from tests.crash.tablekit import Scene, TablePlace, words_of
from tests.helpers import WHOLE, stays_true, wait_until

CELLS = table.whole()
PAIRWISE = table.pairwise()
PLAYED = [
    pytest.param(cell, id=str(cell), marks=() if cell in PAIRWISE else pytest.mark.slow)
    for cell in CELLS
    if cell in PAIRWISE or WHOLE
]


@contextmanager
def scene_of(cell: Cell, folder: Path, path: str) -> Iterator[Scene]:
    if cell.kind == "greenlet":
        pytest.importorskip("gevent")
    place = TablePlace(folder, path, cell)
    try:
        yield Scene(place, CELLS[cell])
    finally:
        place.close()


@pytest.mark.feature("crash", "worker kinds")
@pytest.mark.parametrize("cell", PLAYED)
def test_a_struck_consumer_does_what_the_table_says(cell: Cell, tmp_path: Path, path: str) -> None:
    with scene_of(cell, tmp_path, path) as scene:
        scene.play()


@pytest.mark.parametrize("kind", ["thread", "asyncio"])
def test_no_job_begins_after_a_stop_has_begun_although_it_must_wait_for_the_file(
    kind: str, tmp_path: Path, path: str
) -> None:
    with scene_of(Cell(kind, "TERM", "claiming"), tmp_path, path) as scene:
        place, consumer = scene.place, scene.enter()
        with place.write_lock():
            consumer.signal(SIGTERM)
            wait_until(lambda: "stopping: SIGTERM" in consumer.text(), DEADLINE)
            scene.let_go()
            assert stays_true(lambda: not place.ran("start"), 0.2)

        assert consumer.wait() == 0
        assert {words_of(job) for job in place.jobs()} == {"pending 0 0"}


def test_the_table_is_whole_and_some_of_it_has_all_pairs() -> None:
    assert len(CELLS) == len(table.KINDS) * len(table.EVENTS) * len(table.PHASES)
    for one, other in combinations(range(3), 2):
        pairs = {(cell[one], cell[other]) for cell in CELLS}
        assert {(cell[one], cell[other]) for cell in PAIRWISE} == pairs

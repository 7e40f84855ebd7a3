"""Every kind of workers, whatever befalls a consumer, in every phase of its work.

``make test`` plays the fewest cells that have all pairs of kind, event and phase;
``HUEYCTL_TABLE=whole make test T=tests/crash/test_crash_table.py`` plays all of them.
"""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import pytest

from tests.crash import table
from tests.crash.table import Cell
from tests.crash.tablekit import Scene, TablePlace

WHOLE = table.whole()
PAIRWISE = table.pairwise()
CELLS = [
    pytest.param(cell, id=str(cell), marks=() if cell in PAIRWISE else pytest.mark.slow)
    for cell in WHOLE
    if cell in PAIRWISE or os.environ.get("HUEYCTL_TABLE") == "whole"
]


@pytest.mark.feature("crash", "worker kinds")
@pytest.mark.parametrize("cell", CELLS)
def test_a_struck_consumer_does_what_the_table_says(cell: Cell, tmp_path: Path) -> None:
    if cell.kind == "greenlet":
        pytest.importorskip("gevent")
    place = TablePlace(tmp_path, cell)
    try:
        Scene(place, WHOLE[cell]).play()
    finally:
        place.close()


def test_the_table_is_whole_and_some_of_it_has_all_pairs() -> None:
    assert len(WHOLE) == len(table.KINDS) * len(table.EVENTS) * len(table.PHASES)
    for one, other in combinations(range(3), 2):
        pairs = {(cell[one], cell[other]) for cell in WHOLE}
        assert {(cell[one], cell[other]) for cell in PAIRWISE} == pairs

"""``make bench BASE=commit``: what it concludes from pairs, and that it measures the right tree."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.bench.pairs import PACKAGES, ROOT, environ, interval, rank, short_name, verdict
from tests.bench.run import measured


def test_the_interval_of_nine_pairs_reaches_from_the_second_to_the_eighth() -> None:
    assert rank(9) == (2, pytest.approx(1 - 20 / 512))
    assert interval([9, 1, 8, 2, 7, 3, 6, 4, 5]) == (2, 8)


@pytest.mark.parametrize("n", range(6, 40))
def test_the_interval_is_the_narrowest_that_covers_the_level(n: int) -> None:
    k, coverage = rank(n)

    assert coverage >= 0.95
    # One step narrower: the (k + 1)-th values. Their coverage, counted by a walk over the coins.
    below = [1.0]
    for _ in range(n):
        below = [(a + b) / 2 for a, b in zip([*below, 0.0], [0.0, *below], strict=True)]
    assert sum(below[k : n - k + 1]) == pytest.approx(coverage)
    assert sum(below[k + 1 : n - k]) < 0.95


@pytest.mark.parametrize(("n", "coverage"), [(1, 0.0), (2, 0.5), (5, 0.9375)])
def test_few_pairs_give_the_whole_range_and_say_how_little_it_covers(
    n: int, coverage: float
) -> None:
    assert rank(n) == (1, pytest.approx(coverage))
    assert interval(range(1, n + 1)) == (1, n)


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    dice = random.Random(7)
    held = 0
    for _ in range(2000):
        low, high = interval([dice.lognormvariate(0, 0.3) for _ in range(9)])
        held += low <= 1 <= high

    assert held / 2000 == pytest.approx(rank(9)[1], abs=0.02)


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ([1.06, 1.07, 1.08, 1.09, 1.10, 1.11, 1.12, 1.13, 1.14], "slower"),
        ([0.86, 0.87, 0.88, 0.89, 0.90, 0.91, 0.92, 0.93, 0.94], "faster"),
        # The interval holds 1.
        ([0.90, 0.99, 1.05, 1.08, 1.10, 1.20, 1.25, 1.30, 1.40], "no regression"),
        # It does not, but all of it is near.
        ([1.01, 1.02, 1.03, 1.03, 1.04, 1.04, 1.04, 1.04, 1.09], "no regression"),
        # Only the median is near.
        ([1.01, 1.02, 1.03, 1.03, 1.04, 1.05, 1.05, 1.07, 1.09], "slower"),
        # One wild pair changes nothing.
        ([0.50, 1.06, 1.07, 1.08, 1.09, 1.10, 1.11, 1.12, 9.00], "slower"),
    ],
)
def test_slower_is_what_excludes_one_and_is_not_near_it(ratios: list[float], expected: str) -> None:
    random.Random(3).shuffle(ratios)

    assert verdict(ratios) == expected


def test_a_measurement_imports_the_tree_that_it_is_of(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)

    answer = measured("hueycore", "start-help", environ(tmp_path))

    assert answer["per_s"] > 0
    assert answer["cpu_us"] > 0


def test_a_measurement_refuses_the_packages_of_another_tree(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"hueycore/__init__.py is not of .*, the tree to measure"):
        measured("hueycore", "enqueue", environ(tmp_path))


def test_a_command_of_another_tree_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "core", tmp_path / "core")

    with pytest.raises(SystemExit, match=r"hueyctl/__init__.py is not of .*, the tree to measure"):
        measured("hueycore", "start-help", environ(tmp_path))


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_a_revision_that_does_not_exist_is_told_in_a_line() -> None:
    with pytest.raises(SystemExit, match=r"^bench: no commit 'nonsense': .*$"):
        short_name("nonsense")

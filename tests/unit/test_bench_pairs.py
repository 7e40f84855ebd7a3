"""``make bench``: what it concludes from pairs, and that it measures what it says."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.bench.cluster import ENGINES
from tests.bench.contests import CONTESTS, PEERS, Contest, Figure, Row, Run
from tests.bench.judgement import Line, is_met, judge
from tests.bench.measurement import Skipped, measured
from tests.bench.pairs import MEASURES, PACKAGES, ROOT, environ, short_name
from tests.bench.ratios import interval, rank, verdict
from tests.bench.tables import amount
from tests.helpers import or_skip

OURS, THEIRS = Run("hueycore", "drain-1"), Run("huey", "drain-1")
RATE = Row("drain", Figure(OURS, "per_s"), Figure(THEIRS, "per_s"), ">= 3 x")


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


def rates(*values: float | None) -> list[dict[str, float] | None]:
    return [None if value is None else {"per_s": value} for value in values]


def test_a_ratio_is_that_of_the_pairs_and_not_of_the_medians() -> None:
    line = judge(RATE, {OURS: rates(10, 40, 90), THEIRS: rates(5, 10, 45)})

    assert line == Line(
        "drain",
        "per_s",
        40,
        "Huey",
        10,
        2,
        low=2,
        high=4,
        confidence=0.75,
        goal=">= 3 x",
        met=False,
    )
    assert line.cells() == ("drain", "40/s", "Huey 10/s", "2 x (2 to 4, 75%)", ">= 3 x ✗")


def test_a_round_in_which_one_of_the_two_failed_is_no_pair() -> None:
    line = judge(RATE, {OURS: rates(10, 90, None), THEIRS: rates(2, None, 7)})

    assert line is not None
    assert (line.ours, line.theirs, line.ratio, line.met) == (50, 4.5, 5, True)


def test_a_peer_that_is_not_there_leaves_our_figure() -> None:
    line = judge(RATE, {OURS: rates(10, 90), THEIRS: rates(None, None)})

    assert line is not None
    assert line.cells() == ("drain", "50/s", "", "", ">= 3 x")


def test_a_row_without_a_figure_of_ours_is_left_out() -> None:
    assert judge(RATE, {OURS: rates(None), THEIRS: rates(1)}) is None
    assert judge(RATE, {OURS: [{"cpu_us": 3}], THEIRS: rates(1)}) is None


def test_a_row_without_a_goal_is_left_out_when_its_peer_is_not_there() -> None:
    assert judge(RATE._replace(goal=""), {OURS: rates(10), THEIRS: rates(None)}) is None


def test_of_the_longest_waits_the_worst_counts() -> None:
    row = Row("wait", Figure(OURS, "worst_ms"), goal="<= 150 ms")

    line = judge(row, {OURS: [{"worst_ms": ms} for ms in (20, 160, 30)]})

    assert line is not None
    assert line.cells() == ("wait", "160 ms", "", "", "<= 150 ms ✗")


@pytest.mark.parametrize(
    ("goal", "met"),
    [(">= 2 x", True), (">= 2.1 x", False), ("<= 2 x", True), ("<= 9 ms", False), (">= 8", True)],
)
def test_a_goal_is_of_the_ratio_or_of_our_figure(goal: str, met: bool) -> None:
    assert is_met(goal, ours=10, ratio=2) is met
    assert is_met(goal, ours=10, ratio=None) is (None if goal.endswith("x") else met)


@pytest.mark.parametrize(
    ("figure", "value", "text"),
    [
        ("per_s", 55_598.4, "55,598/s"),
        ("cpu_us", 31.26, "31.3 µs"),
        ("p50_ms", 1.126, "1.13 ms"),
        ("slowest_percent", 63.28, "63.3 %"),
        ("busy", 0.0, "0"),
    ],
)
def test_the_name_of_a_figure_says_its_unit(figure: str, value: float, text: str) -> None:
    assert amount(figure, value) == text


def test_a_run_that_several_rows_tell_of_is_made_once() -> None:
    cpu = Row("CPU", Figure(OURS, "cpu_us"), Figure(Run("hueycore", "drain-4"), "cpu_us"))

    assert Contest((RATE, cpu)).runs() == [OURS, THEIRS, Run("hueycore", "drain-4")]


def test_every_run_is_a_measure(tmp_path: Path) -> None:
    pytest.importorskip("litequeue")
    every = [contest for contests in CONTESTS.values() for contest in contests.values()]

    def names(system: str, module: str) -> set[str]:
        told = {"BENCH_SYSTEM": system, "BENCH_FOLDER": str(tmp_path)}
        found = subprocess.run(
            [sys.executable, "-c", f"from {module} import MEASURES; print(*MEASURES)"],
            cwd=ROOT / "tests" / "bench", env={**os.environ, **told},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return set(found.stdout.split())

    runs = {run for contest in every for run in contest.runs()}
    of_litequeue = {what for system, what in runs if system.startswith("litequeue")}

    assert of_litequeue <= names("litequeue", "measures.litequeue")
    pairs = {what for measures in MEASURES.values() for what in measures}
    assert {what for _, what in runs} | pairs <= names("hueycore", "measures.catalogue")


def test_a_slow_disk_is_not_measured_where_nothing_compiles_it(tmp_path: Path) -> None:
    with pytest.raises(Skipped, match=r"there is no C compiler|only Linux"):
        measured("hueycore", "enqueue-threads-slow", {**os.environ, "PATH": str(tmp_path)})


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloads a library")
def test_the_syncs_of_producers_are_counted_and_slow() -> None:
    found = measured("huey", "enqueue-threads-slow", {**os.environ, "BENCH_SCALE": "0.1"})

    # Huey syncs each commit, one after the other; those at the end may fall outside the count.
    assert found["jobs_per_sync"] == pytest.approx(1, rel=0.3)
    assert found["per_s"] <= 1000 / 5 * 1.3


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """What measurements are told of a PostgreSQL."""
    with or_skip():
        servers.binaries()
    with ENGINES["postgres"]() as engine:
        yield {**os.environ, **engine.environ, "BENCH_SCALE": "0.01", "BENCH_ROWS": "1000"}


def test_the_cpu_of_a_job_in_postgresql_is_that_of_the_server_as_well(
    server: dict[str, str],
) -> None:
    found = measured("hueycore", "drain-4", server)

    assert found["server_us"] > 0
    assert found["both_us"] == pytest.approx(found["cpu_us"] + found["server_us"])


def test_several_consumers_share_the_jobs_of_one_queue(server: dict[str, str]) -> None:
    found = measured("hueycore", "consumers-2", server)

    assert found["per_s"] > 0
    assert 50 <= found["busiest_percent"] <= 100


def test_of_many_jobs_the_first_tenth_and_the_last_are_measured(server: dict[str, str]) -> None:
    found = measured("hueycore", "million", server)

    assert min(found["first_both_us"], found["last_both_us"]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("what", ["enqueue", "drain-4", "drain-process", "consumers-2"])
@pytest.mark.parametrize("peer", PEERS["postgres"])
def test_a_peer_in_postgresql_runs_all_of_its_jobs(
    server: dict[str, str], peer: str, what: str
) -> None:
    pytest.importorskip(peer)

    assert measured(peer, what, server)["per_s"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("system", ["hueycore", *PEERS["postgres"]])
def test_an_idle_consumer_in_postgresql_picks_a_job_up(server: dict[str, str], system: str) -> None:
    if system != "hueycore":
        pytest.importorskip(system)

    found = measured(system, "latency", server)

    assert found["p50_ms"] > 0
    assert found["transactions_per_s"] >= 0

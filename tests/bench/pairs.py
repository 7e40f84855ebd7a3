"""``make bench BASE=commit``: this tree against a commit, in pairs whose order alternates.

Each measurement is a fresh process of this tree's ``measure.py`` that imports the packages of the
tree it measures. Writes bench-base.json and prints a table. Not a test: a measure that got slower
fails nothing. A wide interval means a busy machine, where "no regression" says little: more pairs
make it narrower.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import arguments
from tests.bench.cluster import ENGINES, Engine
from tests.bench.measurement import Answer, measured
from tests.bench.ratios import interval, rank, verdict
from tests.bench.tables import machine, table

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("core", "hueyctl")
SQLITE = {
    "drain-1": "drain, 1 thread",
    "drain-4": "drain, 4 threads",
    "drain-process": "drain, 4 processes",
    "bulk": "enqueue_many",
    "enqueue": "enqueue one by one, synced to disk",
    "naps-1ms": "jobs of 1 ms, 8 threads",
    "naps-10ms": "jobs of 10 ms, 8 threads",
    "beside": "drain beside a durable producer",
    "enqueue-threads": "16 threads enqueue",
    "enqueue-processes": "8 processes enqueue",
    "consume": "hueyctl consume -w 4, its log in a file",
    "consume-quiet": "hueyctl consume -w 4 -q",
    "start-help": "hueyctl --help",
    "start-depth": "hueyctl depth",
    "start-producer": "a program that enqueues one job",
}
POSTGRES = ("drain-1", "drain-4", "drain-process", "bulk", "enqueue", "enqueue-processes")
MEASURES = {
    "sqlite": SQLITE,
    "postgres": {
        **{name: SQLITE[name] for name in POSTGRES},
        **{f"consumers-{n}": f"drain, {n} consumers of 4 threads" for n in (2, 4)},
    },
}
#: One run in this tree, and one in the base.
Pair = tuple[Answer, Answer]


def environ(tree: Path) -> dict[str, str]:
    """Makes Python import the packages of a tree, though this one is installed."""
    path = f"{tree / 'core'}{os.pathsep}{tree}"
    return {**os.environ, "PYTHONPATH": path, "BENCH_TREE": str(tree)}


def git(*arguments: str, failure: str) -> bytes:
    run = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True)
    if run.returncode:
        sys.exit(f"bench: {failure}: {run.stderr.decode().strip()}")
    return run.stdout


def short_name(revision: str) -> str:
    """Of a commit."""
    words = ("rev-parse", "--verify", "--short", "--end-of-options", f"{revision}^{{commit}}")
    return git(*words, failure=f"no commit {revision!r}").decode().strip()


@contextmanager
def copies(commit: str) -> Iterator[tuple[Path, Path]]:
    """This tree as it is now, changes not committed included, and that of a commit: both copied, so
    that nothing but the sources differs."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        this, base = (Path(folder).resolve() / name for name in ("this", "base"))
        base.mkdir()
        words = ("archive", "--format=tar", commit, *PACKAGES)
        files = git(*words, failure=f"no packages in {commit}")
        subprocess.run(["tar", "-x", "-C", base], input=files, check=True)
        for package in PACKAGES:
            no_bytecode = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, this / package, ignore=no_bytecode)
        for tree in (this, base):
            compileall.compile_dir(tree, quiet=2)
        yield this, base


def time_us(answer: Answer) -> float:
    return 1e6 / answer["per_s"]


def cpu_us(answer: Answer) -> float:
    """With that of the server, if there is one."""
    return answer.get("both_us", answer["cpu_us"])


def take(
    this: Path, base: Path, pairs: int, only: Sequence[str], told: Mapping[str, str]
) -> dict[str, list[Pair]]:
    """All measures in each of the rounds, a pair of each."""
    found: dict[str, list[Pair]] = {what: [] for what in only}
    for number in range(pairs):
        for what, taken in found.items():
            order = (this, base) if number % 2 == 0 else (base, this)
            answers = {
                tree: measured("hueycore", what, {**environ(tree), **told}) for tree in order
            }
            taken.append((answers[this], answers[base]))
            mine, other = (amount(time_us(answer)) for answer in taken[-1])
            line = f"  {number + 1}/{pairs}  {what:14}  this {mine:>9}  base {other:>9}"
            print(line, file=sys.stderr, flush=True)
    return found


def compare(taken: Sequence[Pair], cost: Callable[[Answer], float]) -> dict[str, Any]:
    """One cost of the pairs of one measure."""
    this, base = ([cost(answer) for answer in side] for side in zip(*taken, strict=True))
    ratios = [mine / other for mine, other in zip(this, base, strict=True)]
    low, high = interval(ratios)
    return {
        "this_us": statistics.median(this),
        "base_us": statistics.median(base),
        "ratio": statistics.median(ratios),
        "low": low,
        "high": high,
        "verdict": verdict(ratios),
        "ratios": ratios,
    }


def amount(us: float) -> str:
    return f"{us / 1000:,.1f} ms" if us >= 1000 else f"{us:.1f} µs"


def cells(row: dict[str, Any]) -> tuple[str, str, str, str]:
    ratio = f"{row['ratio']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
    return amount(row["this_us"]), amount(row["base_us"]), ratio, row["verdict"]


def report(
    taken: dict[str, list[Pair]],
    base: str,
    pairs: int,
    engine: Engine,
    measures: Mapping[str, str],
) -> None:
    coverage = rank(pairs)[1]
    this = git("describe", "--always", "--dirty", "--exclude=*", failure="no commit").decode()
    about = (
        f"{machine(engine.name)}; this tree ({this.strip()}) to {base}; {pairs} pairs: the "
        f"median ratio, and where it lies with {coverage:.0%} confidence"
    )
    rows = {what: (compare(each, time_us), compare(each, cpu_us)) for what, each in taken.items()}
    heads = ("base", "ratio", "verdict")
    lines = [(measures[what], *cells(time), *cells(cpu)) for what, (time, cpu) in rows.items()]
    print(f"\n{about}\n")
    print(table(("what", "time per job", *heads, "CPU per job", *heads), lines))
    document = {
        "about": about,
        "base": base,
        "pairs": pairs,
        "coverage": coverage,
        "rows": [{"what": what, "time": time, "cpu": cpu} for what, (time, cpu) in rows.items()],
    }
    Path("bench-base.json").write_text(json.dumps(document, indent=1) + "\n")
    slower = [
        f"{what} ({name})"
        for what, row in rows.items()
        for name, each in zip(("time", "CPU"), row, strict=True)
        if each["verdict"] == "slower"
    ]
    print(f"\nSlower than {base}: {', '.join(slower) or 'nothing'}.")


def main() -> None:
    parser = arguments.parser("This tree against a commit.")
    parser.add_argument("base", help="a revision of git")
    options = parser.parse_args()
    measures = MEASURES[options.engine]
    only = arguments.chosen(parser, options, measures, "measure")
    commit = short_name(options.base)
    with ENGINES[options.engine]() as engine, copies(commit) as (this, base):
        taken = take(this, base, options.pairs, only, engine.environ)
    report(taken, commit, options.pairs, engine, measures)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

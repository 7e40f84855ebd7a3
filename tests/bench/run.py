"""``make bench``: this project beside Huey and litequeue, same machine, same run, same job.

Every round runs all contests, the runs of one after each other, in every other round in the
opposite order: a ratio is the median of such pairs. Writes bench.json and prints a table. Not a
test: nothing fails when a goal is missed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from tests.bench import arguments
from tests.bench.contests import CONTESTS, Run
from tests.bench.judgement import Line, judge
from tests.bench.measurement import Answer, Failed, Skipped, measured
from tests.bench.tables import machine, table

PEERS = ("huey", "litequeue")
#: By run, round by round.
Found = dict[Run, list[Answer | None]]


def note(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def installed() -> list[str]:
    found = [peer for peer in PEERS if importlib.util.find_spec(peer)]
    for peer in PEERS:
        if peer not in found:
            note(f"{peer} is not installed: left out")
    return found


def take(only: Iterable[str], pairs: int, environ: dict[str, str]) -> dict[str, Found]:
    """The contests of these names in so many rounds. What fails is told and left out."""
    there = ("hueycore", *installed())
    found: dict[str, Found] = {name: {run: [] for run in CONTESTS[name].runs()} for name in only}
    for each in range(pairs):
        for name, runs in found.items():
            if each >= (CONTESTS[name].rounds or pairs):
                continue
            for run in runs if each % 2 == 0 else reversed(runs):
                known = run.system.split("-")[0] in there
                runs[run].append(one(run, f"{each + 1}/{pairs}", environ) if known else None)
    return found


def one(run: Run, each: str, environ: dict[str, str]) -> Answer | None:
    """A run, told on stderr."""
    about, begin = f"{each:5} {run.system:16} {run.what:22}", time.monotonic()
    try:
        answer = measured(*run, environ)
    except (Skipped, Failed) as reason:
        note(f"{about} left out: {reason}")
        return None
    figures = "  ".join(f"{name} {value:,.2f}" for name, value in answer.items())
    note(f"{about} {time.monotonic() - begin:4.1f} s  {figures}")
    return answer


def report(lines: list[Line], found: dict[str, Found], pairs: int) -> None:
    peers = (f"{peer} {version(peer)}" for peer in PEERS if importlib.util.find_spec(peer))
    about = (
        f"{machine(*peers)}; medians of {pairs} rounds at most; in brackets where the ratio lies, "
        "and how sure that is; the longest waits are the worst of all rounds"
    )
    print(f"\n{about}\n")
    heads = ("what", "hueyctl", "against", "ratio", "goal")
    print(table(heads, (line.cells() for line in lines)))
    document = {
        "about": about,
        "rows": [line._asdict() for line in lines],
        "answers": [
            {"contest": name, "system": run.system, "what": run.what, "answers": answers}
            for name, runs in found.items()
            for run, answers in runs.items()
        ],
    }
    Path("bench.json").write_text(json.dumps(document, indent=1) + "\n")


def main() -> None:
    parser = arguments.parser("This project beside others.", CONTESTS)
    parser.add_argument("--rows", type=int, default=1_000_000, help="in the file of the questions")
    parser.add_argument("--scale", type=float, default=1.0, help="of all numbers: 0.1 for a look")
    options = parser.parse_args()
    only = arguments.chosen(parser, options, CONTESTS, "contest")
    told = {"BENCH_ROWS": str(options.rows), "BENCH_SCALE": str(options.scale)}
    found = take(only, options.pairs, {**os.environ, **told})
    rows = [
        (row._replace(label=row.label.format(rows=options.rows)), found[name])
        for name in only
        for row in CONTESTS[name].rows
    ]
    lines = [line for row, taken in rows if (line := judge(row, taken))]
    report(lines, found, options.pairs)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

"""``make bench``: this project beside others on the same engine, same machine, same run, same job.

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
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from tests.bench import arguments
from tests.bench.cluster import ENGINES, Engine
from tests.bench.contests import CONTESTS, PEERS, Contest, Run
from tests.bench.judgement import Line, judge
from tests.bench.measurement import Answer, Failed, Skipped, measured
from tests.bench.tables import machine, table

#: By run, round by round.
Found = dict[Run, list[Answer | None]]


def note(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def installed(peers: Iterable[str]) -> list[str]:
    """Those of them that are, which is told of the others."""
    found = []
    for peer in peers:
        if importlib.util.find_spec(peer):
            found.append(peer)
        else:
            note(f"{peer} is not installed: left out")
    return found


def take(
    contests: Mapping[str, Contest], peers: Iterable[str], pairs: int, environ: dict[str, str]
) -> dict[str, Found]:
    """Contests in so many rounds. What fails is told and left out."""
    there = ("hueycore", *peers)
    found: dict[str, Found] = {
        name: {run: [] for run in contest.runs()} for name, contest in contests.items()
    }
    for each in range(pairs):
        for name, runs in found.items():
            if each >= (contests[name].rounds or pairs):
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


def report(
    lines: list[Line], found: dict[str, Found], pairs: int, engine: Engine, peers: Iterable[str]
) -> None:
    versions = (f"{peer} {version(peer)}" for peer in peers)
    about = (
        f"{machine(engine.name, *versions)}; medians of {pairs} rounds at most; in brackets where "
        "the ratio lies, and how sure that is; the longest waits are the worst of all rounds"
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
    parser = arguments.parser("This project beside others.")
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="in the file of the questions; of the million"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of all numbers: 0.1 for a look")
    options = parser.parse_args()
    known = CONTESTS[options.engine]
    contests = {
        name: known[name]
        for name in arguments.chosen(parser, options, known, "contest")
        if options.only or not known[name].asked
    }
    peers = installed(PEERS[options.engine])
    told = {"BENCH_ROWS": str(options.rows), "BENCH_SCALE": str(options.scale)}
    with ENGINES[options.engine]() as engine:
        environ = {**os.environ, **told, **engine.environ}
        found = take(contests, peers, options.pairs, environ)
    rows = [
        (row._replace(label=row.label.format(rows=options.rows)), found[name])
        for name, contest in contests.items()
        for row in contest.rows
    ]
    lines = [line for row, taken in rows if (line := judge(row, taken))]
    report(lines, found, options.pairs, engine, peers)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

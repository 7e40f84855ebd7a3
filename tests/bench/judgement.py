"""From the answers of the runs to the lines of the table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.bench.contests import Figure, Row, Run
from tests.bench.measurement import Answer
from tests.bench.ratios import interval, rank
from tests.bench.tables import amount, number

#: Of each run, round by round; None where a run failed or was skipped.
Taken = Mapping[Run, Sequence[Answer | None]]
#: One bad round is told, not outvoted.
WORST = ("worst_ms", "busy")
NAMES = {
    "huey": "Huey",
    "huey-unsynced": "Huey, fsync=False",
    "litequeue-synced": "litequeue, synced",
}


class Line(NamedTuple):
    """A row with its figures: medians, and the interval of the ratio with its confidence."""

    what: str
    figure: str
    ours: float
    against: str = ""
    theirs: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.0
    goal: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        ratio = theirs = ""
        if self.theirs is not None:
            theirs = f"{self.against} {amount(self.figure, self.theirs)}"
        if self.ratio is not None:
            ratio = f"{number(self.ratio)} x"
        if self.confidence and self.low is not None and self.high is not None:
            ratio += f" ({number(self.low)} to {number(self.high)}, {self.confidence:.0%})"
        mark = "" if self.met is None else "✓" if self.met else "✗"
        goal = f"{self.goal} {mark}".strip()
        return self.what, amount(self.figure, self.ours), theirs, ratio, goal


def judge(row: Row, taken: Taken) -> Line | None:
    """None where there is no figure of ours, or neither a goal nor anything to compare it with."""
    ours = values(row.ours, taken)
    if not any(value is not None for value in ours):
        return None
    line = Line(row.label, row.ours.name, middle(row.ours, ours), goal=row.goal)
    if row.theirs:
        theirs = values(row.theirs, taken)
        both = zip(ours, theirs, strict=False)
        ratios = [mine / other for mine, other in both if mine is not None and other]
        if any(value is not None for value in theirs):
            against = row.against or NAMES.get(row.theirs.run.system, row.theirs.run.system)
            line = line._replace(against=against, theirs=middle(row.theirs, theirs))
        elif not row.goal:
            return None
        if ratios:
            low, high = interval(ratios)
            ratio = statistics.median(ratios)
            confidence = rank(len(ratios))[1]
            line = line._replace(ratio=ratio, low=low, high=high, confidence=confidence)
    return line._replace(met=is_met(row.goal, line.ours, line.ratio))


def values(figure: Figure, taken: Taken) -> list[float | None]:
    return [answer.get(figure.name) if answer else None for answer in taken[figure.run]]


def middle(figure: Figure, found: Sequence[float | None]) -> float:
    known = [value for value in found if value is not None]
    return max(known) if figure.name in WORST else statistics.median(known)


def is_met(goal: str, ours: float, ratio: float | None) -> bool | None:
    """Of ``>= 25 x`` the ratio decides, of any other unit our figure. None: nobody can say."""
    if not goal:
        return None
    sign, limit, *unit = goal.split()
    found = ratio if unit == ["x"] else ours
    if found is None:
        return None
    return found >= float(limit) if sign == ">=" else found <= float(limit)

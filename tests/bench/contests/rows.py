"""Contests of runs, and the rows that tell of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Run(NamedTuple):
    """One measurement: a system, and a name in ``measures/catalogue.py``."""

    system: str
    what: str


class Figure(NamedTuple):
    """One of the figures that a run answers."""

    run: Run
    name: str


class Row(NamedTuple):
    """A figure of ours, what it is compared with, and the goal: ``>= 25 x`` of the ratio, any other
    unit of our figure. ``against`` says what theirs is where it is no other system. ``{rows}`` in
    the label is the number of rows in the file."""

    label: str
    ours: Figure
    theirs: Figure | None = None
    goal: str = ""
    against: str = ""


class Contest(NamedTuple):
    """Rows whose runs follow each other in each round; ``rounds``: in so many at most.
    ``asked``: it takes long, and is run when it is named."""

    rows: tuple[Row, ...]
    rounds: int | None = None
    asked: bool = False

    def runs(self) -> list[Run]:
        figures = (figure for row in self.rows for figure in (row.ours, row.theirs) if figure)
        return list(dict.fromkeys(figure.run for figure in figures))


#: Of a job: what those take who enqueue or run it, what the server takes, and the sum.
CPU = {"cpu_us": "client's CPU", "server_us": "server's CPU", "both_us": "CPU of both"}


def of(system: str, what: str, name: str = "per_s") -> Figure:
    return Figure(Run(system, what), name)


def ours(what: str, name: str = "per_s") -> Figure:
    return of("hueycore", what, name)


def beside(
    peers: Iterable[str],
    label: str,
    what: str,
    name: str = "per_s",
    *,
    huey: str = "",
    others: str = "",
) -> list[Row]:
    """The same of each, with a goal in the row of Huey and one in those of the others."""
    return [
        Row(label, ours(what, name), of(peer, what, name), huey if peer == "huey" else others)
        for peer in peers
    ]

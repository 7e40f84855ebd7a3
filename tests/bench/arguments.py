"""The options that both benches take."""

from __future__ import annotations

import argparse
from collections.abc import Collection

from tests.bench.cluster import ENGINES


def parser(description: str) -> argparse.ArgumentParser:
    """With ``--engine``, ``--pairs``, and ``--only`` for some of the names."""
    made = argparse.ArgumentParser(prog="bench", description=description)
    made.add_argument("--engine", choices=tuple(ENGINES), default="sqlite")
    made.add_argument("--pairs", type=int, default=9)
    made.add_argument("--only", default="", help="by commas; a name that is none lists all")
    return made


def chosen(
    parser: argparse.ArgumentParser, options: argparse.Namespace, names: Collection[str], noun: str
) -> list[str]:
    """The names that were asked for, or all. Ends the program at a name that is none."""
    only = options.only.split(",") if options.only else list(names)
    if unknown := set(only) - set(names):
        parser.error(f"no {noun} {', '.join(sorted(unknown))}: there are {', '.join(names)}")
    if options.pairs < 1:
        parser.error("--pairs: at least one")
    return only

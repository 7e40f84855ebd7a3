"""The formats of tabulate, for people who name one. The only importer of tabulate."""

from __future__ import annotations

from collections.abc import Sequence


def format_names() -> list[str]:
    import tabulate

    return sorted(tabulate.tabulate_formats)


def render(name: str, headers: Sequence[str], rows: list[list[str]]) -> str:
    import tabulate

    # An id such as "12e4" is a number to tabulate and would be printed as 120000.
    return tabulate.tabulate(rows, headers=headers, tablefmt=name, disable_numparse=True)

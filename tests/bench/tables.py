"""How figures are written, and what they depend on."""

import platform
from collections.abc import Iterable, Sequence

#: How the name of a figure ends, and its unit.
UNITS = {
    "per_s": "/s",
    "_ms": " ms",
    "_us": " µs",
    "_mb": " MB",
    "_percent": " %",
    "seconds": " s",
}


def machine(*more: str) -> str:
    """What the figures depend on, in a line."""
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    return ", ".join((f"Python {python}", *more, system))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = (heads, ["---"] * len(heads), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def amount(figure: str, value: float) -> str:
    """A value with the unit that the name of its figure says."""
    unit = next((unit for end, unit in UNITS.items() if figure.endswith(end)), "")
    return number(value) + unit


def number(value: float) -> str:
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"

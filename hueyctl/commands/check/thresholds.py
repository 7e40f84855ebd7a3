"""Thresholds of ``hueyctl check``, and the one line that a monitoring system reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click

from hueyctl import units
from hueyctl.selection.params import ParamType

OK, WARNING, CRITICAL, UNKNOWN = range(4)
STATUS = ("ok", "warning", "critical", "unknown")


class Limits(NamedTuple):
    """Where a warning begins and where it becomes critical; None for never."""

    warn: float | None
    crit: float | None


NONE = Limits(None, None)


class Check(NamedTuple):
    """One figure and its limits. ``low``: a value below them is bad, not one above. ``unit`` is one
    of the monitoring plugin API: s, %, B or none. ``who`` is to blame, if that is known."""

    name: str
    value: float | None
    limits: Limits = NONE
    unit: str = ""
    low: bool = False
    who: str = ""

    @property
    def status(self) -> int:
        for limit, status in ((self.limits.crit, CRITICAL), (self.limits.warn, WARNING)):
            if limit is not None and self._beyond(limit):
                return status
        return OK

    def _beyond(self, limit: float) -> bool:
        if self.value is None:
            return False
        return self.value < limit if self.low else self.value > limit

    def complaint(self) -> str:
        """``oldest 92s (>60s)``, ``transaction 92s (>60s), pid 4711``."""
        limit = self.limits.crit if self.status == CRITICAL else self.limits.warn
        sign = "<" if self.low else ">"
        text = f"{self.name} {self._text(self.value)} ({sign}{self._text(limit)})"
        return f"{text}, {self.who}" if self.who else text

    def performance(self) -> str:
        """``oldest=92s;60;300``: label, value, warning range, critical range."""
        ranges = [
            "" if limit is None else number(limit) + (":" if self.low else "")
            for limit in self.limits
        ]
        value = "U" if self.value is None else number(self.value) + self.unit
        return ";".join([f"{self.name}={value}", *ranges]).rstrip(";")

    def as_object(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "warn": self.limits.warn,
            "crit": self.limits.crit,
            "status": STATUS[self.status],
        }

    def _text(self, value: float | None) -> str:
        return "unknown" if value is None else number(value) + self.unit


def number(value: float) -> str:
    """Without a needless fraction."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}".rstrip("0")


def line(checks: Sequence[Check]) -> str:
    """What is wrong, the worst first, and all figures behind the bar."""
    status = max((check.status for check in checks), default=OK)
    bad = sorted((check for check in checks if check.status), key=lambda check: -check.status)
    said = ", ".join(check.complaint() for check in bad)
    if not said:
        said = ", ".join(f"{check.name} {check._text(check.value)}" for check in checks[:2])
    figures = " ".join(check.performance() for check in checks)
    return f"HUEY {STATUS[status].upper()} - {said} | {figures}"


class Threshold(ParamType[Limits]):
    """``W:C``; either may be left out. ``low``: the warning comes first, hence is the higher."""

    def __init__(self, read: Callable[[str], float], *, low: bool = False) -> None:
        self.read, self.low = read, low

    name = "w:c"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Limits:
        if isinstance(value, Limits):
            return value
        warn_text, _, crit_text = str(value).partition(":")
        try:
            warn = self.read(warn_text.strip()) if warn_text.strip() else None
            crit = self.read(crit_text.strip()) if crit_text.strip() else None
        except ValueError as error:
            self.fail(str(error) or f"{value!r} is not W:C", param, ctx)
        if warn is None and crit is None:
            self.fail(f"{value!r} sets no limit (like 500:2000)", param, ctx)
        if warn is not None and crit is not None and (warn < crit if self.low else warn > crit):
            order = "not below" if self.low else "not above"
            self.fail(f"{value!r}: the warning is to be {order} the critical limit", param, ctx)
        return Limits(warn, crit)


def whole(text: str) -> float:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{text!r} is not a whole number")
    return float(int(text))


def percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise ValueError(f"{text!r} is not a percentage (like 5 or 2.5%)") from None
    if not 0 <= value <= 100:
        raise ValueError(f"{text!r} is not between 0 and 100 percent")
    return value


_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def size(text: str) -> float:
    """Bytes of ``500M`` or ``2G``."""
    plain = text.lower().removesuffix("b")
    unit = plain[-1:] if plain[-1:].isalpha() else ""
    try:
        value = float(plain.removesuffix(unit)) * _SIZES[unit]
    except (ValueError, KeyError):
        raise ValueError(f"{text!r} is not a size (like 500M or 2G)") from None
    if not 0 <= value < 1e18:
        raise ValueError(f"{text!r} is not a size (like 500M or 2G)")
    return value


COUNT = Threshold(whole)
AGE = Threshold(units.parse_duration)
RATIO = Threshold(percent)
AT_LEAST = Threshold(whole, low=True)
SPACE = Threshold(size, low=True)

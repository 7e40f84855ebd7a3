"""Parameter types of click for what only queues have: durations, times, ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hueyctl.choosing import units

if TYPE_CHECKING:
    _Seconds = click.ParamType[float]
    _Bounds = click.ParamType[tuple[float | None, float | None]]
else:
    # Not generic before click 8.4.
    _Seconds = _Bounds = click.ParamType


class Duration(_Seconds):
    """Seconds, from ``90``, ``5m``, ``2h30m``."""

    name = "dur"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        try:
            return units.parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Positive(Duration):
    """A duration above zero."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = super().convert(value, param, ctx)
        if seconds <= 0:
            self.fail(f"{value!r} is not above zero", param, ctx)
        return seconds


class Range(_Bounds):
    """``N``, ``N..M``, ``N..`` or ``..M``."""

    name = "n..m"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float | None, float | None]:
        if isinstance(value, tuple):
            return value
        low, dots, high = str(value).partition("..")
        try:
            least = float(low) if low else None
            most = (float(high) if high else None) if dots else least
        except ValueError:
            self.fail(f"{value!r} is not a range (like 5, 1..10, 5.. or ..0)", param, ctx)
        if least is None and most is None:
            self.fail(f"{value!r} is not a range (like 5, 1..10, 5.. or ..0)", param, ctx)
        return least, most


DURATION = Duration()
POSITIVE = Positive()
RANGE = Range()

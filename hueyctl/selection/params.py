"""Parameters of click for what only queues have: durations, times, ranges, options as one value."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hueyctl import errors, units

if TYPE_CHECKING:
    from click import ParamType as ParamType
else:

    class ParamType(click.ParamType):
        """It is not generic before click 8.4."""

        def __class_getitem__(cls, of: object) -> type:
            return cls


_LARGEST = 2**31 - 1

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Duration(ParamType[float]):
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


class Number(click.types.FloatParamType):
    """A number, which ``nan`` and infinity are not."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a valid {self.name}.", param, ctx)
        return number


class NumberRange(click.FloatRange):
    """A number in a range."""

    name = "number"


class Integer(click.IntRange):
    """A whole number in a range."""

    name = "whole number"


class Whole(Integer):
    """One that every engine has room for."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = int(super().convert(value, param, ctx))
        if number > _LARGEST:
            self.fail(f"{number} is larger than {_LARGEST}", param, ctx)
        return number


class Range(ParamType[tuple[float | None, float | None]]):
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


class Address(ParamType[tuple[str, int]]):
    """``HOST:PORT``; an IPv6 address is in brackets."""

    name = "host:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        digits = port.isascii() and port.isdigit()
        if not host or not digits or int(port) > 65535 or (":" in host and not bracketed):
            self.fail(
                f"{value!r} is not HOST:PORT (like 127.0.0.1:9808, 0.0.0.0:9808 or [::1]:9808)",
                param,
                ctx,
            )
        return host, int(port)


ADDRESS = Address()
DURATION = Duration()
POSITIVE = Positive()
RANGE = Range()


def moment(option: str, text: str, *, utc: bool) -> float:
    """POSIX seconds of a WHEN, in which ``--utc`` has a say. Exit 2 when it is none."""
    try:
        return units.parse_when(text, utc=utc)
    except ValueError as error:
        raise errors.usage(f"{option}: {error}") from error


def in_future(option: str, text: str, *, utc: bool) -> float:
    """As ``moment``; exit 2 when it is past."""
    found = moment(option, text, utc=utc)
    if found <= time.time():
        raise errors.usage(f"{option}: {text!r} is past", f"like {units.EXAMPLE_TIMES}")
    return found


def collected(
    name: str, kind: Callable[..., Any], options: Mapping[str, Decorator]
) -> Callable[[Command], Command]:
    """Add options to a command, which gets their values as one argument ``name`` of a ``kind``."""

    def decorate(function: Command) -> Command:
        @wraps(function)
        def collect(*args: Any, **kwargs: Any) -> Any:
            kwargs[name] = kind(**{key: kwargs.pop(key) for key in options})
            return function(*args, **kwargs)

        decorated: Any = collect
        for option in reversed(list(options.values())):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate

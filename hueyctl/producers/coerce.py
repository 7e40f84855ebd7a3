"""The words of a call as the types that the parameters of its task are annotated with."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hueyctl import errors, units
from hueyctl.producers.arguments import Call

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Unfit(ValueError):
    """The value cannot become what the annotation says."""


def fit(
    call: Call, function: Callable[..., Any], name: str, *, given: tuple[str, ...] = ()
) -> Call:
    """The call with its values as the annotations say; as it is, where it fits no parameters.

    ``given`` names parameters that the worker fills in. Raises ``CliError`` with exit 2 that names
    the parameter.
    """
    try:
        signature = inspect.signature(function)
        parameters = [each for each in signature.parameters.values() if each.name not in given]
        signature = signature.replace(parameters=parameters)
        bound = signature.bind(*call.args, **call.kwargs)
    except (TypeError, ValueError):
        return call
    hints = _hints(function)
    for key, value in bound.arguments.items():
        parameter = signature.parameters[key]
        if key in hints:
            bound.arguments[key] = _convert_bound(value, hints[key], parameter, name)
    return Call(list(bound.args), dict(bound.kwargs))


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:
        # An annotation that only exists for type checkers is no reason to refuse a call.
        return {
            key: value
            for key, value in getattr(function, "__annotations__", {}).items()
            if not isinstance(value, str)
        }


def _convert_bound(value: Any, hint: Any, parameter: inspect.Parameter, name: str) -> Any:
    try:
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return tuple(convert(each, hint) for each in value)
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return {key: convert(each, hint) for key, each in value.items()}
        return convert(value, hint)
    except Unfit as error:
        raise errors.usage(
            f"{name}: parameter {parameter.name!r}: {error}", "--no-coerce passes it as it is"
        ) from None


def convert(value: Any, hint: Any) -> Any:
    """``value`` as ``hint``, where it came from a command line or from JSON. Raises ``Unfit``."""
    origin = get_origin(hint)
    if hint in (Any, inspect.Parameter.empty) or isinstance(hint, typing.TypeVar):
        return value
    if origin is typing.Annotated:
        return convert(value, get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return _convert_union(value, get_args(hint))
    if origin is Literal:
        return _convert_literal(value, get_args(hint))
    plain = origin or hint
    if plain is None or plain is type(None):
        if value is None or value in ("null", "none", "None"):
            return None
        raise Unfit(f"{value!r} is not null")
    if not isinstance(plain, type):
        return value
    if plain in (list, set, frozenset, tuple) or _is_sequence(plain):
        return _convert_many(value, plain, get_args(hint))
    if issubclass(plain, Mapping):
        return _convert_mapping(value, get_args(hint))
    return _convert_scalar(value, plain)


def _convert_union(value: Any, hints: tuple[Any, ...]) -> Any:
    # A string fits `str | int` as it is, but `int | str` first tries what comes first.
    if not isinstance(value, str):
        for hint in hints:
            if isinstance(hint, type) and type(value) is hint:
                return value
    reasons = []
    for hint in sorted(hints, key=lambda each: each is str):
        try:
            return convert(value, hint)
        except Unfit as error:
            reasons.append(str(error))
    raise Unfit("; ".join(dict.fromkeys(reasons)))


def _convert_literal(value: Any, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if value == choice or (isinstance(value, str) and value == str(choice)):
            return choice
    raise Unfit(f"{value!r} is not one of {', '.join(map(repr, choices))}")


def _is_sequence(plain: type) -> bool:
    return plain.__module__ == "collections.abc" and plain.__name__ in (
        "Sequence",
        "Iterable",
        "Collection",
        "MutableSequence",
        "Set",
    )


def _convert_many(value: Any, plain: type, hints: tuple[Any, ...]) -> Any:
    if isinstance(value, str):
        value = _json_or_commas(value)
    if not isinstance(value, (list, tuple)):
        raise Unfit(f"{value!r} is not a list")
    if plain is tuple and hints and Ellipsis not in hints:
        if len(value) != len(hints):
            raise Unfit(f"{len(value)} values where {len(hints)} are wanted")
        return tuple(convert(each, hint) for each, hint in zip(value, hints, strict=True))
    items = [convert(each, hints[0]) for each in value] if hints else list(value)
    return plain(items) if plain in (set, frozenset, tuple) else items


def _json_or_commas(text: str) -> Any:
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise Unfit(f"{text!r} is not a JSON array") from None
    return [part.strip() for part in text.split(",")] if text else []


def _convert_mapping(value: Any, hints: tuple[Any, ...]) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Unfit(f"{value!r} is not a JSON object") from None
    if not isinstance(value, dict):
        raise Unfit(f"{value!r} is not an object")
    if len(hints) != 2:
        return value
    return {convert(key, hints[0]): convert(each, hints[1]) for key, each in value.items()}


def _convert_scalar(value: Any, plain: type) -> Any:
    if plain is bool:
        return _convert_bool(value)
    if isinstance(value, plain) and not (isinstance(value, bool) and plain is int):
        return value
    if issubclass(plain, Enum):
        return _convert_enum(value, plain)
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if plain is bytes and isinstance(value, str):
        return value.encode()
    converter = _CONVERTERS.get(plain)
    if issubclass(plain, PurePath):
        converter = plain
    if converter is not None and (isinstance(value, str) or plain in (Decimal, timedelta)):
        try:
            return converter(str(value))
        except (ValueError, InvalidOperation, OverflowError):
            raise Unfit(f"{value!r} is not a valid {plain.__name__}") from None
    if plain is str or converter is not None:
        raise Unfit(f"{value!r} is not a {plain.__name__}")
    return value


def _convert_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise Unfit(f"{value!r} is not a valid bool (true or false)")


def _convert_enum(value: Any, plain: type[Enum]) -> Enum:
    if isinstance(value, str) and value in plain.__members__:
        return plain[value]
    for member in plain:
        if value == member.value or (isinstance(value, str) and value == str(member.value)):
            return member
    raise Unfit(f"{value!r} is not one of {', '.join(plain.__members__)}")


def _duration(text: str) -> timedelta:
    return timedelta(seconds=units.parse_duration(text))


_CONVERTERS: dict[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    Decimal: Decimal,
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
    timedelta: _duration,
    UUID: UUID,
    complex: complex,
}

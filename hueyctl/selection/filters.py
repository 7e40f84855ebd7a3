"""``--where FIELD OP VALUE``: on columns in the storage, on arguments and errors here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl import errors, units
from hueyctl.answers import parts
from hueyctl.answers.jobs import COLUMNS
from hueyctl.answers.payloads import Arguments

if TYPE_CHECKING:
    from hueycore.model.jobs import Job

_EXPRESSION = re.compile(r"\s*([A-Za-z_][\w.\-]*)\s*(!=|<=|>=|==|=|<|>|~)\s*(.*?)\s*", re.DOTALL)

OnColumn = tuple[str, str, Any]


class Deep(NamedTuple):
    """A condition on something inside a job: ``args.0``, ``kwargs.user_id``, ``error.type``."""

    path: tuple[str, ...]
    operator: str
    value: str

    @property
    def needs_payload(self) -> bool:
        return parts.needs_payload(self.path)

    def matches(self, job: Job, arguments: Arguments | None) -> bool:
        found = parts.part_of(job, arguments, self.path)
        return found is not parts.ABSENT and _compare(found, self.operator, self.value)


def parse(expression: str, now: float, *, utc: bool = False) -> OnColumn | Deep:
    """One condition. Raises ``CliError`` with exit 2 for what it does not understand."""
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise errors.usage(
            f"--where {expression!r} is not FIELD OP VALUE",
            "like --where 'attempt > 1', with one of = != < > <= >= ~",
        )
    field, operator, value = match.groups()
    operator = "=" if operator == "==" else operator
    value = _unquoted(value)
    path = parts.path_of(field)
    if path is not None:
        return Deep(path, operator, value)
    name = field.lower().replace("-", "_")
    if name == "args":
        return ("preview", operator, value)
    if name not in COLUMNS:
        from difflib import get_close_matches

        near = get_close_matches(name, COLUMNS, 1)
        more = f"; did you mean {near[0]}?" if near else ""
        fields = ", ".join((*COLUMNS, "args.0", "kwargs.NAME", "error.type", "error.message"))
        raise errors.usage(f"--where: unknown field {field!r}{more}", f"fields are {fields}")
    if operator == "~":
        return (name, "~", value)
    return (name, operator, _typed(name, COLUMNS[name], value, now, utc))


def _typed(name: str, kind: str, value: str, now: float, utc: bool) -> Any:
    if value.lower() in ("null", "none", "") and kind != "text":
        return None
    if kind == "text":
        return None if value.lower() == "null" else value
    if kind == "bool":
        if value.lower() in ("true", "yes", "1"):
            return 1
        if value.lower() in ("false", "no", "0"):
            return 0
        raise errors.usage(f"--where {name}: {value!r} is neither true nor false")
    try:
        if kind == "time":
            return units.parse_when(value, utc=utc, now=now)
        if re.fullmatch(r"[+-]?\d+(\.\d+)?", value):
            # A database has no larger integers, and a number that is there is smaller.
            whole = "." not in value and abs(int(value)) < 2**63
            return int(value) if whole else float(value)
        seconds = units.parse_ahead(value)
    except ValueError as error:
        raise errors.usage(f"--where {name}: {error}") from error
    if seconds is None:
        raise errors.usage(f"--where {name}: {value!r} is neither a number nor a duration")
    return seconds


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text


def _compare(found: Any, operator: str, wanted: str) -> bool:
    if operator == "~":
        return wanted in parts.text_of(found)
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        try:
            return _ordered(found, operator, float(wanted))
        except ValueError:
            return operator == "!="
    if operator in ("=", "!="):
        return (parts.text_of(found) == wanted) == (operator == "=")
    return isinstance(found, str) and _ordered(found, operator, wanted)


def _ordered(left: Any, operator: str, right: Any) -> bool:
    return bool(
        {
            "=": left == right,
            "!=": left != right,
            "<": left < right,
            ">": left > right,
            "<=": left <= right,
            ">=": left >= right,
        }[operator]
    )

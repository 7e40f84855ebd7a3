"""From a line of a dump to what was written."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from hueycore.model.events import LogLine
from hueycore.model.jobs import Cargo, Job
from hueycore.model.plan import Input
from hueycore.model.records import FIELDS, Record
from hueycore.model.states import FINAL, State
from hueycore.serializer import format_name
from hueyctl import errors, exits
from hueyctl.answers import jobs
from hueyctl.answers.dump import EDGES, MORE, SCHEMA, VERSION
from hueyctl.jsonline import BadLine, object_of
from hueyctl.units import from_precise

_INT64 = 2**63

_KINDS = {**jobs.COLUMNS, **MORE, **EDGES}
_DEFAULTS: dict[str, Any] = {
    "seq": 0, "priority": 0.0, "delay": 0.0, "attempt": 0, "claim": 0, "retries": 0,
    "retry_delay": 0.0, "retry_backoff": 0.0, "crashes": 0, "max_crashes": 3,
    "at_most_once": False, "cancel_requested": False, "inputs": 0, "waits": 0,
    "delivered": False,
}  # fmt: skip
_REQUIRED = ("id", "queue", "task", "state")


#: Fields of records, by kind, and those without which there is no record. What is missing besides
#: stands as it would in a new one.
_FIELDS = {
    **dict.fromkeys(
        (
            *("paused_at", "paused_until", "created_at", "next_run", "last_run", "until", "since"),
            *("expires_at", "tat", "seen"),
        ),
        "time",
    ),
    **dict.fromkeys(("grace", "per"), "number"),
    **dict.fromkeys(("at_once", "rate", "burst", "number", "owner"), "int"),
    **dict.fromkeys(("events", "once"), "bool"),
}
_NEEDED = ("created_at", "task", "schedule", "next_run", "since", "tat", "seen", "number")
_POSITIVE = ("at_once", "rate", "per", "burst")
_WORDS = {"catch_up": ("latest", "skip", "all"), "origin": ("code", "process", "stored")}
_USUAL = {"catch_up": "latest", "grace": 3600.0, "origin": "code", "events": False, "once": False}


class Header(NamedTuple):
    """The first line of a dump: its name, and the URL of the storage that it is from."""

    dump: str
    source: str


class Trailer(NamedTuple):
    """The last line of a dump."""

    dump: str


def to_entry(line: bytes, queue: str | None = None) -> Header | Record | Cargo | Trailer:
    """What a line says, for ``queue`` or for the queue that it names. Raises ``BadLine``; exits
    with 78 when it begins the dump of a newer release."""
    found = object_of(line)
    if str(found.get("schema")).startswith(f"{SCHEMA}/"):
        return _header(found)
    if "end" in found:
        return Trailer(str(found["end"]))
    if queue is not None:
        found["queue"] = queue
    return _record(found) if "record" in found else _cargo(found)


def to_cargo(line: bytes, queue: str | None = None) -> Cargo:
    """The job of a line. Raises ``BadLine``."""
    found = to_entry(line, queue)
    if not isinstance(found, Cargo):
        raise BadLine("it is no job")
    return found


def _header(found: dict[str, Any]) -> Header:
    version = found["schema"].rpartition("/")[2]
    if not version.isdecimal() or int(version) > VERSION:
        raise errors.CliError(
            f"the dump has version {version}, this release reads {VERSION}",
            exits.CONFIG,
            "upgrade hueyctl on this machine",
        )
    dump, source = found.get("dump"), found.get("source")
    if not isinstance(dump, str) or not isinstance(source, str):
        raise BadLine("it begins a dump and does not say which")
    return Header(dump, source)


def _record(found: dict[str, Any]) -> Record:
    kind, queue, name, fields = (found.get(key) for key in ("record", "queue", "name", "fields"))
    if not isinstance(kind, str) or kind not in FIELDS:
        raise BadLine(f"there is no record {kind!r}")
    if not isinstance(fields, dict):
        raise BadLine("the record has no 'fields'")
    if not isinstance(queue, str) or not queue or not isinstance(name, str):
        raise BadLine("the record has no 'queue' or no 'name'")
    return Record(kind, queue, name, {key: _field(fields, key) for key in FIELDS[kind]})


def _field(fields: dict[str, Any], name: str) -> Any:
    """A field of a record."""
    if name in ("payload", "value"):
        return _unwrapped(fields, name)
    if name == "options":
        options = fields.get(name)
        return options if isinstance(options, dict) else {}
    value = _value(fields, name, _FIELDS.get(name, "text"))
    if value is None:
        if name in _NEEDED:
            raise BadLine(f"the record has no {name!r}")
        return _USUAL.get(name)
    if name in _WORDS and value not in _WORDS[name]:
        raise BadLine(f"{name!r} is none of {', '.join(_WORDS[name])}")
    if name in _POSITIVE and value <= 0:
        raise BadLine(f"{name!r} is not above 0")
    return value


def _cargo(found: dict[str, Any]) -> Cargo:
    payload = _unwrapped(found, "payload")
    if payload is None:
        raise BadLine("it has no payload; was it made by a dump?")
    result, inputs = _unwrapped(found, "result"), _inputs(found.get("inputs"))
    handler = _value(found, "handler", "text")
    edges = found.get("edges")
    group, gave = 0, 0
    if isinstance(edges, dict):
        group, gave = (_value(edges, name, "int") or 0 for name in ("group", "gave"))
    return Cargo(_job(found), payload, result, inputs, _log(found.get("log")), handler, gave, group)


def _log(found: Any) -> list[LogLine]:
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadLine("'log' is not a list of objects")
    return [
        LogLine(
            _value(each, "at", "time") or 0.0,
            _value(each, "level", "text") or "INFO",
            _value(each, "message", "text") or "",
            _value(each, "attempt", "int") or 0,
            line,
        )
        for line, each in enumerate(found, 1)
    ]


def _inputs(found: Any) -> list[Input]:
    """What the stages before it gave to its call."""
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadLine("'inputs' is not a list of objects")
    inputs = []
    for place, each in enumerate(found):
        state = next((state for state in FINAL if state == each.get("state")), None)
        error = each.get("error")
        in_list = each.get("slot") is not None
        if state is None or _value(each, "id", "text") is None:
            raise BadLine("'inputs' has an entry without an id or a final state")
        if error is not None and not isinstance(error, dict):
            raise BadLine("'inputs' has an error that is not an object")
        result = _unwrapped(each, "result")
        inputs.append(Input(place if in_list else None, each["id"], state, result, error))
    return inputs


def _job(found: dict[str, Any]) -> Job:
    edges = found.get("edges")
    source = {**found, **edges} if isinstance(edges, dict) else found
    values = {name: _value(source, name, kind) for name, kind in _KINDS.items()}
    values["errors"] = _errors(found.get("errors"))
    _check(values)
    return Job(**values)


def _check(values: dict[str, Any]) -> None:
    """What a row cannot say of itself would stop the whole transaction."""
    for name in _REQUIRED:
        if not values[name]:
            raise BadLine(f"it has no {name!r}")
    try:
        values["state"] = State(values["state"])
    except ValueError:
        raise BadLine(f"unknown state {values['state']!r}") from None
    now = time.time()
    for name in ("enqueued_at", "run_at"):
        values[name] = now if values[name] is None else values[name]
    values["claim"] = max(values["claim"], values["attempt"])
    for name in ("attempt", "retries", "retry_delay", "delay", "inputs", "waits", "crashes"):
        if values[name] < 0:
            raise BadLine(f"{name!r} is negative")
    final = values["state"] in FINAL
    if final and values["finished_at"] is None:
        raise BadLine(f"it is {values['state']} and has no 'finished_at'")
    if not final:
        values["finished_at"] = None
    if values["state"] == "running" and values["claim"] < 1:
        values["claim"] = 1


def _value(source: dict[str, Any], name: str, kind: str) -> Any:
    value = source.get(name)
    if value is None:
        return _DEFAULTS.get(name)
    reader, what = _READERS[kind]
    try:
        return reader(value)
    except (ValueError, OverflowError):
        raise BadLine(f"{name!r} is not {what}") from None


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise ValueError
    if abs(value) >= _INT64:
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError
    number = float(value)
    if math.isnan(number):
        raise ValueError
    return number


def _moment(value: Any) -> float:
    if isinstance(value, str):
        try:
            return from_precise(value)
        except (ValueError, OverflowError, OSError):
            return _number(value)  # a time that no calendar has
    return _number(value)


def _flag(value: Any) -> bool:
    if value not in (True, False):
        raise ValueError
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    value.encode()  # JSON can write half a character, which no database takes
    return value


#: By kind, what reads a value, and what it should have been.
_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "int": (_whole, "a whole number"),
    "number": (_number, "a number"),
    "time": (_moment, "a time"),
    "bool": (_flag, "true or false"),
    "text": (_text, "text"),
}


def _errors(found: Any) -> list[dict[str, Any]]:
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadLine("'errors' is not a list of objects")
    try:
        return [
            {**each, "at": None if each.get("at") is None else _moment(each["at"])}
            for each in found
        ]
    except (ValueError, OverflowError):
        raise BadLine("'errors' has an entry without a time") from None


def _unwrapped(found: dict[str, Any], name: str) -> bytes | None:
    wrapped = found.get(name)
    if wrapped is None:
        return None
    if not isinstance(wrapped, dict) or not isinstance(wrapped.get("base64"), str):
        raise BadLine(f"{name!r} is not an object with 'base64'")
    try:
        blob = base64.b64decode(wrapped["base64"], validate=True)
    except ValueError:
        raise BadLine(f"{name!r}: the base64 text is damaged") from None
    said = wrapped.get("serializer")
    if said is not None and said != format_name(blob):
        raise BadLine(f"{name!r} is said to be {said} and is {format_name(blob)}")
    return blob

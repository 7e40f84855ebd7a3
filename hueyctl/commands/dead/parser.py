"""From a line of a dump to the job that was written."""

from __future__ import annotations

import base64
import math
import time
from datetime import UTC, datetime
from typing import Any

from hueycore.model.jobs import Cargo, Job
from hueycore.model.plan import Input
from hueycore.model.states import FINAL, State
from hueycore.serializer import format_name
from hueyctl.answers import jobs
from hueyctl.answers.dump import EDGES, MORE
from hueyctl.jsonline import BadLine, object_of

_INT64 = 2**63

_KINDS = {**jobs.COLUMNS, **MORE, **EDGES}
_DEFAULTS: dict[str, Any] = {
    "seq": 0, "priority": 0.0, "delay": 0.0, "attempt": 0, "claim": 0, "retries": 0,
    "retry_delay": 0.0, "retry_backoff": 0.0, "crashes": 0, "max_crashes": 3,
    "at_most_once": False, "cancel_requested": False, "inputs": 0, "waits": 0,
    "delivered": False,
}  # fmt: skip
_REQUIRED = ("id", "queue", "task", "state")


def to_cargo(line: bytes, queue: str | None = None) -> Cargo:
    """The job of a line, for ``queue`` or for the queue that it names. Raises ``BadLine``."""
    found = object_of(line)
    if queue is not None:
        found["queue"] = queue
    payload = _unwrapped(found, "payload")
    if payload is None:
        raise BadLine("it has no payload; was it made by a dump?")
    return Cargo(_job(found), payload, _unwrapped(found, "result"), _inputs(found.get("inputs")))


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
    reader = {"int": _whole, "number": _number, "time": _moment, "bool": _flag, "text": _text}[kind]
    try:
        return reader(value)
    except (ValueError, OverflowError):
        words = {"int": "a whole number", "number": "a number", "time": "a time",
                 "bool": "true or false", "text": "text"}  # fmt: skip
        raise BadLine(f"{name!r} is not {words[kind]}") from None


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
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
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

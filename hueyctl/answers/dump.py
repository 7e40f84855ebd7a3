"""A queue as lines of a file: everything that it has, so that dumping and loading loses nothing.

The first line says which dump it is; then come the records of the queues, then the jobs; the last
line says that nothing is missing.

A job's line is the object ``hueyctl.job/1`` with times to the microsecond and, beside it, what
makes it whole: ``payload`` and ``result`` as the bytes that are stored, ``errors`` of every
attempt, ``edges``, log lines. Payloads are never decoded on the way, so every type of argument
arrives as it left.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from hueyctl.answers import jobs
from hueyctl.answers.payloads import decode_arguments, finite
from hueyctl.units import precise

if TYPE_CHECKING:
    from hueycore.model.jobs import Cargo
    from hueycore.model.records import Record

#: Columns of a job besides those of ``hueyctl.job/1``.
MORE = {"delay": "number", "expires_in": "number", "claim": "int", "preview": "text"}
#: What joins it to other stages.
EDGES = {
    "next": "int", "slot": "int", "source": "int", "inputs": "int", "waits": "int",
    "delivered": "bool",
}  # fmt: skip


#: Of a dump: what is written, and the newest that is read. Before 2 there was no first line.
VERSION = 2
SCHEMA = "hueyctl.dump"


def header(dump: str, source: str, at: float) -> dict[str, Any]:
    """The first line: the name of the dump, where it is from, and of when."""
    from hueyctl import __version__

    return {
        "schema": f"{SCHEMA}/{VERSION}",
        "dump": dump,
        "source": source,
        "at": precise(at),
        "hueyctl": __version__,
    }


def ending(dump: str, jobs: int, records: int) -> dict[str, Any]:
    """The last line."""
    return {"end": dump, "jobs": jobs, "records": records}


def record_object(one: Record) -> dict[str, Any]:
    """What a queue has besides jobs; times are POSIX seconds."""
    fields = {
        name: _wrapped(value) if isinstance(value, bytes) else value
        for name, value in one.fields.items()
    }
    return {"record": one.kind, "queue": one.queue, "name": one.name, "fields": fields}


def to_line(cargo: Cargo, now: float | None = None) -> str:
    """One line, without its newline. Plain ASCII: any pipe and any locale can carry it."""
    return dumps(as_object(cargo, time.time() if now is None else now))


def dumps(found: dict[str, Any]) -> str:
    try:
        return json.dumps(found, allow_nan=False)
    except ValueError:
        return json.dumps(finite(found))


def as_object(cargo: Cargo, now: float) -> dict[str, Any]:
    """The job object of a dump."""
    job = cargo.job
    found = jobs.as_object(job, decode_arguments(cargo.payload), now, precise)
    for name in MORE:
        found[name] = getattr(job, name)
    found["errors"] = [{**error, "at": _exact(error.get("at"))} for error in job.errors]
    found["edges"] = {name: getattr(job, name) for name in EDGES}
    found["edges"].update(group=cargo.group or None, gave=cargo.delivered)
    found["payload"] = _wrapped(cargo.payload)
    found["result"] = _wrapped(cargo.result)
    found["inputs"] = [
        {**one._asdict(), "state": str(one.state), "result": _wrapped(one.result)}
        for one in cargo.inputs
    ]
    found["log"] = [{**line._asdict(), "at": _exact(line.at)} for line in cargo.log]
    found["handler"] = cargo.handler
    return found


def _exact(moment: Any) -> Any:
    return precise(moment) if isinstance(moment, (int, float)) else moment


def _wrapped(blob: bytes | None) -> dict[str, str] | None:
    if blob is None:
        return None
    import base64

    from hueycore.serializer import format_name

    return {"serializer": format_name(blob), "base64": base64.b64encode(blob).decode("ascii")}

"""Jobs as lines of a file: everything that they have, so that dumping and loading loses nothing.

A line is the job object ``hueyctl.job/1`` with exact times and, beside it, what makes it whole:
``payload`` and ``result`` as the bytes that are stored, ``errors`` of every attempt, ``edges``.
Payloads are never decoded on the way, so every type of argument arrives as it left.
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

#: Columns of a job besides those of ``hueyctl.job/1``.
MORE = {"delay": "number", "expires_in": "number", "claim": "int", "preview": "text"}
#: What joins it to other stages.
EDGES = {
    "next": "int", "slot": "int", "source": "int", "inputs": "int", "waits": "int",
    "delivered": "bool",
}  # fmt: skip


def to_line(cargo: Cargo, now: float | None = None) -> str:
    """One line, without its newline. Plain ASCII: any pipe and any locale can carry it."""
    found = as_object(cargo, time.time() if now is None else now)
    try:
        return json.dumps(found, allow_nan=False)
    except ValueError:
        return json.dumps(finite(found))


def as_object(cargo: Cargo, now: float) -> dict[str, Any]:
    """The job object of a dump."""
    job = cargo.job
    found = jobs.as_object(job, decode_arguments(cargo.payload), now)
    for name, kind in jobs.COLUMNS.items():
        if kind == "time":
            found[name] = _exact(getattr(job, name))
    for name in MORE:
        found[name] = getattr(job, name)
    found["errors"] = [{**error, "at": _exact(error.get("at"))} for error in job.errors]
    found["edges"] = {name: getattr(job, name) for name in EDGES}
    found["payload"] = _wrapped(cargo.payload)
    found["result"] = _wrapped(cargo.result)
    found["inputs"] = [
        {**one._asdict(), "state": str(one.state), "result": _wrapped(one.result)}
        for one in cargo.inputs
    ]
    return found


def _exact(moment: Any) -> Any:
    return precise(moment) if isinstance(moment, (int, float)) else moment


def _wrapped(blob: bytes | None) -> dict[str, str] | None:
    if blob is None:
        return None
    import base64

    from hueycore.serializer import format_name

    return {"serializer": format_name(blob), "base64": base64.b64encode(blob).decode("ascii")}

"""JSON Schemas of everything that ``-o json`` prints. ``hueyctl help schemas`` shows them, and the
tests hold the real output against them.

Every key is always there; unknown is null. More keys may come, so other keys are allowed.
"""

from __future__ import annotations

from typing import Any

from hueyctl.answers import jobs

Schema = dict[str, Any]

STATES = ("scheduled", "pending", "blocked", "running", "done", "dead", "revoked", "expired")
DRAFT = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Schema = {"type": "string"}
_INT: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
#: JSON has no infinity: a number that is one is written as a word.
_ANY_NUMBER: Schema = {"type": ["number", "string"]}
_BOOL: Schema = {"type": "boolean"}
_STATE: Schema = {"enum": list(STATES)}
_TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$|^[^T]*$"}
_VALUE: Schema = {}
_KINDS = {"int": _INT, "number": _ANY_NUMBER, "time": _TIME, "bool": _BOOL, "text": _TEXT}
#: Columns that are never null.
_SURE = frozenset(
    ("seq", "id", "queue", "task", "state", "priority", "run_at", "enqueued_at", "attempt",
     "retries", "retry_delay", "retry_backoff", "crashes", "max_crashes", "at_most_once",
     "cancel_requested", "waits"),
)  # fmt: skip


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _named(name: str, **properties: Schema) -> Schema:
    """A document that says what it is."""
    return _object(schema={"const": f"hueyctl.{name}"}, **properties)


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


_ERROR = _object(
    type=_or_null(_TEXT), message=_or_null(_TEXT), traceback=_or_null(_TEXT), at=_or_null(_TIME)
)


def _job() -> Schema:
    properties: dict[str, Schema] = {}
    for name, kind in jobs.COLUMNS.items():
        plain = _STATE if name == "state" else _KINDS[kind]
        properties[name] = plain if name in _SURE else _or_null(plain)
    return _object(
        **properties,
        args=_or_null(_list(_VALUE)),
        kwargs=_or_null({"type": "object"}),
        args_repr=_or_null(_TEXT),
        wait_s=_or_null(_NUMBER),
        run_s=_or_null(_NUMBER),
        error=_or_null(_ERROR),
    )


_BYTES = _object(serializer=_TEXT, base64=_TEXT)
_STAGE = _object(
    seq=_INT, id=_TEXT, task=_TEXT, state=_STATE, next=_or_null(_INT), slot=_or_null(_INT),
    source=_or_null(_INT), inputs=_INT, waits=_INT,
)  # fmt: skip
_EVENT = _object(
    at=_TIME, event=_TEXT, attempt=_or_null(_INT), worker=_or_null(_TEXT), run_s=_or_null(_NUMBER),
    error=_or_null(_TEXT),
)  # fmt: skip
_LOG_LINE: dict[str, Schema] = {
    "line": _INT, "at": _TIME, "attempt": _INT, "level": _TEXT, "message": _TEXT
}  # fmt: skip
_RATES: dict[str, Schema] = {
    "out_per_s": _or_null(_NUMBER),
    "failed_per_s": _or_null(_NUMBER),
    "failure_ratio": _or_null(_NUMBER),
    "wait_s": {"type": "object"},
    "run_s": {"type": "object"},
    "trend": _list(_NUMBER),
}
_QUEUE_FIGURES: dict[str, Schema] = {
    "paused": _BOOL,
    **dict.fromkeys(STATES, _INT),
    "oldest_pending_s": _or_null(_NUMBER),
    "next_run_at": _or_null(_TIME),
    "in_per_s": _or_null(_NUMBER),
    "empty_in_s": _or_null(_NUMBER),
    **_RATES,
}
_TASK_FIGURES: dict[str, Schema] = {
    "queue": _TEXT, "task": _TEXT, "runs": _INT, "done": _INT, "dead": _INT, "retried": _INT,
    **_RATES,
}  # fmt: skip
_RUN = _object(
    slot=_INT, seq=_INT, id=_or_null(_TEXT), task=_or_null(_TEXT), for_s=_or_null(_NUMBER),
    overdue=_BOOL,
)  # fmt: skip
_CHECK_STATUS: Schema = {"enum": ["ok", "warning", "critical", "unknown"]}


def _change() -> Schema:
    failed = _object(id=_TEXT, code=_TEXT, message=_TEXT)
    return _named(
        "change/1", action=_TEXT, matched=_INT, changed=_INT, dry_run=_BOOL, ids=_list(_TEXT),
        failed=_list(failed),
    )  # fmt: skip


def _stats() -> Schema:
    return _named(
        "stats/1",
        at=_TIME,
        window_s=_NUMBER,
        storage=_object(kind=_TEXT, url=_TEXT, size_bytes=_INT, wal_bytes=_INT),
        totals=_object(**_QUEUE_FIGURES),
        queues=_list(_object(name=_TEXT, **_QUEUE_FIGURES)),
        tasks=_list(_object(**_TASK_FIGURES)),
        workers=_object(alive=_INT, busy=_INT, dead=_INT),
    )


def _depth() -> Schema:
    counts = _object(**dict.fromkeys(STATES, _INT), oldest_pending_s=_or_null(_NUMBER))
    found = _named("depth/1", total=_INT)
    # --by task has tasks in place of queues.
    found["properties"] |= {"queues": _map(counts), "tasks": _map(_INT)}
    found["oneOf"] = [{"required": ["queues"]}, {"required": ["tasks"]}]
    return found


def _reports() -> dict[str, Schema]:
    """What is said of the set-up."""
    measured = _object(
        name=_TEXT, value=_or_null(_NUMBER), warn=_or_null(_NUMBER), crit=_or_null(_NUMBER),
        status=_CHECK_STATUS,
    )  # fmt: skip
    note = _object(
        name=_TEXT, status=_TEXT, message=_TEXT, hint=_or_null(_TEXT), facts={"type": "object"}
    )
    setting = _object(setting=_TEXT, value=_VALUE, source=_TEXT, where=_or_null(_TEXT))
    return {
        "check/1": _named(
            "check/1", status=_CHECK_STATUS, message=_or_null(_TEXT), checks=_list(measured)
        ),
        "doctor/1": _named("doctor/1", ok=_BOOL, problems=_INT, checks=_list(note)),
        "config/1": _named("config/1", settings=_list(setting)),
        "preflight/1": _named(
            "preflight/1", app=_TEXT, storage=_or_null(_TEXT), tasks=_INT, periodic=_INT, ok=_BOOL,
            problems=_list(_TEXT),
        ),
        "probe/1": _named(
            "probe/1", about=_TEXT, ok=_BOOL, reasons=_list(_TEXT), consumer=_TEXT, phase=_TEXT
        ),
        "demo/1": _named(
            "demo/1", queued=_INT, done=_INT, dead=_INT, lost=_INT, wrong=_INT, interrupted=_INT,
            retried=_INT, ticks=_INT, seconds=_NUMBER, db=_or_null(_TEXT),
        ),
        "error/1": _object(
            error=_object(code=_TEXT, exit=_INT, message=_TEXT, hint=_or_null(_TEXT))
        ),
    }  # fmt: skip


def _rows() -> dict[str, Schema]:
    """What lists hold besides jobs."""
    return {
        "result/1": _object(
            seq=_INT, id=_TEXT, state=_STATE, value=_VALUE, value_repr=_or_null(_TEXT),
            error=_or_null(_ERROR),
        ),
        "why/1": _object(
            seq=_INT, state=_STATE, because=_TEXT, since=_or_null(_TIME),
            blocking=_or_null({"type": "object"}), next=_or_null(_TEXT),
        ),
        "why-periodic/1": _object(
            seq={"type": "null"}, schedule=_TEXT, state={"enum": ["waiting", "paused", "overdue"]},
            because=_TEXT, since=_or_null(_TIME), blocking=_or_null({"type": "object"}),
            next=_or_null(_TEXT),
        ),
        "wait/1": _object(**{"seq": _INT, "id": _TEXT, "from": _STATE, "to": _STATE, "at": _TIME}),
        "log/1": _object(seq=_INT, id=_TEXT, task=_TEXT, **_LOG_LINE),
        "event/1": _object(
            event=_INT, queue=_TEXT, at=_TIME, signal=_TEXT, seq=_or_null(_INT), id=_or_null(_TEXT),
            task=_or_null(_TEXT), worker=_or_null(_TEXT), run_s=_or_null(_NUMBER),
            error=_or_null(_TEXT), reason=_or_null(_TEXT), jobs=_or_null(_INT),
        ),
        "worker/1": _object(
            name=_TEXT, host=_TEXT, pid=_INT, queue=_TEXT, kind=_TEXT, state=_TEXT, slots=_INT,
            busy=_INT, held=_INT, started_at=_TIME, up_s=_NUMBER, rss_bytes=_or_null(_INT),
            jobs=_list(_RUN),
        ),
        "task/1": _object(
            task=_TEXT, kind=_TEXT, signature=_TEXT, schedule=_or_null(_TEXT), tz=_or_null(_TEXT),
            retries=_INT, retry_delay=_ANY_NUMBER, priority=_or_null(_ANY_NUMBER),
            timeout=_or_null(_ANY_NUMBER), revoked=_BOOL, paused=_BOOL,
        ),
        "pause/1": _object(
            queue=_TEXT, task=_or_null(_TEXT), paused=_BOOL, since=_or_null(_TIME),
            until=_or_null(_TIME), by=_or_null(_TEXT), reason=_or_null(_TEXT), what=_TEXT,
        ),
        "periodic/1": _object(
            name=_TEXT, task=_TEXT, queue=_TEXT, schedule=_TEXT, tz=_or_null(_TEXT),
            next_run=_TIME, last_run=_or_null(_TIME), last_id=_or_null(_TEXT),
            last_state=_or_null(_STATE), paused=_BOOL, paused_at=_or_null(_TIME),
            paused_by=_or_null(_TEXT), pause_reason=_or_null(_TEXT),
            catch_up={"enum": ["latest", "skip", "all"]}, grace_s=_NUMBER,
            origin={"enum": ["code", "process", "stored"]}, args=_or_null(_list(_VALUE)),
            kwargs=_or_null({"type": "object"}), args_repr=_or_null(_TEXT),
        ),
        "firing/1": _object(
            at=_TIME, name=_TEXT, task=_TEXT, queue=_TEXT, schedule=_TEXT, tz=_or_null(_TEXT),
        ),
        "lock/1": _object(
            name=_TEXT, queue=_TEXT, holder=_TEXT, host=_TEXT, pid=_INT, alive=_BOOL,
            waiting=_BOOL, since=_TIME, expires_at=_or_null(_TIME), ttl_s=_or_null(_NUMBER),
        ),
        "revocation/1": _object(
            target=_TEXT, kind=_TEXT, queue=_TEXT, until=_or_null(_TIME), once=_BOOL, since=_TIME,
            reason=_or_null(_TEXT),
        ),
        "dead-group/1": _object(
            count=_INT, task=_or_null(_TEXT), error=_or_null(_TEXT), last_1h=_INT, last_3h=_INT,
            last_24h=_INT, last_3d=_INT, last_7d=_INT, first=_TIME, last=_TIME,
        ),
    }  # fmt: skip


def _of_job(**more: Schema) -> Schema:
    found = _job()
    found["properties"] |= more
    found["required"] += more
    return found


_ABOUT = {
    "job/1": "a job: list, pending, scheduled, dead list, enqueue",
    "shown-job/1": "show: a job with its history and the stages around it",
    "dump/1": "a line of dead dump: a job with its bytes",
    "change/1": "what a command has changed",
    "depth/1": "depth",
    "stats/1": "stats",
    "check/1": "check",
    "doctor/1": "doctor",
    "config/1": "config show",
    "preflight/1": "consume --preflight",
    "probe/1": "what /healthz and /readyz answer, with consume --http",
    "demo/1": "demo",
    "error/1": "an error, on stderr",
    "result/1": "result, enqueue --wait",
    "why/1": "why",
    "why-periodic/1": "why, of a periodic task",
    "wait/1": "a change of state in wait",
    "log/1": "a line of logs",
    "event/1": "a line of events",
    "worker/1": "a consumer in workers",
    "task/1": "a task in tasks",
    "pause/1": "a queue or task in pause and resume",
    "periodic/1": "a schedule in periodic list, pause, resume, add",
    "firing/1": "a coming run in periodic next",
    "lock/1": "a lock in lock list",
    "revocation/1": "an order in revoke --list",
    "dead-group/1": "a line of dead summary",
}


def schemas() -> dict[str, Schema]:
    """Every schema by the name of its document, such as ``hueyctl.job/1``."""
    found = {
        "job/1": _job(),
        "shown-job/1": _of_job(
            timeline=_list(_EVENT), tree=_list(_STAGE), log=_list(_object(**_LOG_LINE))
        ),
        "dump/1": _of_job(
            payload=_or_null(_BYTES), result=_or_null(_BYTES), errors=_list({"type": "object"}),
            edges={"type": "object"}, inputs=_list({"type": "object"}), delay=_ANY_NUMBER,
            expires_in=_or_null(_ANY_NUMBER), claim=_INT, preview=_or_null(_TEXT),
        ),
        "change/1": _change(),
        "depth/1": _depth(),
        "stats/1": _stats(),
        **_reports(),
        **_rows(),
    }  # fmt: skip
    return {
        f"hueyctl.{name}": {
            "$schema": DRAFT,
            "$id": f"hueyctl.{name}",
            "title": _ABOUT[name],
            **schema,
        }
        for name, schema in found.items()
    }

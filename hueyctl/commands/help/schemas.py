"""JSON Schemas of everything that ``-o json`` prints. ``hueyctl help schemas`` shows them, and the
tests hold the real output against them.

Every key is always there; unknown is null. More keys may come, so other keys are allowed.
"""

from __future__ import annotations

from typing import Any

from hueycore.model.states import State
from hueyctl.answers import jobs

Schema = dict[str, Any]

STATES = tuple(map(str, State))
DRAFT = "https://json-schema.org/draft/2020-12/schema"

_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,7}Z$|^[^T]*$"
_KINDS: dict[str, Schema] = {
    "text": {"type": "string"},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    # JSON has no infinity: a number that is one is written as a word.
    "float": {"type": ["number", "string"]},
    "bool": {"type": "boolean"},
    "state": {"enum": list(STATES)},
    "status": {"enum": ["ok", "warning", "critical", "unknown"]},
    "time": {"type": "string", "pattern": _TIME},
    "object": {"type": "object"},
    "objects": {"type": "array", "items": {"type": "object"}},
    "values": {"type": "array", "items": {}},
    "texts": {"type": "array", "items": {"type": "string"}},
    "value": {},
    "null": {"type": "null"},
}
#: Columns of a job that are never null.
_SURE = frozenset(
    (
        "seq",
        "id",
        "queue",
        "task",
        "state",
        "priority",
        "run_at",
        "enqueued_at",
        "attempt",
        "retries",
        "retry_delay",
        "retry_backoff",
        "crashes",
        "max_crashes",
        "at_most_once",
        "cancel_requested",
        "waits",
    )
)


def _keys(text: str, /, **others: Schema) -> dict[str, Schema]:
    """The schemas of ``key:kind``, with a question mark where it may be null, and of ``others``."""
    found = {}
    for word in text.split():
        key, _, kind = word.partition(":")
        plain = _KINDS[kind.removesuffix("?")]
        found[key] = _or_null(plain) if kind.endswith("?") else plain
    return found | others


def _object(text: str = "", /, **others: Schema) -> Schema:
    properties = _keys(text, **others)
    return {"type": "object", "properties": properties, "required": list(properties)}


def _document(name: str, text: str = "", /, **others: Schema) -> Schema:
    """An object that says what it is."""
    return _object(schema={"const": f"hueyctl.{name}"}, **_keys(text, **others))


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


_ERROR = _object("type:text? message:text? traceback:text? at:time?")


def _job(**more: Schema) -> Schema:
    properties: dict[str, Schema] = {}
    for name, kind in jobs.COLUMNS.items():
        plain = _KINDS["state" if name == "state" else "float" if kind == "number" else kind]
        properties[name] = plain if name in _SURE else _or_null(plain)
    others = _keys("args:values? kwargs:object? args_repr:text? wait_s:number? run_s:number?")
    return _object(**properties, **others, error=_or_null(_ERROR), **more)


_BYTES = _object("serializer:text base64:text")
_STAGE = _object(
    "seq:int id:text task:text state:state next:int? slot:int? source:int? inputs:int waits:int"
)
_EVENT = _object("at:time event:text attempt:int? worker:text? run_s:number? error:text?")
_LOG_LINE = "line:int at:time attempt:int level:text message:text"
_RUN = _object("slot:int seq:int id:text? task:text? for_s:number? overdue:bool")
_COUNTS = " ".join(f"{state}:int" for state in STATES)
_RATES = _keys(
    "out_per_s:number? failed_per_s:number? failure_ratio:number? wait_s:object run_s:object",
    trend=_list(_KINDS["number"]),
)
_QUEUE_FIGURES = _keys(
    f"paused:bool {_COUNTS} oldest_pending_s:number? next_run_at:time? in_per_s:number? "
    "empty_in_s:number?",
    **_RATES,
)
_TASK_FIGURES = _keys("queue:text task:text runs:int done:int dead:int retried:int", **_RATES)


def _stats() -> Schema:
    return _document(
        "stats/1",
        "at:time window_s:number",
        storage=_object("kind:text url:text size_bytes:int wal_bytes:int"),
        totals=_object(**_QUEUE_FIGURES),
        queues=_list(_object("name:text", **_QUEUE_FIGURES)),
        tasks=_list(_object(**_TASK_FIGURES)),
        workers=_object("alive:int busy:int dead:int"),
        consumers=_list(
            _object(
                "name:text queue:text host:text pid:int kind:text state:text workers:int busy:int "
                "started_at:time",
                running=_list(_KINDS["int"]),
            )
        ),
    )


_ALARM = _object(
    "kind:text queue:text message:text since:time? about:object next:text",
    level={"enum": ["warning", "critical"]},
)


def _status() -> Schema:
    stats = _stats()["properties"]
    running = "seq:int id:text task:text queue:text worker:text? for_s:number p95_s:number? "
    return _document(
        "status/1",
        "at:time scheduled:int",
        status={"enum": ["ok", "warning", "critical"]},
        alarms=_list(_ALARM),
        totals=stats["totals"],
        queues=stats["queues"],
        running=_list(_object(running + "progress:text? stuck:bool")),
        coming=_list(_object("at:time task:text queue:text seq:int? periodic:text?")),
        workers=stats["workers"],
        consumers=stats["consumers"],
    )


def _depth() -> Schema:
    found = _document("depth/1", "total:int")
    counts = _object(f"{_COUNTS} oldest_pending_s:number?")
    # --by task has tasks in place of queues.
    found["properties"] |= {"queues": _map(counts), "tasks": _map(_KINDS["int"])}
    found["oneOf"] = [{"required": ["queues"]}, {"required": ["tasks"]}]
    return found


def _reports() -> dict[str, Schema]:
    """What is said of a change or of the set-up."""
    failed = _object("id:text code:text message:text")
    measured = _object("name:text value:number? warn:number? crit:number? status:status")
    note = _object("name:text status:text message:text hint:text? facts:object")
    setting = _object("setting:text value:value source:text where:text?")
    return {
        "change/1": _document(
            "change/1",
            "action:text matched:int changed:int dry_run:bool ids:texts",
            failed=_list(failed),
        ),
        "depth/1": _depth(),
        "stats/1": _stats(),
        "status/1": _status(),
        "check/1": _document("check/1", "status:status message:text?", checks=_list(measured)),
        "doctor/1": _document("doctor/1", "ok:bool problems:int", checks=_list(note)),
        "config/1": _document("config/1", settings=_list(setting)),
        "preflight/1": _document(
            "preflight/1", "app:text storage:text? tasks:int periodic:int ok:bool problems:texts"
        ),
        "probe/1": _document(
            "probe/1", "about:text ok:bool reasons:texts consumer:text phase:text"
        ),
        "demo/1": _document(
            "demo/1",
            "queued:int done:int dead:int lost:int wrong:int interrupted:int retried:int ticks:int "
            "seconds:number db:text?",
        ),
        "error/1": _object(error=_object("code:text exit:int message:text hint:text?")),
    }


def _rows() -> dict[str, Schema]:
    """What lists hold besides jobs."""
    return {
        "result/1": _object(
            "seq:int id:text state:state value:value value_repr:text?", error=_or_null(_ERROR)
        ),
        "why/1": _object(
            "seq:int state:state because:text since:time? blocking:object? next:text?"
        ),
        "why-periodic/1": _object(
            "seq:null schedule:text",
            state={"enum": ["waiting", "paused", "overdue"]},
            **_keys("because:text since:time? blocking:object? next:text?"),
        ),
        "wait/1": _object("seq:int id:text from:state to:state at:time"),
        "log/1": _object(f"seq:int id:text task:text {_LOG_LINE}"),
        "event/1": _object(
            "event:int queue:text at:time signal:text seq:int? id:text? task:text? worker:text? "
            "run_s:number? error:text? reason:text? jobs:int?"
        ),
        "worker/1": _object(
            "name:text host:text pid:int queue:text kind:text state:text slots:int busy:int "
            "held:int started_at:time up_s:number rss_bytes:int?",
            jobs=_list(_RUN),
        ),
        "task/1": _object(
            "task:text kind:text signature:text schedule:text? tz:text? retries:int "
            "retry_delay:float priority:float? timeout:float? revoked:bool paused:bool"
        ),
        "pause/1": _object(
            "queue:text task:text? paused:bool since:time? until:time? by:text? reason:text? "
            "what:text"
        ),
        "periodic/1": _object(
            "name:text task:text queue:text schedule:text tz:text? next_run:time last_run:time? "
            "last_id:text? last_state:state? paused:bool paused_at:time? paused_by:text? "
            "pause_reason:text?",
            catch_up={"enum": ["latest", "skip", "all"]},
            grace_s=_KINDS["number"],
            origin={"enum": ["code", "process", "stored"]},
            **_keys("args:values? kwargs:object? args_repr:text?"),
        ),
        "firing/1": _object("at:time name:text task:text queue:text schedule:text tz:text?"),
        "lock/1": _object(
            "name:text queue:text holder:text? host:text? pid:int? alive:bool? waiting:bool "
            "since:time? expires_at:time? ttl_s:number? job:int? waiters:int first_waiters:values "
            "at_once:int? rate:object? ready:int due:time?",
            kind={"enum": ["lock", "limit", "rate", "key"]},
            jobs=_list(_object("seq:int task:text worker:text? since:time?")),
        ),
        "backup/1": _document("backup/1", "file:text bytes:int"),
        "restore/1": _document("restore/1", "file:text jobs:int"),
        "vacuum/1": _document("vacuum/1", "before_bytes:int after_bytes:int"),
        "db/1": _document(
            "db/1",
            "engine:text version:text url:text schema_version:int size_bytes:int log_bytes:int "
            "free_bytes:int? oldest_reader_s:float?",
        ),
        "revocation/1": _object(
            "target:text kind:text queue:text until:time? once:bool since:time reason:text?"
        ),
        "dead-group/1": _object(
            "count:int task:text? error:text? last_1h:int last_3h:int last_24h:int last_3d:int "
            "last_7d:int first:time last:time"
        ),
    }


_ABOUT = {
    "job/1": "a job: list, pending, scheduled, dead list, enqueue",
    "shown-job/1": "show: a job with its history and the stages around it",
    "dump/1": "a job in dump: with its bytes",
    "dump/2": "the first line of dump",
    "change/1": "what a command has changed",
    "depth/1": "depth",
    "stats/1": "stats",
    "status/1": "status, why without an id",
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
    "lock/1": "a lock in lock list, with --all also a limit or a rate",
    "backup/1": "db backup",
    "db/1": "db info",
    "restore/1": "db restore",
    "vacuum/1": "db vacuum",
    "revocation/1": "an order in revoke --list",
    "dead-group/1": "a line of dead summary",
}


def schemas() -> dict[str, Schema]:
    """Every schema by the name of its document, such as ``hueyctl.job/1``."""
    found = {
        "job/1": _job(),
        "shown-job/1": _job(
            timeline=_list(_EVENT), tree=_list(_STAGE), log=_list(_object(_LOG_LINE))
        ),
        "dump/1": _job(
            payload=_or_null(_BYTES),
            result=_or_null(_BYTES),
            **_keys(
                "errors:objects edges:object inputs:objects delay:float expires_in:float? "
                "claim:int preview:text? log:objects handler:text?"
            ),
        ),
        "dump/2": _document("dump/2", "dump:text source:text at:time hueyctl:text"),
        **_reports(),
        **_rows(),
    }
    return {
        f"hueyctl.{name}": {
            "$schema": DRAFT,
            "$id": f"hueyctl.{name}",
            "title": _ABOUT[name],
            **schema,
        }
        for name, schema in found.items()
    }

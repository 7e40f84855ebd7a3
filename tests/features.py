"""What the queue must do, row by row: the names that ``@pytest.mark.feature(…)`` may carry.

``tests/README.md`` is generated from the marks (``make generate``); no row of it may be empty.
"""

ROWS: dict[str, tuple[str, ...]] = {
    "Declaring and calling": (
        "instances",
        "task decorator",
        "calling",
        "async",
        "datetimes",
        "utc",
        "priority",
        "expires",
        "context",
        "path tasks",
        "unknown task",
        "unique",
        "transactional enqueue",
        "deterministic ids",
        "back-pressure",
    ),
    "Failing and retrying": (
        "retries",
        "retries changed at run time",
        "RetryTask and CancelExecution",
        "errors",
        "dead letters",
        "crash",
        "timeouts",
        "on_error",
    ),
    "Time": (
        "one-off",
        "periodic_task",
        "callable schedules",
        "durable periodic tasks",
        "dynamic periodic tasks",
        "reschedule",
    ),
    "Composing": ("pipeline", "group", "chord", "dynamic fan-out", "visible stages"),
    "Holding back": (
        "lock_task",
        "lock=True",
        "max_concurrent",
        "rate limit",
        "revoke",
        "pause and resume",
    ),
    "Results and values": (
        "Result",
        "what get gives",
        "huey.result",
        "key/value",
        "introspection",
        "retention",
    ),
    "Observing": ("signals", "hooks", "error results", "metrics", "logs", "immediate mode"),
    "Serializing and safety": ("serializers", "SignedSerializer", "files"),
    "Running": (
        "worker kinds",
        "process workers",
        "deployment",
        "several consumers",
        "moving over",
    ),
}

NAMES = frozenset(name for rows in ROWS.values() for name in rows)

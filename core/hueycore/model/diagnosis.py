"""What is found about a set-up, in words and for machines."""

from __future__ import annotations

from typing import Any, NamedTuple

OK, WARNING, PROBLEM, SKIPPED = "ok", "warning", "problem", "skipped"


class Diagnosis(NamedTuple):
    """The answer to one question. ``facts`` are for machines, ``hint`` says what to do."""

    name: str
    status: str
    text: str
    facts: dict[str, Any]
    hint: str | None = None


def ok(name: str, text: str, **facts: Any) -> Diagnosis:
    return Diagnosis(name, OK, text, facts)


def warning(name: str, text: str, hint: str | None = None, **facts: Any) -> Diagnosis:
    return Diagnosis(name, WARNING, text, facts, hint)


def problem(name: str, text: str, hint: str | None = None, **facts: Any) -> Diagnosis:
    return Diagnosis(name, PROBLEM, text, facts, hint)


def skipped(name: str, why: str) -> Diagnosis:
    return Diagnosis(name, SKIPPED, why, {})


def of_old_jobs(queue: str, number: int, source: str) -> Diagnosis:
    """Jobs wait where Huey has left them. ``source``: the file, or the server's URL."""
    return problem(
        "huey",
        f"{number:,} jobs of Huey's wait in queue {queue!r}, which nobody here runs",
        f"hueyctl load --from-huey {source} --queue {queue} --app MODULE:ATTR",
        queue=queue,
        jobs=number,
    )

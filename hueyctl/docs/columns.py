"""The columns of each command, and what --sort and --where take, for TAB."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Where a table is made, by the words of the command: its module, the function or dictionary there,
#: and what a function is called with. The tables of ``stats`` are by its option --by.
_JOBS = ("hueyctl.output.columns", "job_columns", 0.0)
_SCHEDULES = ("hueyctl.output.periodic", "columns")
_TABLES: dict[str, tuple[Any, ...]] = {
    "list": _JOBS,
    "pending": _JOBS,
    "scheduled": _JOBS,
    "dead list": _JOBS,
    "show": _JOBS,
    "dead show": _JOBS,
    "why": ("hueyctl.commands.why", "_columns"),
    "status": ("hueyctl.commands.status.command", "_columns"),
    "logs": ("hueyctl.commands.logs.view", "_KNOWN"),
    "events": ("hueyctl.output.events", "COLUMNS"),
    "workers": ("hueyctl.output.workers", "columns", 0.0),
    "tasks": ("hueyctl.commands.tasks", "_columns"),
    "dead summary": ("hueyctl.output.dead", "columns"),
    "lock list": ("hueyctl.output.holds", "columns", 0.0),
    "periodic list": _SCHEDULES,
    "periodic pause": _SCHEDULES,
    "periodic resume": _SCHEDULES,
    "periodic add": _SCHEDULES,
    "pause": ("hueyctl.changes.pauses", "_columns"),
    "resume": ("hueyctl.changes.pauses", "_columns"),
    "revoke": ("hueyctl.changes.report", "_columns", False),
    "restore": ("hueyctl.changes.report", "_columns", False),
    "reschedule": ("hueyctl.changes.report", "_columns", False),
    "dead retry": ("hueyctl.changes.report", "_columns", False),
    "dead purge": ("hueyctl.changes.report", "_columns", False),
}


def columns(command: str, by: str | None = None) -> list[str]:
    """What --columns takes, none for a command that has no table."""
    if command == "stats":
        from hueyctl.output.figures import TABLES, Reader

        return list(TABLES[by or "queue"].columns(Reader(human=False, now=0.0)))
    if command not in _TABLES:
        return []
    module, name, *arguments = _TABLES[command]
    found = getattr(import_module(module), name)
    return list(found(*arguments) if callable(found) else found)


def sorts(command: str, by: str | None = None) -> list[str]:
    """What --sort takes; a word with a dash before it is an option to shells."""
    if command == "stats":
        return columns(command, by)
    from hueyctl.selection.order import WORDS

    return list(WORDS)


def fields() -> list[str]:
    """What --where can ask for; arguments go on with a place or a name."""
    from hueyctl.answers.jobs import COLUMNS

    return [*COLUMNS, "args", "args.0", "kwargs.", "error.type", "error.message"]

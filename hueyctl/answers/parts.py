"""What lies inside a job, by a path: ``args.0``, ``kwargs.user_id``, ``error.type``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hueyctl.answers.jobs import last_error
from hueyctl.answers.payloads import Arguments, decode_arguments, dumps

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage

#: What a path leads to when there is no such thing.
ABSENT = object()
_ROOTS = ("args", "kwargs", "error")


def path_of(name: str) -> tuple[str, ...] | None:
    """The path that a name is, None when it is the name of a column."""
    path = tuple(name.split("."))
    return path if path[0] in _ROOTS and len(path) > 1 else None


def needs_payload(path: Sequence[str]) -> bool:
    return path[0] != "error"


def part_of(job: Job, arguments: Arguments | None, path: Sequence[str]) -> Any:
    """The part of a job, ``ABSENT`` also where the arguments are opaque."""
    if path[0] == "error":
        return follow(last_error(job), path[1:])
    if arguments is None:
        return ABSENT
    return follow(arguments.args if path[0] == "args" else arguments.kwargs, path[1:])


def read_part(storage: Storage, job: Job, path: Sequence[str]) -> Any:
    """The part, read from the storage as far as that is safe; None when there is none."""
    return read_parts(storage, [job], path)[0]


def read_parts(storage: Storage, jobs: Sequence[Job], path: Sequence[str]) -> list[Any]:
    """Those of several jobs, whose arguments are read at once."""
    payloads = storage.payloads(jobs) if needs_payload(path) else [None] * len(jobs)
    found = [
        part_of(job, decode_arguments(payload), path)
        for job, payload in zip(jobs, payloads, strict=True)
    ]
    return [None if each is ABSENT else each for each in found]


def follow(found: Any, path: Sequence[str]) -> Any:
    """What lies at a path in a JSON value."""
    for step in path:
        if isinstance(found, dict):
            found = found.get(step, ABSENT)
        elif isinstance(found, list) and step.isascii() and step.isdigit():
            found = found[int(step)] if int(step) < len(found) else ABSENT
        else:
            return ABSENT
    return found


def text_of(value: Any) -> str:
    """A part as it is compared and shown."""
    return value if isinstance(value, str) else dumps(value)

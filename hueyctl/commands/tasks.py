"""``hueyctl tasks``: what the application registers."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.answers.tasks import Entry, Unseen
    from hueyctl.output.columns import Column


@command(
    "tasks",
    examples=[
        "hueyctl tasks --app app.huey",
        "hueyctl tasks 'myapp.mail.*' --signature",
        "hueyctl tasks --unseen --json",
    ],
    arguments=[("GLOB", "Only tasks whose name matches, like 'myapp.mail.*'.")],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.argument("glob", required=False, metavar="[GLOB]")
@click.option("--signature", is_flag=True, help="Also what they are called with.")
@click.option("--periodic", is_flag=True, help="Only periodic tasks, with their schedules.")
@click.option("--unseen", is_flag=True, help="Tasks of jobs that the application does not know.")
def tasks(session: Session, glob: str | None, signature: bool, periodic: bool, unseen: bool) -> int:
    """List the tasks that an application registers; it is imported for that.

    With their schedules and what holds their jobs back: how many run at once, at which rate they
    start, within which key, and who holds a lock of that key now.

    --unseen lists what the queue has jobs of and this application does not register: renamed or
    removed tasks, or those of another version.
    """
    from hueyctl.answers import tasks

    huey = session.app_to_look()
    session.ctx.call_on_close(huey.close)
    storage = _storage(session)
    queue = (session.queues() or (huey.name,))[0]
    if unseen:
        if periodic or signature:
            raise errors.usage("--unseen is about tasks that are not here", "leave out the rest")
        missing = tasks.unseen(huey, storage, queue)
        return _show_unseen(session, [one for one in missing if _matches(one.task, glob)])
    found = tasks.entries(huey, storage, queue)
    chosen = [one for one in found if _matches(one.task, glob)]
    if glob and not chosen and not any(letter in glob for letter in "*?["):
        raise _unknown(glob, [one.task for one in found])
    if periodic:
        chosen = [one for one in chosen if one.kind == "periodic"]
    return _show(session, chosen, signature=signature, periodic=periodic)


def _storage(session: Session) -> Storage | None:
    """The storage where there is one: an application is known without any job."""
    from hueycore.exceptions import StorageMissing

    if session.location(looking=False) is None and not session.app().location.shared:
        return None
    try:
        return session.looking()
    except errors.CliError as error:
        if isinstance(error.__cause__, StorageMissing):
            return None
        raise


def _matches(name: str, glob: str | None) -> bool:
    return glob is None or fnmatchcase(name, glob)


def _unknown(name: str, known: list[str]) -> errors.CliError:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "hueyctl tasks"
    return errors.CliError(f"no task {name!r}", exits.NOT_FOUND, hint)


def _show(session: Session, found: list[Entry], *, signature: bool, periodic: bool) -> int:
    output = session.output
    if output.is_json:
        output.objects(one.as_object() for one in found)
    else:
        normal = ["task", "kind", "retries", "retry_delay", "priority", "revoked"]
        if periodic:
            normal[1:1] = ["schedule", "tz"]
        if signature:
            normal.insert(2, "signature")
        normal += _telling(found, human=output.on_tty, shown=normal)
        more = [name for name in ("signature", "timeout", "paused") if name not in normal]
        output.rows(found, _columns(), normal, more, name=lambda one: one.task)
    if not found:
        session.remark("No tasks.")
    return exits.OK


def _telling(found: Sequence[Entry], *, human: bool, shown: Sequence[str]) -> list[str]:
    """Columns of schedules and of what holds jobs back: at a terminal those that say something."""
    names = ("schedule", "max_concurrent", "rate", "key", "locked_by")
    known = _columns()
    return [
        name
        for name in names
        if name not in shown
        and (not human or any(known[name].value(one) is not None for one in found))
    ]


def _show_unseen(session: Session, found: Sequence[Unseen]) -> int:
    from hueyctl.output.columns import Column

    output = session.output
    if output.is_json:
        output.objects(one.as_object() for one in found)
    else:
        known = {
            "task": Column("task", "TASK", "text", lambda one: one.task),
            "jobs": Column("jobs", "JOBS", "count", lambda one: one.jobs),
            "last": Column("last", "LAST", "time", lambda one: one.last),
        }
        output.rows(found, known, ("task", "jobs", "last"), name=lambda one: one.task)
    if not found:
        session.remark("Every task of the queue is registered.")
    return exits.OK


def _columns() -> dict[str, Column]:
    from operator import attrgetter

    from hueyctl.output.columns import Column

    kinds = {
        "task": "text", "kind": "text", "signature": "text", "schedule": "text", "tz": "text",
        "retries": "int", "retry_delay": "number", "priority": "number", "timeout": "number",
        "revoked": "bool", "paused": "bool", "max_concurrent": "int", "rate": "text",
        "key": "text", "locked_by": "text",
    }  # fmt: skip
    headers = {
        "retry_delay": "DELAY", "priority": "PRI", "max_concurrent": "AT-ONCE",
        "locked_by": "LOCKED-BY",
    }  # fmt: skip
    return {
        key: Column(
            key,
            headers.get(key, key.upper()),
            kind,
            attrgetter("key_text" if key == "key" else key),
        )
        for key, kind in kinds.items()
    }

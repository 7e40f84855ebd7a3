"""``hueyctl load``: what Huey left in its file, into a queue of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits
from hueyctl.changes.report import Change, Done
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.api.migration import FromHuey
    from hueycore.model.migration import OldFile
    from hueycore.storage.base import Storage
    from hueycore.storage.open import RedisLocation


@command(
    "load",
    examples=[
        "hueyctl load --from-huey huey.db --app app:huey --dry-run",
        "hueyctl load --from-huey huey.db --app app:huey",
        "hueyctl load --from-huey huey.db --queue mail --url sqlite:///queue.db --create",
        "hueyctl load --from-huey redis://localhost/0 --app app:huey",
    ],
    codes=[exits.FAILURE, exits.REFUSED, exits.UNAVAILABLE, exits.CONFIG],
)
@click.option(
    "--from-huey",
    "path",
    metavar="FILE|URL",
    required=True,
    help="The SQLite file that Huey wrote, or the Redis server.",
)
@click.option("--create", is_flag=True, help="Make the storage of --url when it is missing.")
@click.option("--dry-run", is_flag=True, help="Only say what would come over.")
def load(session: Session, path: str, create: bool, dry_run: bool) -> int:
    """Bring over the jobs that Huey left, with their results and revocations.

    They go into the queue of the same name: of the application, or of --url, else into the same
    file. Huey's tables are only read; on a Redis server its waiting messages get another name
    first. What came once comes never again, so the command may be repeated. With an application
    (--app) its classes and its serializer are there; without one only plain values are read. What
    cannot be read is named and left out, the rest comes: exit 1.

    Stop Huey's consumer first: while one works on the file nothing is loaded, exit 6.
    """
    from hueycore.api import migration
    from hueycore.storage.open import read_old

    session.default_to(path)
    huey = session.app_to_write(create=True) if session.has_app else None
    old = read_old(_source(path), huey.name if huey else _queue(session), take=not dry_run)
    if old.refusal and not dry_run:
        raise errors.CliError(old.refusal, exits.REFUSED, "stop it, then run the command again")
    storage = _storage(session, old, create=create, dry_run=dry_run)
    found = migration.load(
        huey or _plain(storage, old), old, storage, dry_run=dry_run, plain=huey is None
    )
    return _report(session, found, dry_run)


def _source(text: str) -> str | RedisLocation:
    """A file, or a server with the password that the environment has."""
    from hueycore.storage.open import RedisLocation
    from hueyctl.urls import parse_url

    location = parse_url(text) if "://" in text else None
    return location if isinstance(location, RedisLocation) else text


def _report(session: Session, found: FromHuey, dry_run: bool) -> int:
    for holder in found.holders:
        session.notice(
            f"{holder} has the file open: a consumer of Huey's would run the same jobs, and what "
            "it adds from now on needs another load"
        )
    change = Change("load", len(found.jobs) + len(found.left_out), dry_run)
    for job in found.jobs:
        seq = None if dry_run else job.seq
        change.done.append(Done("load" if dry_run else "loaded", seq, job.id, job.task))
    for one in found.left_out:
        name = " ".join(filter(None, (one.id, one.task)))
        text = f"{one.where}{f' ({name})' if name else ''}: {one.why}"
        change.fail(one.id or one.where, "left_out", text)
    counts = {name: getattr(found, name) for name in ("results", "values", "revocations", "known")}
    change.more.update(counts)
    session.notice(_summary(change, counts))
    return change.report(session)


def _summary(change: Change, counts: dict[str, int]) -> str:
    verb = "would come over" if change.dry_run else "came over"
    came = {"jobs": len(change.done), **counts}
    known = came.pop("known")
    said = ", ".join(
        f"{number:,} {name if number != 1 else name[:-1]}"
        for name, number in came.items()
        if number or name == "jobs"
    )
    return f"{said} {verb}" + (f"; {known:,} had come before" if known else "")


def _queue(session: Session) -> str | None:
    queues = session.queues()
    if len(queues) > 1:
        raise errors.usage("this command works on one queue", "say --queue once")
    return queues[0] if queues else None


def _storage(session: Session, old: OldFile, *, create: bool, dry_run: bool) -> Storage:
    """Where they go; for a look at a file that has no queue yet, one in memory."""
    import os

    from hueycore.exceptions import StorageCorrupt, StorageMissing
    from hueycore.storage.open import MEMORY, open_storage

    location = session.where()
    same = location.is_file and os.path.realpath(location.filename) == old.path
    if not dry_run:
        return session.writing(old.queue, create=create or same)
    try:
        return session.looking(old.queue)
    except (StorageMissing, StorageCorrupt, errors.CliError):
        if not (create or same or session.has_app):
            raise
        return open_storage(MEMORY, old.queue)


def _plain(storage: Storage, old: OldFile) -> Huey:
    """An application that has no tasks."""
    from hueycore import Huey
    from hueyctl.producers.file import serializer_of

    return Huey(old.queue, serializer=serializer_of(storage))

"""``hueyctl load``: what a dump holds, or what Huey left in its file, into a queue of ours."""

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
    from hueyctl.changes.arrival import How


#: Lines between two looks at the clock.
_OFTEN = 100


@command(
    "load",
    examples=[
        "hueyctl load queue-2026-11-19.jsonl.gz -u sqlite:///new.db --create",
        "hueyctl load queue.jsonl --if-exists replace --dry-run",
        "hueyctl load queue.jsonl -u postgresql:///app --create --move",
        "hueyctl load --from-huey huey.db --app app:huey",
        "hueyctl load --from-huey redis://localhost/0 --app app:huey",
    ],
    arguments=[("FILE", "A file that dump wrote, compressed or not; - for stdin.")],
    codes=[exits.FAILURE, exits.REFUSED, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG],
)
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--from-huey",
    "path",
    metavar="FILE|URL",
    help="The SQLite file that Huey wrote, or the Redis server.",
)
@click.option("--create", is_flag=True, help="Make the storage of --url when it is missing.")
@click.option("--dry-run", is_flag=True, help="Only say what would come.")
@click.option(
    "--if-exists",
    type=click.Choice(("keep", "replace", "fail")),
    default="keep",
    show_default=True,
    help="For what is there already: keep it, replace it, or exit 6.",
)
@click.option(
    "--move",
    is_flag=True,
    allow_from_autoenv=False,
    help="Delete at the source, which the dump names, what has arrived.",
)
def load(
    session: Session,
    file: str | None,
    path: str | None,
    create: bool,
    dry_run: bool,
    if_exists: str,
    move: bool,
) -> int:
    """Bring in what dump has written, or what Huey left in its file.

    Jobs go into the queue that they came from, or into the one of --queue. They come in batches,
    between which others write; jobs that hang together come together. What was running waits to
    run; locks stay behind. A line that says nothing is reported with its number and left out, the
    rest goes on: exit 1. Killed, and run again with the same file, it goes on where it was.

    With --move a job is deleted at the source once it is safe here: never before, and not if it
    changed meanwhile. While a consumer works at the source, unless its queue is paused, nothing is
    moved: exit 6. Running jobs stay. To end a move that was killed, dump and load once more.

    With --from-huey the jobs, results and revocations that Huey left come over, into the queue of
    the same name: of the application, or of --url, else into the same file. Huey's tables are only
    read; on a Redis server its waiting messages get another name first. What came once comes never
    again, so the command may be repeated. With an application (--app) its classes and its
    serializer are there; without one only plain values are read. While a consumer of Huey's works
    on the file nothing is loaded, exit 6.
    """
    if (file is None) == (path is None):
        raise errors.usage("say what to load: FILE, - for stdin, or --from-huey")
    if path is not None:
        if move or if_exists != "keep":
            raise errors.usage("--move and --if-exists are about a dump")
        return _from_huey(session, path, create, dry_run)
    assert file is not None
    from hueyctl.changes.arrival import How

    return _from_dump(session, file, create, move, How(if_exists, False, dry_run))


def _from_dump(session: Session, file: str, create: bool, move: bool, how: How) -> int:
    from hueycore.exceptions import StorageFull
    from hueyctl.changes.arrival import Arrival
    from hueyctl.changes.loader import Loader
    from hueyctl.changes.move import Mover
    from hueyctl.changes.report import Tally
    from hueyctl.changes.source import lines, opened
    from hueyctl.changes.target import Target
    from hueyctl.output.counter import Counter

    target = Target(session, create=create)
    if move and (target.queue is not None or how.dry_run):
        raise errors.usage("--move takes jobs as they are: without --queue, without --dry-run")
    mover = Mover(session, target) if move else None
    change = Tally("load", dry_run=how.dry_run)
    arrival = Arrival(target, how._replace(queue=target.queue), change, mover)
    counter = Counter(session, None)

    def on_line(number: int) -> None:
        if number % _OFTEN == 0:
            counter.show(change.number)

    try:
        with opened(file) as source:
            Loader(arrival, on_line).run(lines(source))
    except KeyboardInterrupt:
        counter.clear()
        session.notice(f"{change.number:,} jobs were loaded")
        raise
    except StorageFull as error:
        hint = f"make room and run it again: {change.number} jobs are in"
        raise errors.CliError(str(error), exits.IO_ERROR, hint) from error
    finally:
        counter.clear()
    change.more["records"] = arrival.records
    return arrival.report(session)


def _from_huey(session: Session, path: str, create: bool, dry_run: bool) -> int:
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
    change = Change("load", len(found.jobs) + len(found.left_out), dry_run, others="job")
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

"""``hueyctl lock release``: free locks."""

from __future__ import annotations

import time

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session


@command(
    "release",
    examples=[
        "hueyctl lock release nightly",
        "hueyctl lock release nightly app.sync --force",
    ],
    arguments=[("NAME", "A lock; several may be named.")],
    codes=[
        exits.FAILURE,
        exits.NOT_FOUND,
        exits.REFUSED,
        exits.UNAVAILABLE,
        exits.IO_ERROR,
        exits.CONFIG,
    ],
)
@click.argument("locks", nargs=-1, required=True, metavar="NAME...")
@click.option("--force", is_flag=True, help="Also when its holder lives, and is not told.")
def lock_release(session: Session, locks: tuple[str, ...], force: bool) -> int:
    """Free locks that nobody should hold any more.

    The lock of a process that died is free by itself. One whose holder lives is only freed with
    --force: what it does under the lock goes on, and another may do the same beside it. The event
    log says who freed it (unlock).
    """
    from hueyctl import errors
    from hueyctl.changes.queues import looking_before_writing, queues_to_change
    from hueyctl.changes.report import NOT_FOUND, Change
    from hueyctl.commands.lock.shared import find, held_by

    looking = looking_before_writing(session)
    queues = queues_to_change(
        session,
        looking,
        found=lambda known: {lock.queue for lock in looking.locks() if lock.name in locks},
    )
    storage = session.writing(None if len(queues) > 1 else (queues or (looking.queue,))[0])
    change = Change("release", matched=len(locks), look="hueyctl lock list", others="lock")
    for name in dict.fromkeys(locks):
        lock = find(storage, name)
        if lock is None:
            change.fail(name, NOT_FOUND, f"no lock {name!r} is held")
        elif lock.alive and not force:
            raise errors.CliError(
                f"lock {name} is held by {held_by(storage, name, time.time())}",
                exits.REFUSED,
                "--force frees it all the same",
            )
        else:
            storage.unlock(name)
            change.add_order("released", name)
    return change.report(session)

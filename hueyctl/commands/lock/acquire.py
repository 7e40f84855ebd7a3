"""``hueyctl lock acquire``: run a command under a lock."""

from __future__ import annotations

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.params import DURATION, POSITIVE


@command(
    "acquire",
    examples=[
        "hueyctl lock acquire nightly -- ./backup.sh",
        "hueyctl lock acquire nightly --wait -t 10m -- ./backup.sh --full",
        "hueyctl lock acquire app.sync --ttl 1h -- sh -c 'migrate && reload'",
    ],
    arguments=[
        ("NAME", "The lock, or the key of jobs that are to be held back meanwhile."),
        ("COMMAND", "What to run, after --."),
    ],
    codes=[
        exits.NOT_FOUND,
        exits.REFUSED,
        exits.UNAVAILABLE,
        exits.IO_ERROR,
        exits.CONFIG,
        exits.TIMEOUT,
    ],
)
@click.argument("lock", metavar="NAME")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.option("--ttl", type=POSITIVE, metavar="DUR", help="Free after this, whatever happens.")
@click.option("-W", "--wait", "wait_", is_flag=True, help="Wait until the lock is free.")
@click.option("-t", "--timeout", type=DURATION, metavar="DUR", help="With --wait: at most this.")
def lock_acquire(
    session: Session,
    lock: str,
    words: tuple[str, ...],
    ttl: float | None,
    wait_: bool,
    timeout: float | None,
) -> int:
    """Run a command under a lock, and exit as it does.

    Meanwhile huey.lock_task(NAME) is refused everywhere, and jobs of the key NAME wait. The lock is
    free when the command ends or this process dies, at once; --ttl is a lease by the wall clock
    besides, that ends although the command may still be at work. Exit 6 when the lock is held, 124
    when --timeout ran out, 127 when there is no such command, else the command's own.
    """
    from hueyctl.changes.queues import looking_before_writing
    from hueyctl.commands.lock.holder import holding, run

    if timeout is not None and not wait_:
        raise errors.usage("--timeout needs --wait")
    session.check_queues(looking_before_writing(session))
    storage = session.writing()
    with holding(storage, lock, ttl, wait_, timeout) as token:
        code = run(words)
        if ttl is not None and not storage.unlock(lock, token):
            session.notice(f"the lease of lock {lock} was over before the command")
    return code

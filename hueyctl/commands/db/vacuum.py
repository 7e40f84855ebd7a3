"""``hueyctl db vacuum``: the space of what was deleted, back to the disk."""

from __future__ import annotations

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session


@command(
    "vacuum",
    examples=["hueyctl db vacuum", "hueyctl db vacuum -u sqlite:///queue.db --json"],
    codes=[exits.REFUSED, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG],
)
def db_vacuum(session: Session) -> int:
    """Write the queue file anew, as small as it can be.

    What is deleted makes room for jobs to come, and a file never gets smaller by itself. A second
    copy is made on the way, so the disk must have room for it. Whoever enqueues waits until it is
    done, about a second for 100 MB; while a consumer lives it is refused, exit 6. db info says how
    much there is to gain.
    """
    from hueyctl.changes.queues import looking_before_writing
    from hueyctl.commands.db import shared

    looking = looking_before_writing(session)
    shared.refuse_servers(looking, "vacuum")
    shared.refuse_consumers(looking)
    before = sum(looking.size())
    session.writing("huey").vacuum()
    after = sum(looking.size())
    if session.output.is_json:
        document = {"schema": "hueyctl.vacuum/1", "before_bytes": before, "after_bytes": after}
        session.output.document(document)
    else:
        session.notice(f"{before:,} bytes before, {after:,} now")
    return exits.OK

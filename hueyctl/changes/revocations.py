"""Standing orders: tasks, and ids that no job has yet, that are revoked from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueyctl import errors, exits
from hueyctl.changes.bulk import How, looking_before_writing, queues_to_change
from hueyctl.changes.report import Change
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hueycore.model.flags import Revocation
    from hueycore.storage.base import Storage
    from hueyctl.context import Session
    from hueyctl.output.columns import Column

TASK, ID = "revoked-task", "revoked-id"


def standing(storage: Storage, queues: Sequence[str]) -> list[Revocation]:
    """The revocations in force, of these queues or of all. Paused tasks are no revocations."""
    return [
        order
        for order in storage.revocations()
        if order.kind in (TASK, ID) and (not queues or order.queue in queues)
    ]


def revoke_task(session: Session, how: How, task: str, until: float | None, once: bool) -> int:
    """Leave the order, whether or not the queue knows the task yet."""
    check_name(task)
    storage = looking_before_writing(session)
    change = Change("revoke", matched=1, dry_run=how.dry_run)
    for queue in queues_to_change(session, storage, by_id=False) or (storage.queue,):
        waiting = _warn_if_unseen(session, storage, queue, task)
        if not how.dry_run:
            session.writing(queue).set_revocation(
                TASK, task, until=until, once=once, reason=how.reason
            )
        if waiting:
            session.remark(f"{waiting} waiting jobs of it will end revoked when their turn comes.")
    change.add_order("revoke" if how.dry_run else "revoked", task)
    return change.report(session, exit_code=how.exit_code)


def restore_task(session: Session, how: How, task: str) -> int:
    """Take the order back. Exit 3 when there is none."""
    storage = looking_before_writing(session)
    queues = queues_to_change(session, storage, by_id=False)
    found = [
        order for order in standing(storage, queues) if (order.kind, order.name) == (TASK, task)
    ]
    if not found:
        raise errors.CliError(
            f"task {task} is not revoked", exits.NOT_FOUND, "hueyctl revoke --list"
        )
    change = Change("restore", matched=1, dry_run=how.dry_run)
    for order in found:
        if not how.dry_run:
            session.writing(order.queue).clear_revocation(TASK, task)
    change.add_order("restore" if how.dry_run else "restored", task)
    return change.report(session, exit_code=how.exit_code)


def check_name(task: str) -> None:
    """An order is about one task: a pattern would stand there and never apply."""
    if not task or any(letter in task for letter in "*?[]"):
        raise errors.usage(f"{task!r} is not the name of one task", "like --task myapp.mail.send")


def _warn_if_unseen(session: Session, storage: Storage, queue: str, task: str) -> int:
    """How many jobs of the task wait; a name that no job has may be a typing error."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import WAITING

    named = Selector(queues=(queue,), where=(("task", "=", task),))
    waiting = storage.count(named._replace(states=WAITING))
    if not waiting and not storage.count(named):
        session.notice(f"no job of queue {queue} is of task {task} so far; the order stands anyway")
    return waiting


def show(session: Session, how: How) -> int:
    """Print the standing orders."""
    storage = session.looking()
    found = standing(storage, session.check_queues(storage))
    output = session.output
    if output.is_json:
        output.objects(map(as_object, found))
    else:
        output.rows(
            found, _columns(), ("target", "kind", "until", "once", "since", "reason"), ("queue",),
            name=lambda order: order.name,
        )  # fmt: skip
    if not found:
        session.remark("Nothing is revoked.")
    return exits.NO_MATCH if how.exit_code and not found else exits.OK


def as_object(order: Revocation) -> dict[str, Any]:
    return {
        "target": order.name,
        "kind": _kind(order),
        "queue": order.queue,
        "until": None if order.until is None else rfc3339(order.until),
        "once": order.once,
        "since": rfc3339(order.since),
        "reason": order.reason,
    }


def _kind(order: Revocation) -> str:
    return order.kind.removeprefix("revoked-")


def _columns() -> dict[str, Column]:
    from hueyctl.output.columns import Column

    return {
        "target": Column("target", "TARGET", "text", lambda order: order.name),
        "kind": Column("kind", "KIND", "text", _kind),
        "queue": Column("queue", "QUEUE", "text", lambda order: order.queue),
        "until": Column("until", "UNTIL", "time", lambda order: order.until),
        "once": Column("once", "ONCE", "bool", lambda order: order.once),
        "since": Column("since", "SINCE", "time", lambda order: order.since),
        "reason": Column("reason", "REASON", "text", lambda order: order.reason),
    }

"""Standing orders, as ``revoke`` leaves and lists them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hueycore.model.jobs import Selector
from hueycore.model.states import WAITING
from hueyctl import exits
from hueyctl.changes.queues import looking_before_writing, queues_of_task, queues_to_change
from hueyctl.changes.report import Change
from hueyctl.changes.revocations import TASK, check_name, standing
from hueyctl.output.columns import Column
from hueyctl.units import rfc3339

if TYPE_CHECKING:
    from hueycore.model.flags import Revocation
    from hueycore.storage.base import Storage
    from hueyctl.changes.bulk import How
    from hueyctl.context import Session


def revoke_task(session: Session, how: How, task: str, until: float | None, once: bool) -> int:
    """Leave the order, whether or not the queue knows the task yet."""
    check_name(task)
    storage = looking_before_writing(session)
    change = Change("revoke", matched=1, dry_run=how.dry_run)
    found = partial(queues_of_task, storage, task)
    for queue in queues_to_change(session, storage, found=found) or (storage.queue,):
        waiting = _warn_if_unseen(session, storage, queue, task)
        if not how.dry_run:
            session.writing(queue).set_revocation(
                TASK, task, until=until, once=once, reason=how.reason
            )
        if waiting:
            session.remark(f"{waiting} waiting jobs of it will end revoked when their turn comes.")
    change.add_order("revoke" if how.dry_run else "revoked", task)
    return change.report(session, exit_code=how.exit_code)


def _warn_if_unseen(session: Session, storage: Storage, queue: str, task: str) -> int:
    """How many jobs of the task wait; a name that no job has may be a typing error."""
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
        output.objects(map(_as_object, found))
    else:
        output.rows(
            found,
            _columns(),
            ("target", "kind", "until", "once", "since", "reason"),
            ("queue",),
            name=lambda order: order.name,
        )
    if not found:
        session.remark("Nothing is revoked.")
    return exits.NO_MATCH if how.exit_code and not found else exits.OK


def _as_object(order: Revocation) -> dict[str, Any]:
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
    return {
        "target": Column("target", "TARGET", "text", lambda order: order.name),
        "kind": Column("kind", "KIND", "text", _kind),
        "queue": Column("queue", "QUEUE", "text", lambda order: order.queue),
        "until": Column("until", "UNTIL", "time", lambda order: order.until),
        "once": Column("once", "ONCE", "bool", lambda order: order.once),
        "since": Column("since", "SINCE", "time", lambda order: order.since),
        "reason": Column("reason", "REASON", "text", lambda order: order.reason),
    }

"""``/limits``: what holds jobs back: locks, limits, rates, and orders of operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hueyctl.answers.holds import Hold, holds
from hueyctl.answers.queues import chosen_queues, command_on, is_paused
from hueyctl.answers.reason import shell_line
from hueyctl.dashboard.page import Page, Table, View, steady
from hueyctl.output.holds import EVERY, allowed, columns

if TYPE_CHECKING:
    from hueycore.model.flags import Revocation
    from hueycore.model.limits import Limit

#: Slots that are drawn one by one, and holders that are named.
_SLOTS, _NAMED = 24, 3


class Order(NamedTuple):
    """Something that an operator has stopped, and the command that lets it go on."""

    kind: str
    queue: str
    name: str
    since: float
    until: float | None
    by: str | None
    reason: str | None
    undo: str


def page(view: View) -> Page:
    now = steady()
    found, whole = view.board.kept.get("holds", lambda: holds(view.storage, view.queues))
    return Page(
        "limits.html",
        "Limits",
        ("lock", "list", "--all"),
        {
            "now": now,
            "locks": [row for row in found if row.lock is not None],
            "limits": [row for row in found if row.lock is None],
            "whole": whole,
            "orders": orders(view, now),
            "allowed": allowed,
            "slots": slots,
            "named": _NAMED,
        },
        lambda: [row.as_object(now) for row in found],
        lambda: Table(found, columns(now), EVERY),
        place="limits",
    )


def slots(row: Hold) -> list[str]:
    """One word for each slot of a limit or a rate: taken, next or free; none when they are many."""
    limit: Limit | None = row.limit
    if limit is None:
        return []
    if limit.at_once is not None and limit.at_once <= _SLOTS:
        taken = min(len(row.running), limit.at_once)
        soon = min(row.ready, limit.at_once - taken)
        return ["taken"] * taken + ["soon"] * soon + ["free"] * (limit.at_once - taken - soon)
    if limit.rate is not None and limit.at_once is None and limit.rate.burst <= _SLOTS:
        spent = min(row.spent, limit.rate.burst)
        return ["taken"] * spent + ["free"] * (limit.rate.burst - spent)
    return []


def orders(view: View, now: float) -> list[Order]:
    """What is paused or revoked, queues first."""
    storage = view.storage
    found = [
        Order(
            "queue paused",
            row.queue,
            row.queue,
            row.paused_at,
            row.paused_until,
            row.paused_by,
            row.pause_reason,
            shell_line("resume", row.queue),
        )
        for row in chosen_queues(storage, view.queues)
        if row.paused_at is not None and is_paused(row, now)
    ]
    for order in storage.revocations():
        mine = not view.queues or order.queue in view.queues
        if mine and (order.until is None or order.until > now):
            found.append(_order(view, order))
    return found


def _order(view: View, order: Revocation) -> Order:
    kind, undo = {
        "paused-task": ("task paused", ("resume", "--task", order.name)),
        "paused-scheduler": ("periodic paused", ("resume", "--scheduler")),
        "revoked-task": ("task revoked", ("restore", "--task", order.name)),
        "revoked-id": ("id revoked", ("restore", order.name)),
    }[order.kind]
    return Order(
        kind,
        order.queue,
        order.name,
        order.since,
        order.until,
        order.by,
        order.reason,
        command_on(view.storage, order.queue, *undo),
    )

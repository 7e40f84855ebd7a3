"""``hueyctl depth``: the number a script wants."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session, unknown_queue
from hueyctl.selection.params import Whole

if TYPE_CHECKING:
    from hueycore.model.reports import Depth
    from hueycore.storage.base import Storage


@command(
    "depth",
    examples=[
        "hueyctl depth",
        "hueyctl depth --max 500 --state dead",
        "hueyctl depth --by queue",
    ],
    codes=[exits.NOT_FOUND, exits.NO_MATCH, exits.UNAVAILABLE, exits.CONFIG],
)
@click.option(
    "--state",
    multiple=True,
    metavar="STATE",
    help="Count this state instead of pending; repeatable, or with commas; all for all.",
)
@click.option(
    "--by", type=click.Choice(("queue", "state", "task")), help="A table with a number for each."
)
@click.option("--max", "most", type=Whole(0), metavar="N", help="Exit 4 when above.")
@click.option("--oldest", is_flag=True, help="Seconds that the oldest pending job has waited.")
def depth(
    session: Session, state: tuple[str, ...], by: str | None, most: int | None, oldest: bool
) -> int:
    """Print how many jobs wait: one number, over all chosen queues.

    With -o json a document with the counts of every state and queue.
    """
    if oldest and (by or state):
        raise errors.usage("--oldest is about pending jobs of all chosen queues", "leave out --by")
    chosen = _chosen(state)
    storage = session.looking()
    every = by == "state" or session.settings.output in ("json", "jsonl")
    found = _of_queues(session, storage, _chosen(("all",)) if every else chosen)
    if by == "task":
        return _print_by_task(session, storage, chosen, most)
    total = sum(row.count for row in found if row.state in chosen)
    waited = _oldest(found)
    if session.settings.output in ("json", "jsonl"):
        session.output.document(_document(session, storage, found, total))
    elif by:
        _print_by(session, found, by, chosen)
    else:
        click.echo(int(waited or 0) if oldest else total)
    value = (waited or 0) if oldest else total
    return exits.NO_MATCH if most is not None and value > most else exits.OK


def _chosen(words: tuple[str, ...]) -> tuple[str, ...]:
    from hueycore.model.states import State

    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    for name in names:
        if name not in (*State, "all"):
            raise errors.usage(f"unknown state {name!r}", f"states are {', '.join(State)}, or all")
    return tuple(State) if "all" in names else tuple(names) or ("pending",)


def _of_queues(session: Session, storage: Storage, chosen: tuple[str, ...]) -> list[Depth]:
    """The counts of the chosen queues and states. Exit 3 for a queue that is not there."""
    from hueycore.model.states import states

    found = storage.depths(states(chosen))
    wanted = session.queues()
    if not wanted:
        return found
    known = {row.queue for row in found}
    if not known.issuperset(wanted):
        known |= {row.queue for row in storage.queues()}
        for name in wanted:
            if name not in known:
                raise unknown_queue(name, sorted(known))
    return [row for row in found if row.queue in wanted]


def _oldest(found: list[Depth]) -> float | None:
    moments = [row.oldest for row in found if row.oldest is not None]
    return max(0.0, time.time() - min(moments)) if moments else None


def _document(session: Session, storage: Storage, found: list[Depth], total: int) -> dict[str, Any]:
    from hueycore.model.states import State

    names = session.queues() or sorted({row.queue for row in storage.queues()})
    queues: dict[str, dict[str, Any]] = {}
    for name in names:
        own = [row for row in found if row.queue == name]
        counts: dict[str, Any] = dict.fromkeys(map(str, State), 0)
        counts.update({str(row.state): row.count for row in own})
        waited = _oldest(own)
        counts["oldest_pending_s"] = None if waited is None else round(waited, 3)
        queues[name] = counts
    return {"schema": "hueyctl.depth/1", "total": total, "queues": queues}


def _print_by(session: Session, found: list[Depth], by: str, chosen: tuple[str, ...]) -> None:
    sums: dict[str, int] = {}
    for row in found:
        if row.state in chosen or by == "state":
            key = row.queue if by == "queue" else str(row.state)
            sums[key] = sums.get(key, 0) + row.count
    _print_table(session, by, sums)


def _print_by_task(
    session: Session, storage: Storage, chosen: tuple[str, ...], most: int | None
) -> int:
    from hueycore.model.jobs import Selector
    from hueycore.model.states import states

    sums = storage.count_by_task(Selector(queues=session.queues(), states=states(chosen)))
    if session.output.is_json:
        total = sum(sums.values())
        session.output.document({"schema": "hueyctl.depth/1", "total": total, "tasks": sums})
    else:
        _print_table(session, "task", sums)
    return exits.NO_MATCH if most is not None and sum(sums.values()) > most else exits.OK


def _print_table(session: Session, by: str, sums: dict[str, int]) -> None:
    from hueycore.model.states import State
    from hueyctl.output.columns import Column

    known = {
        by: Column(by, by.upper(), "text", lambda row: row[0]),
        "jobs": Column("jobs", "JOBS", "count", lambda row: row[1]),
    }
    order = {str(state): place for place, state in enumerate(State)}
    rows = sorted(sums.items(), key=lambda row: (order.get(row[0], 0), row[0]))
    if by == "task":
        rows.sort(key=lambda row: -row[1])
    session.output.rows(rows, known, (by, "jobs"), name=lambda row: str(row[0]))

"""``hueyctl events``: the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.params import Integer, Whole

if TYPE_CHECKING:
    from hueycore.model.events import EventQuery
    from hueycore.storage.base import Storage

_USUAL = 20


def _complete_signal(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from hueycore.model.states import MOVES, VERBS, WORKERS

    return [name for name in (*MOVES, *VERBS, *WORKERS) if name.startswith(incomplete)]


@command(
    "events",
    examples=[
        "hueyctl events --enable",
        "hueyctl events -f --signal error --signal retrying",
        "hueyctl events --since -1h -o jsonl | jq -r .task | sort | uniq -c",
        "hueyctl events --after 991 -o jsonl",
        "hueyctl events --id 4312",
        "hueyctl events --operators --since today",
    ],
    codes=[
        exits.NOT_FOUND,
        exits.NO_MATCH,
        exits.REFUSED,
        exits.UNAVAILABLE,
        exits.IO_ERROR,
        exits.CONFIG,
        exits.INTERRUPTED,
    ],
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new events as they come.")
@click.option(
    "-n",
    "--limit",
    type=Whole(0),
    metavar="N",
    help="The newest N (20, all with --since or --after); 0 for all.",
)
@click.option("--since", metavar="WHEN", help="Not before: -1h, 09:00, 2030-01-31T12:00.")
@click.option("--until", metavar="WHEN", help="Not after.")
@click.option("--after", type=Integer(min=0), metavar="EVENT", help="Later than this one.")
@click.option(
    "--signal",
    "signals",
    multiple=True,
    metavar="NAME",
    shell_complete=_complete_signal,
    help="Only these, such as complete, error, claimed, revoke, worker-died; repeatable.",
)
@click.option("--operators", is_flag=True, help="Only changes that operators made, and who.")
@click.option("--task", metavar="GLOB", help="Only tasks whose name matches, like 'mail.*'.")
@click.option("--id", "id_", metavar="ID", help="Only of this job.")
@click.option("--utc", is_flag=True, help="Times without an offset are UTC, not local.")
@click.option("--exit-code", is_flag=True, help="Exit 4 when nothing matches.")
@click.option("--enable", "switch", flag_value="on", help="Record events of jobs from now on.")
@click.option("--disable", "switch", flag_value="off", help="Record them no more.")
def events(
    session: Session,
    follow: bool,
    limit: int | None,
    switch: str | None,
    exit_code: bool,
    operators: bool,
    **which: Any,
) -> int:
    """Print what happened: each move of a job, workers that start, stop and die, and every change
    that an operator made.

    Moves of jobs and workers are recorded while that is switched on, with --enable or
    Huey(events=True), in the transaction that makes them true; running consumers need no restart.
    Events are kept for seven days, 100,000 per queue. Operators' changes are recorded always.
    """
    if switch is not None:
        return _switch(session, switch == "on")
    if follow and session.output.format == "json":
        raise errors.usage("an array never ends with --follow", "use -o jsonl")
    if follow and which["until"] is not None:
        raise errors.usage("--follow and --until exclude each other")
    storage = session.looking()
    query = _query(storage, session, limit, **which)._replace(settled=follow)
    if operators:
        query = query._replace(signals=_verbs(query.signals))
    else:
        _check_recorded(session, storage, query.queues)
    from hueyctl.commands.events.view import follow_on, newest, note, show

    # Asked for first: what comes while we read is read again, or is among what was found.
    last = newest(storage, query) if follow else {}
    found = storage.events(query)
    show(session, found, stream=follow, operators=operators)
    if follow:
        note(last, found)
        follow_on(session, storage, query, last)
    if not found:
        session.remark("No events match.")
    return exits.NO_MATCH if exit_code and not found else exits.OK


def _query(
    storage: Storage,
    session: Session,
    limit: int | None,
    *,
    since: str | None,
    until: str | None,
    after: int | None,
    signals: tuple[str, ...],
    task: str | None,
    id_: str | None,
    utc: bool,
) -> EventQuery:
    from hueycore.model.events import EventQuery
    from hueycore.model.states import MOVES, VERBS, WORKERS
    from hueyctl.selection.params import moment

    for name in signals:
        if name not in (known := (*MOVES, *VERBS, *WORKERS)):
            raise errors.usage(f"unknown event {name!r}", f"there are {', '.join(known)}")
    usual = None if since is not None or after is not None else _USUAL
    return EventQuery(
        queues=session.check_queues(storage),
        signals=signals,
        task=task,
        key=id_,
        since=None if since is None else moment("--since", since, utc=utc),
        until=None if until is None else moment("--until", until, utc=utc),
        after=after or 0,
        limit=usual if limit is None else (limit or None),
        newest=True,
    )


def _verbs(chosen: tuple[str, ...]) -> tuple[str, ...]:
    """What operators do: all of it, or those of it that were chosen."""
    from hueycore.model.states import VERBS

    if moves := [name for name in chosen if name not in VERBS]:
        raise errors.usage(
            f"--operators: {moves[0]!r} is a move of a job", f"of operators are {', '.join(VERBS)}"
        )
    return chosen or VERBS


def _check_recorded(session: Session, storage: Storage, queues: tuple[str, ...]) -> None:
    if any(row.events for row in storage.queues() if not queues or row.queue in queues):
        return
    from hueycore.model.events import EventQuery

    if not storage.events(EventQuery(queues=queues, limit=1)):
        raise errors.CliError(
            "no events are recorded",
            exits.REFUSED,
            "hueyctl events --enable, or Huey(events=True)",
        )
    session.notice("only operators' changes are recorded now: hueyctl events --enable")


def _switch(session: Session, on: bool) -> int:
    from hueyctl.changes.queues import looking_before_writing, queues_to_change
    from hueyctl.changes.report import Change

    word = "enable" if on else "disable"
    storage = looking_before_writing(session)
    queues = queues_to_change(session, storage) or (storage.queue,)
    change = Change(word, matched=len(queues))
    for queue in queues:
        if session.writing(queue).record_events(on):
            change.add_order(f"{word}d events of", queue)
    return change.report(session)

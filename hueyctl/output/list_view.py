"""What ``list``, ``pending`` and ``scheduled`` do; they differ in a preset only."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hueyctl import errors, exits, streams, units
from hueyctl.selection.choice import Choice
from hueyctl.selection.params import POSITIVE, collected
from hueyctl.selection.selection import Selection

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.model.reports import WorkerRow
    from hueycore.storage.base import Storage
    from hueyctl.context import Session
    from hueyctl.output.columns import Column

ON_A_SCREEN = 100
#: On a terminal of fewer columns the state says when a job is due, and RUN-AT is left out.
NARROW = 100
#: Of what --follow writes.
WIDTHS = (("seq", 7), ("state", 9), ("task", 28), ("args", 0))


#: An order: what runs first for a screen, by number for whoever reads all of them.
TURN = "turn"


class Preset(NamedTuple):
    """What a listing shows unless it is told otherwise. ``sort`` is one of the storage, or TURN."""

    states: tuple[str, ...]
    sort: str
    columns: tuple[str, ...]
    wide: tuple[str, ...]


class How(NamedTuple):
    """The options besides the selector."""

    follow: bool
    interval: float | None
    number: bool
    exit_code: bool


#: The options of ``How``; the command gets them as one ``how`` argument.
listing_options = collected(
    "how",
    How,
    {
        "follow": click.option(
            "-f", "--follow", is_flag=True, help="Go on with new jobs as they come."
        ),
        "interval": click.option(
            "-i",
            "--interval",
            type=POSITIVE,
            metavar="S",
            help="With --follow: look at least this often (0.25).",
        ),
        "number": click.option("--count", "number", is_flag=True, help="Print just the number."),
        "exit_code": click.option("--exit-code", is_flag=True, help="Exit 4 when nothing matches."),
    },
)


def run(session: Session, choice: Choice, how: How, preset: Preset) -> int:
    """List jobs as the options say, and answer the exit code."""
    output = session.output
    if how.follow and how.number:
        raise errors.usage("--follow and --count exclude each other")
    if how.follow and output.format == "json":
        raise errors.usage("an array never ends with --follow", "use -o jsonl")
    storage = session.looking()
    selection = choice.selection(
        session.check_queues(storage),
        states=preset.states,
        sort=_sort(session, choice, how, preset),
        limit=ON_A_SCREEN if output.on_tty and output.format != "name" else None,
    )
    # What comes while the listing is read is the first of what follows.
    newest = _newest(storage) if how.follow else None
    listed = selection if newest is None else _until(newest, selection)
    if how.number:
        number = listed.count(storage, session)
        output.document(number) if output.is_json else output.line(str(number))
    else:
        number = _show(session, storage, choice, listed, preset, newest)
    listed.say_left_out()
    if newest is not None:
        _follow(session, storage, choice, selection, newest, how.interval)
    return exits.NO_MATCH if how.exit_code and number == 0 else exits.OK


def _sort(session: Session, choice: Choice, how: How, preset: Preset) -> str:
    """Jobs that have ended have no turn: a person wants the newest of them."""
    if preset.sort != TURN:
        return preset.sort
    newest = session.output.on_screen and not how.follow and not choice.ids
    return "-seq" if newest else "seq"


def _show(
    session: Session,
    storage: Storage,
    choice: Choice,
    selection: Selection,
    preset: Preset,
    newest: Mapping[str, int] | None,
) -> int:
    """Print the listing, of each queue up to its ``newest`` one if that is told; the number of jobs
    in it."""
    from hueyctl.output.columns import part_columns

    output = session.output
    counter = itertools.count(1)
    shown = 0
    in_turn = output.on_screen and preset.sort == TURN and not choice.sort
    in_turn = in_turn and selection.is_of_live_jobs

    def counted() -> Iterator[Job]:
        nonlocal shown
        found = selection.in_turn if in_turn else selection.jobs
        for job in found(storage, session):
            if newest is not None and job.seq > newest.get(job.queue, 0):
                continue  # it is followed
            shown += 1
            yield job

    if output.is_json:
        output.objects(objects(storage, counted(), output.style.now))
    else:
        known = columns(output.style.now, counter) | part_columns(storage, output.columns)
        normal = preset.columns
        if output.on_screen and output.style.time_format == "relative":
            narrow = streams.terminal_size()[0] < NARROW and preset.sort == TURN
            state = whereabouts(storage, output.style.now, due=narrow)
            known["state"] = known["state"]._replace(value=state)
            normal = tuple(key for key in normal if not narrow or key != "run_at")
        output.rows(counted(), known, normal, preset.wide, name=lambda job: str(job.id))
    if shown == 0:
        session.remark(_nothing(session, storage, choice, selection))
    elif output.on_tty and shown == selection.limit and selection.deep:
        session.remark("… maybe more (-n 0 for all)")  # to know it is to look at all of them
    elif output.on_tty and shown == selection.limit:
        more = selection.count(storage) - shown
        if more > 0:
            session.remark(f"… {units.grouped(more)} more (-n 0 for all)")
    return shown


def _nothing(session: Session, storage: Storage, choice: Choice, selection: Selection) -> str:
    """That there is nothing, and what there is in other states when none was asked for."""
    from hueycore.model.states import FINAL

    states = selection.selector.states
    if len(states) == 1:
        return f"No {states[0]} jobs."
    if choice.state or selection.deep or not states or not streams.is_tty(sys.stderr):
        return "No jobs match."
    others = [
        f"{units.grouped(number)} {state}"
        for state in FINAL
        if (number := selection.of_state(state).count(storage))
    ]
    return f"No jobs match ({', '.join(others)}: -a)." if others else "No jobs match."


def columns(now: float, counter: Iterator[int]) -> dict[str, Column]:
    from hueyctl.output.columns import Column, job_columns

    place = Column("position", "#", "int", lambda _job: next(counter))
    return {**job_columns(now), "position": place}


def whereabouts(storage: Storage, now: float, *, due: bool = False) -> Callable[[Job], str]:
    """The state of a job, and of one that runs how long and where: ``running 6m on vm:23926``.
    ``held`` is one that its consumer has not begun, ``lost`` one whose consumer has died. ``due``:
    of one that is scheduled, when."""
    workers: dict[tuple[str, int], WorkerRow] = {}

    def state(job: Job) -> str:
        if due and job.state == "scheduled":
            return f"scheduled {units.relative(job.run_at, now)}"
        if job.state != "running" or job.claimed_at is None:
            return str(job.state)
        if not workers:
            workers.update((row.address, row) for row in storage.workers())
        row = workers.get(job.worker_address)
        if row is None:
            return str(job.state)
        word, where = "running", f"on {row.name}"
        if not row.alive:
            word = "lost"
        elif job.seq not in (seq for _, seq in row.running):
            word, where = "held", f"by {row.name}"
        return f"{word} {units.brief(now - job.claimed_at)} {where}"

    return state


def objects(storage: Storage, found: Iterable[Job], now: float) -> Iterator[dict[str, Any]]:
    from hueyctl.answers.jobs import read_object

    return (read_object(storage, job, now) for job in found)


def _newest(storage: Storage) -> dict[str, int]:
    """The highest number of each queue: some engines number the jobs of each by themselves, so that
    the highest of all (``_until``) is only the first thing to go by."""
    from hueycore.model.jobs import Selector

    names = [row.queue for row in storage.queues()]
    found = (storage.jobs(Selector(queues=(name,), sort="-seq", limit=1)) for name in names)
    return {job.queue: job.seq for jobs in found for job in jobs}


def _until(newest: Mapping[str, int], selection: Selection) -> Selection:
    where = (*selection.selector.where, ("seq", "<=", max(newest.values(), default=0)))
    return replace(selection, selector=selection.selector._replace(where=where))


def _follow(
    session: Session,
    storage: Storage,
    choice: Choice,
    selection: Selection,
    last: dict[str, int],
    interval: float | None,
) -> None:
    """Print jobs that are newer than the ``last`` of their queue, until interrupted. A new job may
    be done already when it is seen, so that only a state that was asked for narrows."""
    from hueyctl.answers.jobs import read_object
    from hueyctl.answers.watch import MOST, looks
    from hueyctl.output.columns import part_columns
    from hueyctl.output.lines import Lines

    states = selection.selector.states if choice.state else ()
    base = selection.selector._replace(sort="seq", limit=None, states=states)
    lines = Lines(session.output, WIDTHS)
    inside = part_columns(storage, session.output.columns)
    for news in looks(storage, most=interval or MOST):
        if not news:
            continue
        now = time.time()
        style = session.output.style._replace(now=now)
        for job in _after(last, Selection(base, selection.deep), storage):
            known = columns(now, itertools.count(job.seq)) | inside
            as_object = partial(read_object, storage, job, now)
            lines.write(job, known, style, as_object, job.id)
            last[job.queue] = max(job.seq, last.get(job.queue, 0))


def _after(last: Mapping[str, int], selection: Selection, storage: Storage) -> list[Job]:
    """The jobs of a selection that are newer, in the order in which they came."""
    base = selection.selector
    found: list[Job] = []
    for queue in base.queues or [row.queue for row in storage.queues()]:
        own = base._replace(queues=(queue,), after=last.get(queue, 0))
        found += replace(selection, selector=own).jobs(storage)
    return sorted(found, key=lambda job: job.enqueued_at)

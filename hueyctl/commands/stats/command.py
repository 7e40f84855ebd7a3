"""``hueyctl stats``: depths, rates and waits; with --watch a live view of them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits, streams
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.params import POSITIVE, Whole

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.answers.figures import Figures
    from hueyctl.commands.stats.view import View

LEAST = 0.2


@command(
    "stats",
    examples=[
        "hueyctl stats",
        "hueyctl stats --watch",
        "hueyctl top -i 5 --window 1h",
        "hueyctl stats --by task --sort -p95 --top 10",
        "hueyctl stats --watch -i 10 -o jsonl | tee -a depth.jsonl",
    ],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG, exits.INTERRUPTED],
)
@click.option("-w", "--watch", is_flag=True, help="Look again and again (also: hueyctl top).")
@click.option(
    "-i",
    "--interval",
    type=POSITIVE,
    default=2.0,
    show_default=True,
    metavar="S",
    help=f"With --watch: seconds between two looks, {LEAST} at least.",
)
@click.option("--count", type=Whole(1), metavar="N", help="With --watch: end after N looks.")
@click.option(
    "--window",
    type=POSITIVE,
    default="5m",
    show_default=True,
    metavar="DUR",
    help="What rates and percentiles are about.",
)
@click.option(
    "--by", type=click.Choice(("queue", "task", "worker")), help="A table of these alone."
)
@click.option("--sort", metavar="[-]COL", help="Sort by a column; - for the largest first.")
@click.option("--top", type=Whole(1), metavar="N", help="Only the first N rows.")
@click.option(
    "--alt-screen/--no-alt-screen",
    default=True,
    show_default=True,
    help="With --watch: leave what the terminal shows as it is.",
)
def stats(
    session: Session,
    watch: bool,
    interval: float,
    count: int | None,
    window: float,
    by: str | None,
    sort: str | None,
    top: int | None,
    alt_screen: bool,
) -> int:
    """Show how much waits, how fast it goes, and how long it takes.

    A terminal gets an overview, a pipe the table by queue. Rates count whole minutes: those of the
    window. FAIL% is the share of runs that ended with an error, whether or not another try follows;
    P50, P95 and P99 are of the time that runs took (-o wide: also of the time that jobs waited).
    TREND is what ended in each of the last 60 minutes, EMPTY-IN when nothing will be pending.

    Watching shows besides what runs, against what its task usually takes, and what is wrong. Keys:
    q quit, arrows choose a queue and the order, S the other way round, p pause the queue, r retry
    its dead letters (each is asked once), t tasks or workers, 1-9 window, space freeze, ? help.
    Without a terminal --watch prints a line per look, or with -o jsonl a document.
    """
    if interval < LEAST:
        raise errors.usage(f"--interval {interval:g} is too short", f"{LEAST} is the least")
    if count is not None and not watch:
        raise errors.usage("--count is about --watch")
    from hueyctl.commands.stats.view import View
    from hueyctl.output.figures import TABLES, column_to_sort

    if sort:
        column_to_sort(TABLES[by or ("task" if watch else "queue")], sort)
    view = View(by or "task", sort, top, interval, window, count)
    storage = session.looking()
    queues = session.check_queues(storage)
    if watch:
        return _watch(session, storage, queues, view, by, alt_screen)
    from hueyctl.answers.figures import gather
    from hueyctl.answers.look import Look

    figures = gather(Look(storage, queues), window)
    output = session.output
    if output.is_json:
        from hueyctl.answers.stats import document

        output.document(document(figures))
    elif output.on_tty and output.implicit and not (by or output.columns):
        from hueyctl.commands.stats.live import print_overview

        print_overview(figures, view._replace(top=top or 10), colour=output.colour)
    else:
        print_table(session, figures, by or "queue", sort, top)
    return exits.OK


def _watch(
    session: Session,
    storage: Storage,
    queues: tuple[str, ...],
    view: View,
    by: str | None,
    alt_screen: bool,
) -> int:
    output = session.output
    if output.format == "json":
        raise errors.usage("one document cannot be watched", "use -o jsonl")
    if output.on_tty and output.format in ("table", "wide") and os.environ.get("TERM") != "dumb":
        from hueyctl.commands.stats.live import watch

        return watch(
            storage, queues, view, session.writing, colour=output.colour, alt_screen=alt_screen
        )
    if by is not None and not output.is_json:
        raise errors.usage("--by is for a terminal", "use -o jsonl")
    from hueyctl.commands.stats.ticker import tick

    return tick(session, storage, queues, view)


def print_table(
    session: Session, figures: Figures, by: str, sort: str | None, top: int | None
) -> None:
    from hueyctl.output.figures import TABLES, Reader, sorted_rows

    table = TABLES[by]
    output = session.output
    human = output.style.time_format == "relative"
    reader = Reader(human, figures.at, streams.is_utf8(sys.stdout), 20 if human else 60)
    rows = sorted_rows(figures, table, sort)[:top]
    if not rows:
        what = {"queue": "No queues.", "task": "No task ended.", "worker": "No consumers."}
        session.remark(what[by])
    output.rows(rows, table.columns(reader), table.normal, table.wide, name=table.name)

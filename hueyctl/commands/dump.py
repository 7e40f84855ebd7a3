"""``hueyctl dump``: a queue as a file that ``load`` reads."""

from __future__ import annotations

from functools import partial

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.choice import Choice
from hueyctl.selection.options import ID_HELP, selecting

#: Jobs between two looks at the clock.
_OFTEN = 100


@command(
    "dump",
    examples=[
        "hueyctl dump --gzip --to queue-2026-11-19.jsonl.gz",
        "hueyctl dump --state scheduled --task 'mail.*' --to mails.jsonl",
        "hueyctl dump -u sqlite:///queue.db > queue.jsonl",
    ],
    arguments=[ID_HELP],
    codes=[exits.FAILURE, exits.NOT_FOUND, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG],
)
@selecting(all_help="Jobs of all states, and what queues have besides (default).")
@click.option(
    "--to", metavar="FILE", default="-", help="Write to this new file, - for stdout (default)."
)
@click.option("--gzip", is_flag=True, help="Compress it.")
def dump(session: Session, choice: Choice, to: str, gzip: bool) -> int:
    """Write jobs as JSON lines, with everything that they have.

    Without a selection it is all that the queues have: jobs of all states with payload, result,
    errors, stages, log lines and keys, and schedules, standing orders, pauses, values, counters,
    limits, rates, locks. It is what stood there at one moment, while others work. An existing file
    is never overwritten.

    Into another storage: hueyctl dump | hueyctl -u postgresql:///app load -
    """
    from hueycore.model.jobs import Cargo
    from hueyctl.changes.backup import Dump
    from hueyctl.changes.dumpfile import sink
    from hueyctl.output.counter import Counter
    from hueyctl.selection.cargo import cargoes, everything

    if gzip and to == "-" and session.output.on_tty:
        raise errors.usage("a terminal cannot show compressed data", "say --to FILE")
    storage = session.looking()
    selection = choice.selection(session.check_queues(storage))
    selection.most = None  # a dump has all that is meant
    whole = not (choice.narrows or choice.limit or choice.sort) or choice == Choice(all_=True)
    total = None if selection.deep else partial(storage.count, selection.selector)
    counter = Counter(session, total)
    with sink(to, compressed=gzip) as file:
        written = Dump(file, storage.url)
        written.begin()
        try:
            for one in (everything if whole else cargoes)(storage, selection):
                if isinstance(one, Cargo):
                    written.job(one)
                    if written.jobs % _OFTEN == 0:
                        counter.show(written.jobs)
                else:
                    written.record(one)
        finally:
            counter.clear()
        written.end()
    selection.say_left_out()
    more = f", {written.records} records" if whole else ""
    session.notice(f"{written.jobs} jobs{more} written" + ("" if to == "-" else f" to {to}"))
    return exits.OK

"""``hueyctl help``: commands, and topics that belong to no command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMENT = r"#: (.+)\n([A-Z_]+): Final = (\d+)"


@command(
    "help",
    examples=[
        "hueyctl help enqueue",
        "hueyctl help exit-codes",
        "hueyctl help states",
    ],
    arguments=[("WORD", "A command or a topic: exit-codes, states.")],
    codes=[exits.NOT_FOUND],
)
@click.argument("words", nargs=-1, metavar="[COMMAND|TOPIC]")
def help_(session: Session, words: tuple[str, ...]) -> None:
    """Explain a command or a topic.

    Topics: exit-codes, what each exit code means; states, the states of a job and what leads from
    one to another.
    """
    root = session.ctx.find_root()
    if not words:
        click.echo(root.get_help())
        return
    name = words[0]
    if name in TOPICS and len(words) == 1:
        session.output.for_reading()
        TOPICS[name](session)
        return
    ctx = root
    for name in words:
        group = ctx.command if isinstance(ctx.command, click.Group) else None
        found = group.get_command(ctx, name) if group else None
        if found is None:
            known = group.list_commands(ctx) if group else []
            raise _unknown(" ".join(words), known + (list(TOPICS) if ctx is root else []))
        ctx = click.Context(found, parent=ctx, info_name=found.name)
    click.echo(ctx.get_help())


def _unknown(name: str, known: list[str]) -> errors.CliError:
    from difflib import get_close_matches

    near = get_close_matches(name.rpartition(" ")[2], known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none'}"
    return errors.CliError(f"no command or topic {name!r}", exits.NOT_FOUND, hint)


def _exit_codes(session: Session) -> None:
    """Print the sentences that stand in ``exits.py``: the code and its meaning are one place."""
    import inspect
    import re

    from hueyctl.output.columns import Column

    rows = [
        {"code": int(code), "name": exits.name_of(int(code)), "when": when}
        for when, _, code in re.findall(_COMMENT, inspect.getsource(exits))
    ]
    if session.output.is_json:
        session.output.objects(rows)
        return
    known = {
        "code": Column("code", "CODE", "int", lambda row: row["code"]),
        "name": Column("name", "NAME", "text", lambda row: row["name"]),
        "when": Column("when", "WHEN", "text", lambda row: row["when"]),
    }
    session.output.rows(
        rows, known, ("code", "name", "when"), name=lambda row: str(row["name"]), cut=False
    )


def _states(session: Session) -> None:
    """Print the transition table of the storage, the one that its tests read as well."""
    from hueycore.storage.base import TRANSITIONS
    from hueyctl.output.columns import Column

    if session.output.is_json:
        session.output.objects(
            {
                "verb": row.verb,
                "before": [str(state) for state in row.before],
                "after": [str(state) for state in row.after],
                "fence": row.fence or None,
                "counts": row.counts or None,
            }
            for row in TRANSITIONS
        )
        return
    known = {
        "verb": Column("verb", "VERB", "text", lambda row: row.verb),
        "before": Column("before", "FROM", "text", lambda row: ", ".join(row.before) or "-"),
        "after": Column("after", "TO", "text", lambda row: ", ".join(row.after) or "gone"),
        "fence": Column("fence", "FENCED BY", "text", lambda row: row.fence),
        "counts": Column("counts", "COUNTS", "text", lambda row: row.counts),
    }
    session.output.rows(
        TRANSITIONS, known, ("verb", "before", "after", "fence", "counts"),
        name=lambda row: str(row.verb), cut=False,
    )  # fmt: skip


TOPICS: dict[str, Callable[[Session], None]] = {"exit-codes": _exit_codes, "states": _states}

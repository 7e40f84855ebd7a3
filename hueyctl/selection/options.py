"""The options that say which jobs, shared by every command that has a choice of jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from hueyctl.selection.choice import Choice
from hueyctl.selection.params import DURATION, RANGE, Command, Decorator, Whole, collected

ID_HELP = ("ID", "The number or the long id of a job; - reads them from stdin, one per line.")


def selector_options(function: Command) -> Command:
    """Add the options; the command gets them as one ``choice`` argument."""
    return selecting()(function)


def selecting(
    *, leave_out: Sequence[str] = (), all_help: str = "All states."
) -> Callable[[Command], Command]:
    """``selector_options`` without those that a command uses for something else; ``all_help`` says
    what --all means to it."""
    options = {name: option for name, option in _options(all_help).items() if name not in leave_out}
    return collected("choice", Choice, options)


def _complete_state(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from hueycore.model.states import State

    return [name for name in (*State, "all") if name.startswith(incomplete)]


def _options(all_help: str) -> dict[str, Decorator]:
    """By the fields of ``Choice``, in the order of the help."""
    return {
        "state": click.option(
            "--state",
            "state",
            multiple=True,
            metavar="STATE",
            shell_complete=_complete_state,
            help="Only this state; repeatable, or several with commas; all for all.",
        ),
        "task": click.option(
            "--task", metavar="GLOB", help="Only tasks whose name matches, like 'mail.*'."
        ),
        "where": click.option(
            "--where",
            multiple=True,
            metavar="EXPR",
            help="FIELD OP VALUE with = != < > <= >= or ~ (contains), like 'attempt > 1', "
            "'kwargs.user = 7', 'error.type = TimeoutError'; repeatable.",
        ),
        "older_than": click.option(
            "--older-than", type=DURATION, metavar="DUR", help="In this state for longer."
        ),
        "newer_than": click.option(
            "--newer-than", type=DURATION, metavar="DUR", help="In this state for less."
        ),
        "priority": click.option(
            "--priority", type=RANGE, metavar="N..M", help="Only these priorities."
        ),
        "limit": click.option(
            "-n",
            "--limit",
            type=Whole(0),
            metavar="N",
            help="At most N; 0 for no limit, also of what --where looks into.",
        ),
        "sort": click.option(
            "--sort", metavar="[-]COLUMN", help="Order by a column, -COLUMN for the largest first."
        ),
        "all_": click.option(
            "-a", "--all", "all_", is_flag=True, allow_from_autoenv=False, help=all_help
        ),
        "utc": click.option(
            "--utc", is_flag=True, help="Times without an offset are UTC, not local."
        ),
        "ids": click.argument("ids", nargs=-1, metavar="[ID]..."),
    }

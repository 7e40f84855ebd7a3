"""What the pages of all sections of the manual share: their heads, their ends, the command tree."""

from __future__ import annotations

from collections.abc import Iterator

import click

from hueyctl import RELEASED, __version__
from hueyctl.docs.roff import bold, escape

_SOURCE = f"hueyctl {__version__}"
_MANUAL = "hueyctl manual"

#: Pages that every page names.
ALWAYS = ("hueyctl-exit-codes(7)", "hueyctl-filters(7)", "hueyctl-states(7)", "hueyctl.toml(5)")


def head(name: str, section: int, short: str, source: str = "the command tree") -> list[str]:
    return [
        rf".\" Made by make generate from {source}; do not edit.",
        f'.TH "{escape(name.upper())}" "{section}" "{RELEASED}" "{_SOURCE}" "{_MANUAL}"',
        ".SH NAME",
        rf"{escape(name)} \- {escape(short)}",
    ]


def references(names: list[str]) -> list[str]:
    lines = [".SH SEE ALSO"]
    for place, name in enumerate(names):
        stem, _, section = name.partition("(")
        lines.append(f"{bold(stem)}({section}" + ("," if place < len(names) - 1 else ""))
    return lines


def joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def walk(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[click.Context]:
    """The contexts of a command and of all below it, in the order of ``--help``."""
    # Through list_commands and get_command: a lazy group has no ``commands`` to look at.
    ctx = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    yield ctx
    if isinstance(command, click.Group):
        for below in command.list_commands(ctx):
            found = command.get_command(ctx, below)
            if found is not None and not found.hidden:
                yield from walk(found, below, ctx)


def dashed(ctx: click.Context) -> str:
    return ctx.command_path.replace(" ", "-")


def options_of(ctx: click.Context) -> list[click.Option]:
    params = ctx.command.get_params(ctx)
    return [each for each in params if isinstance(each, click.Option) and not each.hidden]


def long_name(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")

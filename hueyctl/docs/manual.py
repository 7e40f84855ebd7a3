"""The manual: a page for each command, made from what ``--help`` says, and those of ``reference``.

The same tree makes the same bytes: the date is that of the release. ``make generate`` writes them
to ``man/``.
"""

from __future__ import annotations

import re

import click

from hueyctl.command import Command
from hueyctl.docs import reference, topics
from hueyctl.docs.page import ALWAYS, dashed, head, joined, long_name, options_of, references, walk
from hueyctl.docs.roff import bold, escape, filled, italic, prose, tagged, verbatim
from hueyctl.options import GlobalOption
from hueyctl.settings import key_of

_FLAG = re.compile(r"--?[\w?][\w?-]*")

FILES = (
    ("hueyctl.toml", "Settings of the project, in this folder or one above it."),
    ("pyproject.toml", "The same, as the table [tool.hueyctl]."),
    ("$XDG_CONFIG_HOME/hueyctl/config.toml", "Settings of the user; see hueyctl.toml(5)."),
    ("huey.db", "The queue that commands look at when none is named and it is in this folder."),
)


def pages() -> dict[str, str]:
    """Every page: {path under man/: roff}."""
    from hueyctl.cli import cli

    commands = {f"man1/{dashed(ctx)}.1": page(ctx) for ctx in walk(cli, "hueyctl")}
    return commands | reference.pages(cli)


def page(ctx: click.Context) -> str:
    """The page of one command."""
    command = ctx.command
    lines = head(dashed(ctx), 1, _short(ctx))
    lines += [".SH SYNOPSIS", *_synopsis(ctx)]
    lines += [".SH DESCRIPTION", *(prose(command.help or "") or filled(_short(ctx)))]
    lines += _arguments(command)
    lines += _options(ctx)
    lines += _commands(ctx)
    if isinstance(command, Command):
        lines += _examples(command)
        lines += _exit_status(command)
    lines += _environment(ctx)
    if ctx.parent is None:
        lines += [".SH FILES"]
        for path, what in FILES:
            lines += tagged(italic(path), filled(what))
    lines += _see_also(ctx)
    return joined(lines)


def _short(ctx: click.Context) -> str:
    """The line of the registry, which ``--help`` shows: without its full stop, in small letters."""
    text = ctx.command.get_short_help_str(limit=1000)
    if ctx.parent is not None and hasattr(ctx.parent.command, "line_of") and ctx.info_name:
        text = ctx.parent.command.line_of(ctx.info_name)
    text = text.rstrip(".")
    return text[:1].lower() + text[1:] if not text[:2].isupper() else text


def _synopsis(ctx: click.Context) -> list[str]:
    words = []
    for word in ctx.command.collect_usage_pieces(ctx):
        words.append(escape(word) if word == "[OPTIONS]" else italic(word))
    return [f"{bold(ctx.command_path)} {' '.join(words)}".rstrip()]


def _arguments(command: click.Command) -> list[str]:
    if not isinstance(command, Command) or not command.arguments:
        return []
    lines = [".SH ARGUMENTS"]
    for name, what in command.arguments:
        lines += tagged(italic(name), filled(what))
    return lines


def _options(ctx: click.Context) -> list[str]:
    own = [option for option in options_of(ctx) if not isinstance(option, GlobalOption)]
    shared = [option for option in options_of(ctx) if isinstance(option, GlobalOption)]
    lines = [".SH OPTIONS"]
    for option in own + (shared if ctx.parent is None else []):
        lines += _option(ctx, option)
    if ctx.parent is not None:
        names = ", ".join(bold(option.opts[0]) for option in shared)
        lines += [".PP", "The global options are those of", rf"{bold('hueyctl')}(1):", names + "."]
        if not own:
            lines.remove(".PP")
    return lines


def _option(ctx: click.Context, option: click.Option) -> list[str]:
    record = option.get_help_record(ctx)
    assert record is not None
    names, what = record
    flags = [bold(name) for name in _FLAG.findall(names.partition("  ")[0])]
    metavar = "" if option.is_flag or option.count else option.make_metavar(ctx)
    if flags and metavar:
        flags[-1] += f" {italic(metavar)}"
    return tagged(", ".join(flags), prose(what, between=".IP"))


def _commands(ctx: click.Context) -> list[str]:
    if not isinstance(ctx.command, click.Group):
        return []
    lines = [".SH COMMANDS"]
    for below in walk(ctx.command, ctx.info_name or "", ctx.parent):
        # Its own and those of its own groups' names only.
        if below.parent is not None and below.command_path.rpartition(" ")[0] == ctx.command_path:
            lines += tagged(rf"{bold(dashed(below))}(1)", filled(_sentence(_short(below))))
    return lines


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _examples(command: Command) -> list[str]:
    if not command.examples:
        return []
    return [".SH EXAMPLES", *verbatim("\n".join(command.examples))]


def _exit_status(command: Command) -> list[str]:
    lines = [".SH EXIT STATUS"]
    for each in topics.exit_codes():
        if each.code in command.codes:
            lines += tagged(bold(str(each.code)), filled(each.when))
    return [*lines, ".PP", "All codes are in", rf"{bold('hueyctl-exit-codes')}(7)."]


def _environment(ctx: click.Context) -> list[str]:
    lines = [".SH ENVIRONMENT"]
    for option in options_of(ctx):
        if ctx.parent is not None and isinstance(option, GlobalOption):
            continue
        key = key_of(option)
        # Of click's own, and of --json, which -o json is, there are none.
        if key not in (None, "help", "json"):
            variable = f"{ctx.auto_envvar_prefix}_{key.upper()}"
            lines += tagged(bold(variable), [f"Stands for {bold(f'--{long_name(option)}')}."])
    if ctx.parent is not None:
        known = [] if lines == [".SH ENVIRONMENT"] else [".PP"]
        lines += [*known, "Those of the global options are in", rf"{bold('hueyctl')}(1)."]
    return lines


def _see_also(ctx: click.Context) -> list[str]:
    names = []
    if ctx.parent is None:
        pages = (f"hueyctl-{topic}(7)" for topic in topics.PAGES)
        names += [each for each in pages if each not in ALWAYS]
    else:
        names.append(f"{dashed(ctx.parent)}(1)")
        siblings = [each for each in _siblings(ctx) if each != f"{dashed(ctx)}(1)"]
        names += siblings if ctx.parent.parent is not None else []
    return references([*names, *ALWAYS])


def _siblings(ctx: click.Context) -> list[str]:
    assert ctx.parent is not None and isinstance(ctx.parent.command, click.Group)
    names = ctx.parent.command.list_commands(ctx.parent)
    return [f"{dashed(ctx.parent)}-{name}(1)" for name in names]

"""Man pages from the command tree: one for each command, and those of sections 5 and 7.

Made from what ``--help`` says, so that neither can be forgotten. The same tree makes the same
bytes: the date is that of the release. ``make generate`` writes them to ``man/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from hueyctl import RELEASED, __version__
from hueyctl.command import Command
from hueyctl.docs import topics
from hueyctl.docs.markdown import as_roff
from hueyctl.docs.roff import bold, escape, filled, italic, prose, tagged, verbatim
from hueyctl.options import GlobalOption
from hueyctl.settings import key_of

_SOURCE = f"hueyctl {__version__}"
_MANUAL = "hueyctl manual"
_FLAG = re.compile(r"--?[\w?][\w?-]*")

FILES = (
    ("hueyctl.toml", "Settings of the project, in this folder or one above it."),
    ("pyproject.toml", "The same, as the table [tool.hueyctl]."),
    ("$XDG_CONFIG_HOME/hueyctl/config.toml", "Settings of the user; see hueyctl.toml(5)."),
    ("huey.db", "The queue that commands look at when none is named and it is in this folder."),
)
#: Pages that every page names.
ALWAYS = ("hueyctl-exit-codes(7)", "hueyctl-filters(7)", "hueyctl-states(7)", "hueyctl.toml(5)")


def pages() -> dict[str, str]:
    """Every page: {path under man/: roff}."""
    from hueyctl.cli import cli

    found = {f"man1/{dashed(ctx)}.1": page(ctx) for ctx in walk(cli, "hueyctl")}
    found["man5/hueyctl.toml.5"] = _config_page(cli)
    found["man7/hueyctl-exit-codes.7"] = _exit_codes_page()
    found["man7/hueyctl-states.7"] = _states_page()
    found |= {f"man7/hueyctl-{name}.7": _text_page(name) for name in topics.PAGES}
    return found


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


def page(ctx: click.Context) -> str:
    """The page of one command."""
    command = ctx.command
    lines = _head(dashed(ctx), 1, _short(ctx))
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
    return _joined(lines)


def _head(name: str, section: int, short: str, source: str = "the command tree") -> list[str]:
    return [
        rf".\" Made by make generate from {source}; do not edit.",
        f'.TH "{escape(name.upper())}" "{section}" "{RELEASED}" "{_SOURCE}" "{_MANUAL}"',
        ".SH NAME",
        rf"{escape(name)} \- {escape(short)}",
    ]


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
    own = [option for option in _shown(ctx) if not isinstance(option, GlobalOption)]
    shared = [option for option in _shown(ctx) if isinstance(option, GlobalOption)]
    lines = [".SH OPTIONS"]
    for option in own + (shared if ctx.parent is None else []):
        lines += _option(ctx, option)
    if ctx.parent is not None:
        names = ", ".join(bold(option.opts[0]) for option in shared)
        lines += [".PP", "The global options are those of", rf"{bold('hueyctl')}(1):", names + "."]
        if not own:
            lines.remove(".PP")
    return lines


def _shown(ctx: click.Context) -> list[click.Option]:
    params = ctx.command.get_params(ctx)
    return [each for each in params if isinstance(each, click.Option) and not each.hidden]


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
    for option in _shown(ctx):
        if ctx.parent is not None and isinstance(option, GlobalOption):
            continue
        key = key_of(option)
        # Of click's own, and of --json, which -o json is, there are none.
        if key not in (None, "help", "json"):
            variable = f"{ctx.auto_envvar_prefix}_{key.upper()}"
            lines += tagged(bold(variable), [f"Stands for {bold(f'--{_long(option)}')}."])
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
    return _references([*names, *ALWAYS])


def _siblings(ctx: click.Context) -> list[str]:
    assert ctx.parent is not None and isinstance(ctx.parent.command, click.Group)
    names = ctx.parent.command.list_commands(ctx.parent)
    return [f"{dashed(ctx.parent)}-{name}(1)" for name in names]


def _references(names: list[str]) -> list[str]:
    lines = [".SH SEE ALSO"]
    for place, name in enumerate(names):
        stem, _, section = name.partition("(")
        lines.append(f"{bold(stem)}({section}" + ("," if place < len(names) - 1 else ""))
    return lines


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


# --- sections 5 and 7 -----------------------------------------------------------------------------


def _text_page(topic: str) -> str:
    name = f"hueyctl-{topic}"
    body = as_roff(topics.text_of(topic))
    # The first line asks for tbl.
    lines = [r"'\" t"] if ".TS" in body else []
    lines += _head(name, 7, topics.ABOUT[topic], f"man/pages/{topic}.md")
    # Code must not be hyphenated, nor pulled apart in the narrow cells of a table.
    lines += [".nh", ".ad l", ".SH DESCRIPTION", *body]
    others = [each for each in ALWAYS if not each.startswith(name)]
    return _joined([*lines, *_references(["hueyctl(1)", *others])])


def _exit_codes_page() -> str:
    lines = _head("hueyctl-exit-codes", 7, topics.ABOUT["exit-codes"])
    lines += [".SH DESCRIPTION", "Every command uses the same codes, except"]
    lines += [
        rf"{bold('hueyctl-check')}(1),",
        "whose codes 0 to 3 are those of monitoring plugins.",
    ]
    for each in topics.exit_codes():
        lines += tagged(rf"{bold(str(each.code))} {escape(each.name)}", filled(each.when))
    return _joined([*lines, *_references(["hueyctl(1)", *ALWAYS[1:]])])


def _states_page() -> str:
    from hueycore.model.states import TRANSITIONS

    lines = _head("hueyctl-states", 7, topics.ABOUT["states"])
    lines += [".SH DESCRIPTION", *as_roff(topics.STATES), ".SH TRANSITIONS"]
    for row in TRANSITIONS:
        before = ", ".join(row.before) or "nothing"
        after = ", ".join(row.after) or "gone"
        more = f" Fenced by the {row.fence}." if row.fence else ""
        more += f" Counts: {row.counts}." if row.counts else ""
        lines += tagged(bold(row.verb), filled(f"From {before} to {after}.{more}"))
    return _joined([*lines, *_references(["hueyctl(1)", *ALWAYS[:2], ALWAYS[3]])])


def _config_page(root: click.Command) -> str:
    lines = _head("hueyctl.toml", 5, "settings of hueyctl")
    lines += [".SH DESCRIPTION", *as_roff(topics.CONFIG)]
    for ctx in walk(root, "hueyctl"):
        options = [each for each in _shown(ctx) if _is_setting(ctx, each)]
        if options:
            words = ctx.command_path.split(" ")[1:]
            table = f"[{'.'.join(words)}]" if words else "Of every command"
            lines.append(f".SS {escape(table)}")
            for option in options:
                lines += tagged(bold(_long(option)), filled(option.help or ""))
    return _joined([*lines, *_references(["hueyctl(1)", *ALWAYS[:3]])])


def _is_setting(ctx: click.Context, option: click.Option) -> bool:
    if key_of(option) in (None, "help", "version", "config"):
        return False
    return ctx.parent is None or not isinstance(option, GlobalOption)


def _long(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")

"""The options every command takes, before or after its name; the later, the stronger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from hueyctl.settings import store

F = TypeVar("F", bound=Callable[..., Any])

OWN_FORMATS = ("table", "wide", "plain", "json", "jsonl", "csv", "tsv", "name")
TIME_FORMATS = ("relative", "iso", "unix")


class GlobalOption(click.Option):
    """Listed apart in a command's help."""


def _check_format(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None and value not in OWN_FORMATS and not ctx.resilient_parsing:
        # Only an unknown name is worth the dearest import there is.
        from hueyctl.output.named import format_names

        names = format_names()
        if value not in names:
            from difflib import get_close_matches

            near = get_close_matches(value, [*OWN_FORMATS, *names], 3)
            more = f"; did you mean {' or '.join(near)}?" if near else ""
            raise click.BadParameter(
                f"{value!r} is not an output format ({', '.join(OWN_FORMATS)}, "
                f"or a format of tabulate such as github, html, latex, rst){more}"
            )
    store(ctx, param, value)


def _load_config(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if ctx.resilient_parsing or (ctx.parent is not None and value is None):
        return
    if ctx.parent is not None and ctx.get_parameter_source("config") != ParameterSource.COMMANDLINE:
        return
    from hueyctl import config

    config.apply(ctx, value)


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    import sys
    from sqlite3 import sqlite_version

    from hueyctl import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"hueyctl {__version__} (Python {python}, SQLite {sqlite_version})")
    ctx.exit()


def _formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in OWN_FORMATS if name.startswith(incomplete)]


def _option(*names: str, **attributes: Any) -> Callable[[F], F]:
    attributes.setdefault("callback", store)
    attributes.setdefault("expose_value", False)
    return click.option(*names, cls=GlobalOption, **attributes)


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _option("-A", "--app", metavar="MODULE[:ATTR]", help="Application to load."),
    _option("--app-dir", metavar="DIR", help="Where to import it from (default: here)."),
    _option(
        "-u",
        "--url",
        metavar="URL",
        help="Storage to open without any application: sqlite:///queue.db?name=huey, a path, or "
        "postgresql://user@host/database, or redis://host:6379/0; @FILE reads the URL from a file.",
    ),
    _option("-Q", "--queue", multiple=True, metavar="NAME", help="Only this queue; repeatable."),
    _option(
        "-o",
        "--output",
        metavar="FORMAT",
        callback=_check_format,
        shell_complete=_formats,
        help=f"{', '.join(OWN_FORMATS)}, or any format of tabulate.",
    ),
    _option("--json", "json_", is_flag=True, help="Same as -o json."),
    _option("--columns", metavar="A,B,C", help="Columns to show."),
    _option("--no-headers", is_flag=True, help="No header line."),
    _option(
        "--time-format",
        type=click.Choice(TIME_FORMATS),
        help="Default: relative on a terminal, else iso.",
    ),
    _option("--color", type=click.Choice(("auto", "always", "never")), help="Default: auto."),
    _option(
        "--config",
        metavar="FILE",
        is_eager=True,
        callback=_load_config,
        help="Read this config file instead of searching for one.",
    ),
    _option("--no-input", is_flag=True, help="Never ask; what needs a question is refused."),
    _option("-q", "--quiet", count=True, help="Fewer messages on stderr."),
    _option("-v", "--verbose", count=True, help="More messages on stderr, and tracebacks."),
    _option(
        "-V",
        "--version",
        is_flag=True,
        is_eager=True,
        allow_from_autoenv=False,
        callback=_print_version,
        help="Show the versions of hueyctl, Python and SQLite.",
    ),
)


def global_options(function: F) -> F:
    """The options of ``Settings``, for the group and for every command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def wants_json(argv: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether errors are to be JSON, for errors that come before the options were read."""
    wanted = environ.get("HUEYCTL_OUTPUT", "")
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == "--json":
            wanted = "json"
        elif word in ("-o", "--output"):
            wanted = following
        elif word.startswith("--output="):
            wanted = word.partition("=")[2]
        elif word.startswith("-o"):
            wanted = word[2:].removeprefix("=")
    return wanted in ("json", "jsonl")


def is_verbose(argv: Sequence[str]) -> bool:
    words = argv[: argv.index("--")] if "--" in argv else argv
    return any(word in ("-v", "-vv", "-vvv", "--verbose") for word in words)

"""The global options of one run: what was said of each, how strongly, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

_KEY = "hueyctl.settings"


class Rank(IntEnum):
    """The stronger wins, and of equals the later. A command is read after its group."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    COMMAND_LINE = 3


_RANKS = {
    ParameterSource.COMMANDLINE: Rank.COMMAND_LINE,
    ParameterSource.PROMPT: Rank.COMMAND_LINE,
    ParameterSource.ENVIRONMENT: Rank.ENVIRONMENT,
    ParameterSource.DEFAULT_MAP: Rank.FILE,
}


class Given(NamedTuple):
    """The value of a global option, by the name of its parameter in ``stored``."""

    rank: Rank
    value: Any


class Settings(NamedTuple):
    """The global options as they stand for the command that runs."""

    app: str | None = None
    app_dir: str | None = None
    url: str | None = None
    queues: tuple[str, ...] = ()
    output: str | None = None
    columns: tuple[str, ...] = ()
    headers: bool = True
    time_format: str | None = None
    color: str = "auto"
    no_input: bool = False
    quiet: int = 0
    verbose: int = 0


def stored(meta: Mapping[str, Any]) -> dict[str, Given]:
    """The options that have a value from anywhere but their default."""
    found: dict[str, Given] = meta.get(_KEY, {})
    return found


def store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """The callback of a global option: its value counts unless a stronger one is there."""
    if ctx.resilient_parsing or param.name is None:
        return
    source = ctx.get_parameter_source(param.name)
    rank = _RANKS.get(source, Rank.DEFAULT) if source is not None else Rank.DEFAULT
    held = ctx.meta.setdefault(_KEY, {})
    if rank > Rank.DEFAULT and (param.name not in held or rank >= held[param.name].rank):
        held[param.name] = Given(rank, value)


def forget_files(meta: Mapping[str, Any]) -> None:
    """Drop what came from config files: another one was named."""
    held = stored(meta)
    for name in [name for name, (rank, _) in held.items() if rank == Rank.FILE]:
        del held[name]


def settings_from(meta: Mapping[str, Any]) -> Settings:
    """The settings of a context: ``--json`` and ``-o`` are one, lists are tuples."""
    held = stored(meta)
    values = {name: value for name, (_, value) in held.items() if name not in ("json_", "config")}
    json, output = held.get("json_"), held.get("output")
    if json is not None and json.value and (output is None or json.rank >= output.rank):
        values["output"] = "json"
    if "columns" in values:
        names = (values["columns"] or "").split(",")
        values["columns"] = tuple(name.strip() for name in names if name.strip())
    if "no_headers" in values:
        values["headers"] = not values.pop("no_headers")
    if "queue" in values:
        values["queues"] = tuple(values.pop("queue"))
    return Settings(**values)


def key_of(param: click.Parameter) -> str | None:
    """What an option is called in a config file and, in capitals, in its variable: its long form
    with underscores. None for what has to be said each time, such as --yes."""
    if not isinstance(param, click.Option) or not param.allow_from_autoenv:
        return None
    return max(param.opts, key=len).lstrip("-").replace("-", "_")

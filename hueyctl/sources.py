"""Every setting, its value, and where that came from: a flag, a variable, a line of a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from hueycore.system.mask import masked
from hueyctl import config
from hueyctl.options import GlobalOption
from hueyctl.settings import Given, Rank, key_of, stored

Files = list[tuple[str, config.Table]]


class Setting(NamedTuple):
    """``where`` is the option, the variable, ``file:line``, or None for a default."""

    setting: str
    value: Any
    source: str
    where: str | None

    def as_object(self) -> dict[str, Any]:
        return self._asdict()


def current(ctx: click.Context) -> list[Setting]:
    """The global options as they stand for the command of ``ctx``."""
    files = config.files_of(ctx)
    return [
        _global(ctx, param, files)
        for param in ctx.find_root().command.params
        if isinstance(param, GlobalOption) and param.name not in ("version", None)
    ]


def of_commands(ctx: click.Context) -> Iterator[Setting]:
    """The options of every command, as they would stand if it were called without any."""
    files = config.files_of(ctx)
    root = ctx.find_root()
    for words, found in _leaves(root, root.command, ()):
        for param in found.params:
            if isinstance(param, click.Option) and not isinstance(param, GlobalOption):
                yield _of_command(words, param, files)


def _line(ctx: click.Context) -> list[click.Context]:
    """The command's context, its parent's, and so on."""
    return [ctx, *(_line(ctx.parent) if ctx.parent is not None else [])]


def _leaves(
    ctx: click.Context, group: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    assert isinstance(group, click.Group)
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        if isinstance(found, click.Group):
            yield from _leaves(ctx, found, (*words, name))
        elif found is not None:
            yield (*words, name), found


def _global(ctx: click.Context, param: click.Option, files: Files) -> Setting:
    name = _name(param)
    rank, value = stored(ctx.meta).get(param.name or "", Given(Rank.DEFAULT, None))
    if param.name == "config" and (named := config.named_file(ctx)) is not None:
        rank, value = Rank.COMMAND_LINE, named
    if not rank:
        return Setting(name, _default(param), "default", None)
    value = _masked(param, value)
    for each in _line(ctx):
        source = each.get_parameter_source(param.name or "")
        if rank == Rank.COMMAND_LINE and source is ParameterSource.COMMANDLINE:
            return Setting(name, value, "flag", param.opts[-1])
        if rank >= Rank.ENVIRONMENT and source is ParameterSource.ENVIRONMENT:
            return Setting(name, value, "env", f"{each.auto_envvar_prefix}_{_variable(param)}")
    where = _in_files(files, [*config.words(ctx)], param) or _in_files(files, [], param)
    return Setting(name, value, "file", where[1] if where else None)


def _of_command(words: tuple[str, ...], param: click.Option, files: Files) -> Setting:
    name = ".".join((*words, _name(param)))
    variable = "_".join(("HUEYCTL", *words, _variable(param))).upper().replace("-", "_")
    if key_of(param) and os.environ.get(variable):
        return Setting(name, _masked(param, os.environ[variable]), "env", variable)
    found = _in_files(files, list(words), param)
    if found is not None:
        return Setting(name, _masked(param, found[0]), "file", found[1])
    return Setting(name, _default(param), "default", None)


def _name(param: click.Option) -> str:
    """As it is written in a config file: the long option without dashes."""
    longest = max(param.opts, key=len)
    return longest.lstrip("-")


def _variable(param: click.Option) -> str:
    return (key_of(param) or "").upper()


def _default(param: click.Option) -> Any:
    value = param.to_info_dict()["default"]
    if value is None and param.is_flag and not param.count:
        return False
    if isinstance(value, (tuple, list)):
        return list(value)
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _masked(param: click.Option, value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_masked(param, each) for each in value]
    return masked(value) if isinstance(value, str) else value


def _in_files(files: Files, words: list[str], param: click.Option) -> tuple[Any, str] | None:
    """The value and ``file:line`` of the strongest file that has it."""
    for path, table in files:
        inner: Any = table
        for word in words:
            inner = inner.get(word) if isinstance(inner, dict) else None
        key = key_of(param)
        if isinstance(inner, dict) and key is not None and key in inner:
            return inner[key], f"{path}:{line_of(path, words, key)}"
    return None


def line_of(path: str, words: list[str], key: str) -> int:
    """The line of a key in a TOML file; that of its table, or 1, when it is written another way."""
    wanted, best, inside = [word.replace("_", "-") for word in words], 1, not words
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return best
    for number, text in enumerate(lines, 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", text):
            inside = _parts(header.group(1)) == wanted
            best = number if inside else best
        elif inside and (found := re.match(r"\s*([\w\"'.-]+)\s*=", text)):
            name = found.group(1).strip("\"'").replace("_", "-")
            if name == key.replace("_", "-"):
                return number
    return best


def _parts(header: str) -> list[str]:
    """``tool.hueyctl.dead.list`` as the words after the name of the tool."""
    parts = [part.strip().strip("\"'").replace("_", "-") for part in header.split(".")]
    return parts[2:] if parts[:2] == ["tool", "hueyctl"] else parts

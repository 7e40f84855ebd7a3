"""Config files: where they are, and how they become click's defaults.

A project's ``[tool.hueyctl]`` (pyproject.toml) or ``hueyctl.toml`` beats the user's
``$XDG_CONFIG_HOME/hueyctl/config.toml``. Keys are long option names; a table per command.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Any

import click

from hueyctl import errors, exits, settings, streams
from hueyctl.settings import key_of
from hueyctl.tree import COMMANDS

Table = dict[str, Any]

_FILES, _NAMED = "hueyctl.config", "hueyctl.config_file"
_ROOTS = (".git", ".hg", ".svn", ".jj")


def apply(ctx: click.Context, named: str | None) -> None:
    """Make the config the defaults of this context: of the group, or of one command."""
    if named is not None:
        settings.forget_files(ctx.meta)
        ctx.meta.pop(_FILES, None)
        ctx.meta[_NAMED] = named
        if not os.path.isfile(named):
            raise errors.CliError(f"config file {named}: no such file", exits.CONFIG)
    paths = candidates(_say_doubt) if named is None else [named]
    tables = [(path, read(path, required=named is not None)) for path in paths]
    merged: Table = {}
    for path, table in reversed(tables):
        if table is not None:
            normal = _normal(table)
            _merge(merged, normal)
            _warn_unknown(path, normal, ctx.find_root())
    if ctx.parent is None:
        ctx.default_map = merged
    else:
        ctx.default_map = {**merged, **table_of(ctx, merged)}
    set_defaults(ctx)


def files_of(ctx: click.Context) -> list[tuple[str, Table]]:
    """The path and the table of each file that was read, the strongest first."""
    return list(reversed(ctx.meta.get(_FILES, [])))


def named_file(ctx: click.Context) -> str | None:
    """The path of ``--config``."""
    found: str | None = ctx.meta.get(_NAMED)
    return found


def table_of(ctx: click.Context, table: Table) -> Table:
    """The part of a config that is about the command of ``ctx``: ``[dead.list]`` for two words."""
    for name in words(ctx):
        inner = table.get(name)
        table = inner if isinstance(inner, dict) else {}
    return table


def words(ctx: click.Context) -> list[str]:
    """The names that lead from ``hueyctl`` to the command of ``ctx``."""
    if ctx.parent is None:
        return []
    return [*words(ctx.parent), ctx.info_name or ""]


def set_defaults(ctx: click.Context) -> None:
    """Turn the keys of a file, which are long options, into click's defaults, which go by the names
    of parameters. Tables of other commands stay."""
    table = ctx.default_map or {}
    taken: Table = {key: each for key, each in table.items() if isinstance(each, dict)}
    for param in ctx.command.params:
        value = table.get(key_of(param) or "")
        if value is None or isinstance(value, dict):
            continue
        # ``queue = "mail"`` means a list of one: click would take it letter by letter.
        alone = param.multiple and isinstance(value, (str, int, float))
        taken[param.name or ""] = [value] if alone else value
    ctx.default_map = taken


def candidates(on_doubt: Callable[[str, str], None] | None = None) -> list[str]:
    """The files to read, strongest first: the project's, then the user's. ``on_doubt`` is told the
    path of a file that is not believed, and why."""
    found = []
    for folder in _folders():
        here = _in_folder(folder)
        doubt = _doubt(here, trusted=folder == os.getcwd()) if here else None
        if here and not doubt:
            found.append(here)
            break
        if here and doubt and on_doubt is not None:
            on_doubt(here, doubt)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    user = os.path.join(home, "hueyctl", "config.toml")
    if os.path.isfile(user):
        found.append(user)
    return found


def _folders() -> Iterator[str]:
    """This one and those above it, up to the root of the repository."""
    folder = os.getcwd()
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder or any(os.path.exists(os.path.join(folder, name)) for name in _ROOTS):
            return
        folder = parent


def _in_folder(folder: str) -> str | None:
    for name in ("hueyctl.toml", "pyproject.toml"):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and (name == "hueyctl.toml" or _mentions_us(path)):
            return path
    return None


def _doubt(path: str, *, trusted: bool) -> str | None:
    """Why the settings of a file that was merely found are somebody else's. In the folder where
    we are, that is ``trusted``, its owner has a say as well: a service runs in what others own."""
    owners = {0, os.geteuid()}
    if trusted:
        owners.add(os.stat(os.path.dirname(path)).st_uid)
    found = os.stat(path)
    # Of a link as well: it chooses the file.
    for owner in (os.lstat(path).st_uid, found.st_uid):
        if owner not in owners:
            return f"it belongs to another user (uid {owner})"
    # A group of one person has the number of that person, and a umask of 002 is usual then.
    alone = found.st_gid in (0, os.getegid(), found.st_uid)
    writers = stat.S_IWOTH if alone else stat.S_IWOTH | stat.S_IWGRP
    return "others may write it" if found.st_mode & writers else None


def _say_doubt(path: str, why: str) -> None:
    streams.say(
        f"hueyctl: {streams.visible(path)} is not read, because {why}; to use it, say --config"
    )


def _mentions_us(path: str) -> bool:
    # tomllib costs more than everything else here; most projects do not configure hueyctl.
    try:
        with open(path, "rb") as file:
            return b"hueyctl" in file.read(1_000_000)
    except OSError:
        return False


def read(path: str, *, required: bool = False) -> Table | None:
    """The settings of a file, None for a ``pyproject.toml`` without any. Exit 78 when it is broken,
    or when ``required`` settings are not there."""
    import tomllib

    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            document = tomllib.loads(file.read())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.CliError(f"config file {path}: {error}", exits.CONFIG) from error
    except OSError as error:
        raise errors.CliError(f"config file {path}: {error.strerror}", exits.CONFIG) from error
    table = document
    if os.path.basename(path) == "pyproject.toml" or "tool" in document:
        table = document.get("tool", {}).get("hueyctl")
        if table is None and not required:
            return None
    if not isinstance(table, dict):
        raise errors.CliError(f"config file {path}: there is no [tool.hueyctl]", exits.CONFIG)
    return table


def _normal(table: Table) -> Table:
    """Keys with underscores, those of tables as they are: commands have dashes."""
    return {
        key if isinstance(value, dict) else key.replace("-", "_"): (
            _normal(value) if isinstance(value, dict) else value
        )
        for key, value in table.items()
    }


def _merge(into: Table, table: Table) -> None:
    for key, value in table.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _warn_unknown(path: str, table: Table, root: click.Context) -> None:
    """Warn of keys at the top that mean nothing. ``check_command`` looks at the table of the
    command that runs. A look at the other tables would cost the import of their commands."""
    known = [*filter(None, map(key_of, root.command.params)), *COMMANDS]
    for key in table:
        if key not in known:
            _warn(path, key, known)
    root.meta.setdefault(_FILES, []).append((path, table))


def check_command(ctx: click.Context) -> None:
    """Warn of unknown keys in the table of the command that runs."""
    name = ".".join(words(ctx))
    known = [*filter(None, map(key_of, ctx.command.params))]
    for path, table in reversed(files_of(ctx)):
        for key in table_of(ctx, table):
            if key not in known:
                _warn(path, f"{name}.{key}", [f"{name}.{each}" for each in known])


def _warn(path: str, key: str, known: list[str]) -> None:
    from difflib import get_close_matches

    near = get_close_matches(key, known, 1)
    shown = near[0].replace("_", "-") if near else ""
    more = f"; did you mean {shown!r}?" if shown else ""
    streams.say(f"hueyctl: {path}: unknown key {key.replace('_', '-')!r}{more}")

"""The command line of ``consume``, from the one of ``scaffold``."""

from __future__ import annotations

import os
from typing import Any

import click
from click.core import ParameterSource

from hueyctl import config, errors, streams
from hueyctl.context import Session
from hueyctl.options import GlobalOption
from hueyctl.settings import Rank, stored


def words_of(session: Session, given: dict[str, Any], directory: str, *, inside: bool) -> list[str]:
    """The options of consume that were said, and how long a stop waits; ``inside`` a container."""
    ctx = session.ctx
    words = _of_session(ctx, directory, inside)
    for param in ctx.command.params:
        name = param.name or ""
        if name in given and (_is_said(ctx, name) or name == "shutdown_timeout"):
            words += _spelled(param, given[name])
    return words


def said(ctx: click.Context) -> list[str]:
    """What was said to this command, for the first lines of the file."""
    return [
        word
        for param in ctx.command.params
        if isinstance(param, click.Option) and _is_written(ctx, param)
        for word in _spelled(param, _value(ctx, param))
    ]


def _is_said(ctx: click.Context, name: str) -> bool:
    """By an option, or in a variable or table of this command: ``consume`` would not read those."""
    return ctx.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)


def _is_written(ctx: click.Context, param: click.Option) -> bool:
    source = ctx.get_parameter_source(param.name or "")
    return source is ParameterSource.COMMANDLINE or (
        not isinstance(param, GlobalOption) and _is_said(ctx, param.name or "")
    )


def _value(ctx: click.Context, param: click.Option) -> Any:
    if param.name in ctx.params:
        return ctx.params[param.name]
    if param.name == "config":
        return config.named_file(ctx)
    return stored(ctx.meta)[param.name or ""].value


def _spelled(param: click.Parameter, value: Any) -> list[str]:
    """An option as one would write it."""
    positive = max(param.opts, key=len)
    if param.multiple:
        return [word for each in value for word in (positive, _text(each))]
    if isinstance(value, bool):
        return [positive] if value else param.secondary_opts[:1]
    if getattr(param, "count", False):
        return [positive] * value
    return [positive, _text(value)]


def _text(value: Any) -> str:
    match value:
        case (str(host), int(port)):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _of_session(ctx: click.Context, directory: str, inside: bool) -> list[str]:
    """The global options that say which queue, as they are to be said there."""
    words: list[str] = []
    written = {
        name: value for name, (rank, value) in stored(ctx.meta).items() if rank == Rank.COMMAND_LINE
    }
    if path := config.named_file(ctx) or (inside and _project_config(directory)):
        words += ["--config", _in_image(path, directory) if inside else os.path.abspath(path)]
    if url := written.get("url"):
        if streams.masked(url) != url:
            raise errors.usage(
                "the URL has a password, which everybody could read in the file and in ps",
                "write the URL into a file and say --url @FILE",
            )
        words += ["--url", url if inside else _absolute(url)]
    for queue in written.get("queue", ()):
        words += ["--queue", queue]
    return words + ["--verbose"] * written.get("verbose", 0) + ["--quiet"] * written.get("quiet", 0)


def _project_config(directory: str) -> str | None:
    """In the image the working directory is the volume, where nobody looks for it."""
    return next((path for path in config.candidates() if os.path.dirname(path) == directory), None)


def _in_image(path: str, directory: str) -> str:
    inside = os.path.relpath(path, directory)
    if inside.startswith(".."):
        raise errors.usage(f"{path} is outside of {directory}, so it is not in the image")
    return f"/app/{inside}"


def _absolute(url: str) -> str:
    """Relative to where this command runs, not to the application."""
    from urllib.parse import quote

    from hueyctl.urls import parse_url

    if url.startswith("@"):
        return f"@{os.path.abspath(url[1:])}"
    location = parse_url(url)
    if not location.is_file or os.path.isabs(location.filename):
        return url
    queue = f"?name={quote(location.queue)}" if location.queue else ""
    return f"sqlite:///{quote(os.path.abspath(location.filename))}{queue}"

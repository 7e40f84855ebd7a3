"""``hueyctl scaffold``: a file that runs a consumer for good."""

from __future__ import annotations

import os
import shlex
import sys
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource

from hueyctl import errors
from hueyctl.command import Command, command
from hueyctl.commands.consume import consume
from hueyctl.context import Session
from hueyctl.options import KEY, GlobalOption

_FORMATS = {
    "systemd": "systemd:render",
    "supervisor": "supervisor:render",
    "docker": "docker:render",
    "compose": "docker:compose",
    "kubernetes": "kubernetes:render",
}
_IN_CONTAINERS = ("docker", "compose", "kubernetes")
#: Options of ``consume`` that say how to run. The others are about one run by hand, or the format's
#: own affair.
_PASSED = (
    "workers", "worker_type", "health_check_interval", "scheduler_interval", "periodic",
    "max_tasks", "shutdown_timeout", "graceful_signal", "simple", "log_format", "max_time", "name",
    "imports", "http",
)  # fmt: skip


class _Scaffold(Command):
    """Takes the options of ``consume`` that matter here: the same objects, so the same words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params[2:2] = [param for param in consume.params if param.name in _PASSED]


@command(
    "scaffold",
    cls=_Scaffold,
    examples=[
        "hueyctl scaffold systemd app.huey -w 4 > /etc/systemd/system/app-worker.service",
        "hueyctl scaffold systemd myapp.queues --template -w 4",
        "hueyctl scaffold kubernetes app.huey -w 4 --http 0.0.0.0:9808",
        "hueyctl scaffold docker app.huey > Dockerfile",
    ],
    arguments=[
        ("FORMAT", ", ".join(_FORMATS)),
        ("APP", "MODULE:ATTR or MODULE.ATTR, before --app; with --template, MODULE."),
    ],
)
@click.argument("format_", type=click.Choice(tuple(_FORMATS)), metavar="FORMAT")
@click.argument("named", required=False, metavar="[APP]")
@click.option("--template", is_flag=True, help="systemd: one unit for many; %i is the attribute.")
@click.option("--user", metavar="NAME", help="Run as (the owner of the directory).")
@click.option("--image", metavar="IMAGE", help="The container's image (after the application).")
def scaffold(
    session: Session,
    format_: str,
    named: str | None,
    template: bool,
    user: str | None,
    image: str | None,
    **given: Any,
) -> None:
    """Print a file that keeps a consumer running.

    Its command line has the options of consume that are given here, and the file fits them: stop
    signal, time to stop, probes, restarts. Nothing is imported and nothing is written; read it,
    then put it where its first line says. The working directory is --app-dir, or the one here.
    """
    from hueyctl.scaffolding import plan as plans

    wanted = named or session.settings.app
    if not wanted:
        raise errors.usage("say which application", f"hueyctl scaffold {format_} MODULE:ATTR")
    _refuse_what_does_not_fit(format_, given, template, user, image)
    if template and ":" in wanted:
        raise errors.usage("a template names the module; %i is the attribute", "leave out :ATTR")
    directory = os.path.abspath(session.settings.app_dir or os.getcwd())
    if not os.path.isdir(directory):
        raise errors.usage(f"--app-dir {directory}: no such directory")
    timeout = given["shutdown_timeout"]
    if timeout is None:
        timeout = given["shutdown_timeout"] = plans.SHUTDOWN_TIMEOUT
    name = plans.name_of(wanted)
    words = (*_of_session(session, directory, format_), *_words(session.ctx, given))
    runs_as = user or plans.owner(directory)
    if runs_as == "root" and format_ not in _IN_CONTAINERS:
        session.notice(f"it will run as root, who owns {directory}; --user chooses another")
    plan = plans.Plan(
        app=wanted,
        name=name,
        words=words,
        command=shlex.join((format_, wanted, *_said(session.ctx))),
        directory=directory,
        user=runs_as,
        image=image or f"{name}:latest",
        stop_signal=given["graceful_signal"] or "TERM",
        stop_s=int(timeout) + plans.MARGIN,
        http=given["http"],
        template=template,
        endless=given["max_time"] is not None,
    )
    plans.refuse_controls(plan.app, *words, directory, plan.user, plan.image, sys.executable)
    module, _, function = _FORMATS[format_].partition(":")
    render = getattr(import_module(f"hueyctl.scaffolding.{module}"), function)
    session.output.write(render(plan))


def _refuse_what_does_not_fit(
    format_: str,
    given: dict[str, Any],
    template: bool,
    user: str | None,
    image: str | None,
) -> None:
    misplaced = (
        ("--template", template, ("systemd",)),
        ("--user", user, ("systemd", "supervisor")),
        ("--image", image, _IN_CONTAINERS),
    )
    for option, said, formats in misplaced:
        if said and format_ not in formats:
            raise errors.usage(f"{option} is for {' and '.join(formats)}, not for {format_}")
    if template and given["http"]:
        raise errors.usage(
            "each unit of a template needs a port of its own",
            "give it in its EnvironmentFile: HUEYCTL_CONSUME_HTTP=127.0.0.1:9808",
        )


# --- the command line of consume --------------------------------------------------------------


def _words(ctx: click.Context, given: dict[str, Any]) -> list[str]:
    """The options of consume that were said here, and how long a stop waits."""
    words = []
    for param in ctx.command.params:
        name = param.name or ""
        if name in _PASSED and (_is_said(ctx, name) or name == "shutdown_timeout"):
            words += _spelled(param, given[name])
    return words


def _said(ctx: click.Context) -> list[str]:
    """What was said to this command, for the first lines of the file."""
    return [
        word
        for param in ctx.command.params
        if isinstance(param, click.Option) and _is_written(ctx, param)
        for word in _spelled(param, _value(ctx, param))
    ]


def _is_said(ctx: click.Context, name: str) -> bool:
    """By whatever means: the variables and the table of this command are nobody else's."""
    return ctx.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)


def _is_written(ctx: click.Context, param: click.Option) -> bool:
    source = ctx.get_parameter_source(param.name or "")
    return source is ParameterSource.COMMANDLINE or (
        not isinstance(param, GlobalOption) and _is_said(ctx, param.name or "")
    )


def _value(ctx: click.Context, param: click.Option) -> Any:
    if param.name in ctx.params:
        return ctx.params[param.name]
    return ctx.meta.get(KEY, {}).get(param.name, (0, None))[1]


def _spelled(param: click.Parameter, value: Any) -> list[str]:
    """An option as one would write it."""
    positive = max(param.opts, key=len)
    if param.multiple:
        return [word for each in value for word in (positive, _text(each))]
    if isinstance(value, bool):
        return [positive if value else param.secondary_opts[0]]
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


def _of_session(session: Session, directory: str, format_: str) -> list[str]:
    """The global options that say which queue, as they are to be said there."""
    ctx, words = session.ctx, []
    inside = format_ in _IN_CONTAINERS
    held = ctx.meta.get(KEY, {})
    said = {name: value for name, (rank, value) in held.items() if rank == 3}
    if config := ctx.meta.get("hueyctl.config_file") or (inside and _project_config(directory)):
        words += ["--config", _in_image(config, directory) if inside else os.path.abspath(config)]
    if url := said.get("url"):
        words += ["--url", url if inside else _absolute(url)]
    for queue in said.get("queue", ()):
        words += ["--queue", queue]
    return words + ["--verbose"] * said.get("verbose", 0) + ["--quiet"] * said.get("quiet", 0)


def _project_config(directory: str) -> str | None:
    """In the image the working directory is the volume, where nobody looks for it."""
    from hueyctl.config import candidates

    return next((path for path in candidates() if os.path.dirname(path) == directory), None)


def _in_image(path: str, directory: str) -> str:
    inside = os.path.relpath(path, directory)
    if inside.startswith(".."):
        raise errors.usage(f"{path} is outside of {directory}, so it is not in the image")
    return f"/app/{inside}"


def _absolute(url: str) -> str:
    """Relative to where this command runs, not to the application."""
    from urllib.parse import quote

    from hueyctl.finding.urls import parse_url

    if url.startswith("@"):
        return f"@{os.path.abspath(url[1:])}"
    location = parse_url(url)
    if os.path.isabs(location.filename):
        return url
    queue = f"?name={quote(location.queue)}" if location.queue else ""
    return f"sqlite:///{quote(os.path.abspath(location.filename))}{queue}"

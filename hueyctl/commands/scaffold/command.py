"""``hueyctl scaffold``: a file that runs a consumer for good."""

from __future__ import annotations

import os
import shlex
import sys
from importlib import import_module
from typing import Any

import click

from hueyctl import errors
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.service.options import running_options

_FORMATS = {
    "systemd": "systemd:render",
    "supervisor": "supervisord:render",
    "docker": "docker:render",
    "compose": "docker:compose",
    "kubernetes": "kubernetes:render",
}
_IN_CONTAINERS = ("docker", "compose", "kubernetes")


@command(
    "scaffold",
    examples=[
        "hueyctl scaffold systemd app.huey -w 4 > /etc/systemd/system/app-worker.service",
        "hueyctl scaffold systemd myapp.queues --template -w 4",
        "hueyctl scaffold kubernetes app.huey -w 4 --http 0.0.0.0:9808",
        "hueyctl scaffold docker app.huey > Dockerfile",
        "hueyctl scaffold compose app.huey -w 4 --engine postgres > compose.yaml",
    ],
    arguments=[
        ("FORMAT", ", ".join(_FORMATS)),
        ("APP", "MODULE:ATTR or MODULE.ATTR, before --app; with --template, MODULE."),
    ],
)
@click.argument("format_", type=click.Choice(tuple(_FORMATS)), metavar="FORMAT")
@click.argument("named", required=False, metavar="[APP]")
@running_options
@click.option("--template", is_flag=True, help="systemd: one unit for many; %i is the attribute.")
@click.option("--user", metavar="NAME", help="Run as (the owner of the directory).")
@click.option("--image", metavar="IMAGE", help="The container's image (after the application).")
@click.option(
    "--engine",
    type=click.Choice(("sqlite", "postgres", "redis")),
    default="sqlite",
    show_default=True,
    help="docker, compose: where the queue is; the others add a server.",
)
def scaffold(
    session: Session,
    format_: str,
    named: str | None,
    template: bool,
    user: str | None,
    image: str | None,
    engine: str,
    **given: Any,
) -> None:
    """Print a file that keeps a consumer running.

    Its command line has the options of consume that are given here, and the file fits them: stop
    signal, time to stop, probes, restarts. Nothing is imported and nothing is written; read it,
    then put it where its first line says. The working directory is --app-dir, or the one here.
    """
    from hueyctl.commands.scaffold import deployment as deployments
    from hueyctl.commands.scaffold.commandline import said, words_of

    wanted = named or session.settings.app
    if not wanted:
        raise errors.usage("say which application", f"hueyctl scaffold {format_} MODULE:ATTR")
    _refuse_what_does_not_fit(format_, given, template, user, image)
    server = None if engine == "sqlite" else engine
    if server:
        _refuse_other_places(session, format_, server)
    if template and ":" in wanted:
        raise errors.usage("a template names the module; %i is the attribute", "leave out :ATTR")
    directory = os.path.abspath(session.settings.app_dir or os.getcwd())
    if not os.path.isdir(directory):
        raise errors.usage(f"--app-dir {directory}: no such directory")
    timeout = given["shutdown_timeout"]
    if timeout is None:
        timeout = given["shutdown_timeout"] = deployments.SHUTDOWN_TIMEOUT
    name = deployments.name_of(wanted)
    words = tuple(words_of(session, given, directory, inside=format_ in _IN_CONTAINERS))
    runs_as = user or deployments.owner(directory)
    if runs_as == "root" and format_ not in _IN_CONTAINERS:
        session.notice(f"it will run as root, who owns {directory}; --user chooses another")
    deployment = deployments.Deployment(
        app=wanted,
        name=name,
        words=words,
        command=shlex.join((format_, wanted, *said(session.ctx))),
        directory=directory,
        user=runs_as,
        image=image or f"{name}:latest",
        stop_signal=given["graceful_signal"] or "TERM",
        stop_s=int(timeout) + deployments.MARGIN,
        http=given["http"],
        kind=given["worker_type"],
        template=template,
        endless=given["max_time"] is not None,
        server=server,
    )
    deployments.refuse_controls(
        deployment.app, *words, directory, deployment.user, deployment.image, sys.executable
    )
    module, _, function = _FORMATS[format_].partition(":")
    render = getattr(import_module(f"hueyctl.commands.scaffold.{module}"), function)
    session.output.write(render(deployment))


def _refuse_other_places(session: Session, format_: str, engine: str) -> None:
    if format_ not in ("docker", "compose"):
        raise errors.usage(
            f"--engine is for docker and compose, not for {format_}",
            "say where the server is with --url",
        )
    if session.settings.url:
        raise errors.usage(f"--engine {engine} makes a server, --url names another one")


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
    for option, value, formats in misplaced:
        if value and format_ not in formats:
            raise errors.usage(f"{option} is for {' and '.join(formats)}, not for {format_}")
    if template and given["http"]:
        raise errors.usage(
            "each unit of a template needs a port of its own",
            "give it in its EnvironmentFile: HUEYCTL_CONSUME_HTTP=127.0.0.1:9808",
        )

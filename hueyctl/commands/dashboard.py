"""``hueyctl dashboard``: the queue in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.params import Integer

if TYPE_CHECKING:
    from hueyctl.dashboard.board import Board

_PORT = 8787


@command(
    "dashboard",
    examples=[
        "hueyctl dashboard --open",
        "hueyctl dashboard -u postgresql://ann@db1/shop --allow-changes",
        "hueyctl dashboard --base /ops/queue --allow-host ops.example.com --token-file token",
    ],
    codes=[exits.NOT_FOUND, exits.UNAVAILABLE, exits.CONFIG],
)
@click.option(
    "--port",
    type=Integer(0, 65535),
    default=_PORT,
    show_default=True,
    metavar="N",
    help="Where to listen; 0 for a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The address to listen on.",
)
@click.option("--base", default="", metavar="PATH", help="Where a proxy shows it, like /ops/queue.")
@click.option("--open", "open_", is_flag=True, help="Open it in a browser.")
@click.option("--allow-changes", is_flag=True, help="Whoever has the link may change things too.")
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="A name by which browsers may call it; repeatable.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    help="Keep the token of the link here, so that it outlives a restart; made if it is missing.",
)
def dashboard(
    session: Session,
    port: int,
    host: str,
    base: str,
    open_: bool,
    allow_changes: bool,
    allow_host: tuple[str, ...],
    token_file: str | None,
) -> int:
    """Show the queue in a browser, until interrupted.

    The link that is printed has a token: whoever opens it may look, from this machine alone unless
    --host says otherwise, and may change nothing without --allow-changes. What they change is in
    the event log under the name of who started the dashboard.

    It needs the extra: pip install 'hueyctl[dashboard]'. An application can show the same pages
    behind its own login (see "hueyctl help browser").
    """
    if base and not base.startswith("/"):
        raise errors.usage(f"--base {base} does not begin with a slash", f"--base /{base}")
    _check_extra()
    from hueyctl.dashboard.asks import Person
    from hueyctl.dashboard.routes import responder
    from hueyctl.dashboard.server import Server, token_of
    from hueyctl.operator import operator

    board = _board(session)
    token = token_of(token_file)
    server = Server(host, port)
    link = server.link(base.rstrip("/"), token)
    if not server.is_local:
        session.notice("others reach it as well, and what they send is not encrypted")
    session.output.line(link)
    session.remark("^C ends it")
    if open_:
        import webbrowser

        webbrowser.open(link)
    person = Person(operator(), allow_changes)
    server.serve(responder(board), person, token, base=base.rstrip("/"), hosts=allow_host)
    return exits.OK


def _board(session: Session) -> Board:
    from hueyctl.dashboard.board import Board

    location = session.where()
    session.check_queues(session.looking())
    return Board(location, session.queues())


def _check_extra() -> None:
    from importlib.util import find_spec

    if not (find_spec("jinja2") and find_spec("waitress")):
        raise errors.CliError(
            "the dashboard needs jinja2 and waitress",
            exits.CONFIG,
            "pip install 'hueyctl[dashboard]'",
        )

"""``hueyctl help``: commands, and topics that belong to no command."""

from __future__ import annotations

from typing import Any

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.commands.help.topics import TOPICS, unknown
from hueyctl.context import Session
from hueyctl.docs.topics import ABOUT


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    place, root = ctx.find_root(), ctx.find_root().command
    found: click.Command | None = root
    for name in ctx.params.get("words") or ():
        found = found.get_command(place, name) if isinstance(found, click.Group) else None
    items = found.shell_complete(place, incomplete) if isinstance(found, click.Group) else []
    more = ABOUT if found is root else {}
    return items + [
        CompletionItem(name, help=about)
        for name, about in more.items()
        if name.startswith(incomplete)
    ]


@command(
    "help",
    examples=[
        "hueyctl help dead retry",
        "hueyctl help exit-codes",
        "hueyctl help schemas job/1",
        "hueyctl help --man consume",
    ],
    arguments=[("WORD", "A command, or a topic.")],
    codes=[exits.NOT_FOUND],
)
@click.argument("words", nargs=-1, metavar="[COMMAND|TOPIC]...", shell_complete=_complete)
@click.option("--man", is_flag=True, help="Open the manual page.")
def help_(session: Session, words: tuple[str, ...], man: bool) -> None:
    """Explain a command or a topic."""
    if man and _open_page(session, words):
        return
    root = session.ctx.find_root()
    if not words:
        click.echo(root.get_help())
        return
    if words[0] in TOPICS and len(words) <= 1 + (words[0] == "schemas"):
        session.output.for_reading()
        TOPICS[words[0]](session, *words[1:])
        return
    click.echo(_find(root, words).get_help())


help_.help = "\n".join(
    [f"{help_.help}\n\n\b\nTopics:", *(f"  {name:<13} {about}" for name, about in ABOUT.items())]
)


def _find(root: click.Context, words: tuple[str, ...]) -> click.Context:
    ctx = root
    for name in words:
        group = ctx.command if isinstance(ctx.command, click.Group) else None
        found = group.get_command(ctx, name) if group else None
        if found is None:
            known = group.list_commands(ctx) if group else []
            raise unknown(" ".join(words), known + (list(TOPICS) if ctx is root else []))
        ctx = found.context_class(found, parent=ctx, info_name=found.name)
    return ctx


def _open_page(session: Session, words: tuple[str, ...]) -> bool:
    """Show the packaged page; False where there is no man to show it."""
    import shutil
    import subprocess
    import sys

    from hueyctl.docs.packaged import man_page

    if words and words[0] in TOPICS:
        name = f"hueyctl-{words[0]}"
    else:
        name = _find(session.ctx.find_root(), words).command_path.replace(" ", "-")
    page, program = man_page(name), shutil.which("man")
    if page is None or program is None:
        session.notice("no manual page here" if page is None else "there is no man; see below")
        return False
    sys.stdout.flush()
    # BSD's man has no -l and takes a path as it is.
    local = [] if sys.platform == "darwin" else ["-l"]
    subprocess.run([program, *local, page], check=False)
    return True

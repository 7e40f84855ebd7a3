"""``hueyctl help``: commands, and topics that belong to no command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.docs.topics import ABOUT, PAGES

if TYPE_CHECKING:
    from collections.abc import Callable


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
            raise _unknown(" ".join(words), known + (list(TOPICS) if ctx is root else []))
        ctx = click.Context(found, parent=ctx, info_name=found.name)
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


def _unknown(name: str, known: list[str]) -> errors.CliError:
    from difflib import get_close_matches

    near = get_close_matches(name.rpartition(" ")[2], known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none'}"
    return errors.CliError(f"no command or topic {name!r}", exits.NOT_FOUND, hint)


def _exit_codes(session: Session) -> None:
    from hueyctl.docs.topics import exit_codes
    from hueyctl.output.columns import Column

    rows = exit_codes()
    if session.output.is_json:
        session.output.objects(row._asdict() for row in rows)
        return
    known = {
        "code": Column("code", "CODE", "int", lambda row: row.code),
        "name": Column("name", "NAME", "text", lambda row: row.name),
        "when": Column("when", "WHEN", "text", lambda row: row.when),
    }
    session.output.rows(
        rows, known, ("code", "name", "when"), name=lambda row: str(row.name), cut=False
    )


def _states(session: Session) -> None:
    """Print the transition table of the storage, the one that its tests read as well."""
    from hueycore.model.states import TRANSITIONS
    from hueyctl.output.columns import Column

    if session.output.is_json:
        session.output.objects(
            {
                "verb": row.verb,
                "before": [str(state) for state in row.before],
                "after": [str(state) for state in row.after],
                "fence": row.fence or None,
                "counts": row.counts or None,
            }
            for row in TRANSITIONS
        )
        return
    known = {
        "verb": Column("verb", "VERB", "text", lambda row: row.verb),
        "before": Column("before", "FROM", "text", lambda row: ", ".join(row.before) or "-"),
        "after": Column("after", "TO", "text", lambda row: ", ".join(row.after) or "gone"),
        "fence": Column("fence", "FENCED BY", "text", lambda row: row.fence),
        "counts": Column("counts", "COUNTS", "text", lambda row: row.counts),
    }
    session.output.rows(
        TRANSITIONS, known, ("verb", "before", "after", "fence", "counts"),
        name=lambda row: str(row.verb), cut=False,
    )  # fmt: skip


def _schemas(session: Session, name: str | None = None) -> None:
    """Print all schemas, or one: ``hueyctl.job/1``, ``job/1``, ``job``."""
    import json

    from hueyctl.commands.help.schemas import schemas

    found = schemas()
    shown: Any = found
    if name is not None:
        near = [each for each in found if each.removeprefix("hueyctl.").startswith(f"{name}/")]
        key = next((each for each in (name, f"hueyctl.{name}", *near) if each in found), None)
        if key is None:
            raise _unknown(f"schemas {name}", [each.removeprefix("hueyctl.") for each in found])
        shown = found[key]
    session.output.line(json.dumps(shown, indent=2))


def _text(name: str) -> Callable[[Session], None]:
    def show(session: Session) -> None:
        from shutil import get_terminal_size

        from hueyctl.docs.markdown import WIDTH, as_text
        from hueyctl.docs.topics import text_of

        if session.output.is_json:
            session.output.document({"topic": name, "text": as_text(text_of(name))})
        else:
            width = min(get_terminal_size((WIDTH, 0)).columns, 100)
            session.output.line(as_text(text_of(name), width))

    return show


TOPICS: dict[str, Callable[..., None]] = {
    "exit-codes": _exit_codes,
    "states": _states,
    "schemas": _schemas,
    **{name: _text(name) for name in (*PAGES, "environment")},
}

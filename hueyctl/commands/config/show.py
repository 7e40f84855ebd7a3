"""``hueyctl config show``: what is set, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from hueyctl.sources import Setting


@command(
    "show",
    examples=[
        "hueyctl config show",
        "hueyctl config show --all",
        "hueyctl config show --json",
    ],
    codes=[exits.CONFIG],
)
@click.option(
    "-a",
    "--all/--changed",
    "everything",
    default=None,
    help="Every setting (default in JSON), or what is not at its default (else).",
)
def config_show(session: Session, everything: bool | None) -> None:
    """Print the settings that differ from their defaults, with their values and sources.

    The source is a flag, an environment variable, a line of a config file, or the default; of
    these, the first that is there wins. Settings of one command are named after it:
    consume.workers. Passwords are masked.
    """
    from hueyctl.sources import current, of_commands

    rows = [*current(session.ctx), *of_commands(session.ctx)]
    output = session.output
    number = len(rows)
    if not (output.is_json if everything is None else everything):
        rows = [row for row in rows if row.source != "default"]
    if output.format == "json":
        output.document(
            {"schema": "hueyctl.config/1", "settings": [row.as_object() for row in rows]}
        )
        return
    if output.is_json:
        output.objects(row.as_object() for row in rows)
        return
    _print(session, rows)
    if number > len(rows):
        left = "Everything is" if not rows else f"The other {number - len(rows)} are"
        session.remark(f"{left} at {'its default' if not rows else 'their defaults'}: --all")


def _print(session: Session, rows: list[Setting]) -> None:
    from hueyctl.output.columns import Column

    known = {
        "setting": Column("setting", "SETTING", "text", lambda row: row.setting),
        "value": Column("value", "VALUE", "text", lambda row: _text(row.value)),
        "source": Column("source", "SOURCE", "text", lambda row: row.source),
        "where": Column("where", "WHERE", "text", lambda row: row.where),
    }
    session.output.rows(
        rows,
        known,
        ("setting", "value", "source", "where"),
        name=lambda row: str(row.setting),
        fold=True,
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value)) or None
    return None if value is None else str(value)

"""``hueyctl db info``: what a storage is, and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueyctl import exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.units import size

if TYPE_CHECKING:
    from hueycore.model.reports import Info
    from hueycore.storage.base import Storage


@command(
    "info",
    examples=["hueyctl db info", "hueyctl db info --json | jq .free_bytes"],
    codes=[exits.UNAVAILABLE, exits.CONFIG],
)
def db_info(session: Session) -> int:
    """Print the engine, its size, its log, and what a vacuum would give back.

    A reader that never ends keeps a log long, or dead rows where they are: it is named as far as
    the engine knows it.
    """
    storage = session.looking()
    found = storage.info()
    document = _document(found, storage.url)
    output = session.output
    if output.is_json:
        output.document({"schema": "hueyctl.db/1", **document})
        return exits.OK
    from hueyctl.output.columns import Column

    known = {
        "name": Column("name", "NAME", "text", lambda row: row[0]),
        "value": Column("value", "VALUE", "text", lambda row: row[1]),
    }
    rows = [(name, _text(value)) for name, value in document.items()]
    output.rows(rows, known, ("name", "value"), name=lambda row: str(row[0]), fold=True)
    session.remark(_vacuum(session, found, storage))
    return exits.OK


def _vacuum(session: Session, found: Info, storage: Storage) -> str:
    """What one would give back, or what does it in its place."""
    if found.free is None:
        return f"Space that is free again: {storage.tool('vacuum')}."
    if not found.free:
        return "A vacuum would give nothing back to the disk."
    step = session.next_step("hueyctl db vacuum")
    return f"A vacuum gives {size(found.free)} back to the disk: {step}"


def _document(found: Info, url: str) -> dict[str, Any]:
    return {
        "engine": found.engine,
        "version": found.version,
        "url": url,
        "schema_version": found.schema,
        "size_bytes": found.size,
        "log_bytes": found.log,
        "free_bytes": found.free,
        "oldest_reader_s": found.oldest_reader_s,
        **found.facts,
    }


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)

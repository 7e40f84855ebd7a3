"""Housekeeping of a whole storage: what the commands ``hueyctl db …`` share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hueyctl import errors, exits, streams

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueycore.storage.sqlite.backup import OnProgress


def refuse_servers(storage: Storage, verb: str) -> None:
    """Exit 6 where a tool of the server's is the answer."""
    tool = storage.tool(verb)
    if tool is not None:
        raise errors.CliError(
            f"only a queue file has a {verb} here; a server has tools of its own",
            exits.REFUSED,
            tool,
        )


def refuse_consumers(storage: Storage) -> None:
    """Exit 6 while a consumer lives."""
    alive = [row for row in storage.workers() if row.alive and row.takes_jobs]
    if alive:
        names = ", ".join(sorted({row.name for row in alive}))
        raise errors.CliError(f"consumers work on it: {names}", exits.REFUSED, "stop them first")


@contextmanager
def percentage(wanted: bool | None) -> Iterator[OnProgress | None]:
    """Shows how far something has come; by default on a terminal."""
    shown = streams.is_tty(sys.stderr) if wanted is None else wanted
    try:
        yield _show if shown else None
    finally:
        if shown:
            streams.renew("")


def _show(done: int, total: int) -> None:
    streams.renew(f"{100 * done // max(total, 1)} %")

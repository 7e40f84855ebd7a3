"""``hueyctl stats``."""

from __future__ import annotations

from hueyctl.command import command
from hueyctl.context import Session


@command("stats", examples=["hueyctl stats", "hueyctl stats --json"])
def stats(session: Session) -> None:
    """To come."""

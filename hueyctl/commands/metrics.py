"""``hueyctl metrics``."""

from __future__ import annotations

from hueyctl.command import command
from hueyctl.context import Session


@command("metrics", examples=["hueyctl metrics", "hueyctl metrics --json"])
def metrics(session: Session) -> None:
    """To come."""

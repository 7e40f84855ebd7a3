"""``hueyctl config show``."""

from __future__ import annotations

from hueyctl.command import command
from hueyctl.context import Session


@command("show", examples=["hueyctl config show", "hueyctl config show --json"])
def config_show(session: Session) -> None:
    """To come."""

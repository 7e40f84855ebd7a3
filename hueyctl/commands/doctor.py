"""``hueyctl doctor``."""

from __future__ import annotations

from hueyctl.command import command
from hueyctl.context import Session


@command("doctor", examples=["hueyctl doctor", "hueyctl doctor --json"])
def doctor(session: Session) -> None:
    """To come."""

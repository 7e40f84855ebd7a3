"""``hueyctl check``."""

from __future__ import annotations

from hueyctl.command import command
from hueyctl.context import Session


@command("check", examples=["hueyctl check", "hueyctl check --json"])
def check(session: Session) -> None:
    """To come."""

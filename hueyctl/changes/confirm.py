"""Confirmations: asked on a terminal, refused elsewhere unless the answer was given before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hueyctl import errors, exits, streams

if TYPE_CHECKING:
    from hueyctl.context import Session


def confirm(session: Session, question: str, *, yes: bool, typed: str | None = None) -> None:
    """Return when the answer is yes. "No" is exit 1; where nobody can be asked, exit 6.

    With ``typed`` the person has to write that word: for what cannot be undone.
    """
    if yes:
        return
    if session.settings.no_input or not streams.is_tty(sys.stdin):
        raise errors.CliError(
            f"{_statement(question)} needs a confirmation", exits.REFUSED, "--yes"
        )
    wanted = f" Type {typed!r} to go on: " if typed else " [y/N] "
    # Not click's prompt: it makes ^C the same as "no".
    sys.stderr.write(streams.visible(question + wanted))
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if not (answer == typed if typed else answer.lower() in ("y", "yes")):
        raise errors.CliError("not confirmed; nothing was changed")


def _statement(question: str) -> str:
    first = question.partition("?")[0]
    return first[:1].lower() + first[1:]

"""Dead letters: what the commands ``hueyctl dead …`` share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hueyctl.selection.choice import Choice
from hueyctl.selection.options import selecting
from hueyctl.selection.selection import Selection

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

#: The selector's options. --state has nothing to say here.
letter_options = selecting(leave_out=("state",), all_help="All dead letters.")


def only_dead(choice: Choice) -> Choice:
    """The same jobs as far as they are dead letters: --all is not every state here."""
    return replace(choice, state=("dead",), all_=False)


def selected(session: Session, storage: Storage, choice: Choice) -> Selection:
    return only_dead(choice).selection(session.check_queues(storage))

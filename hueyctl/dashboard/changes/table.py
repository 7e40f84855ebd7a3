"""What can be done, by the name that its address ends with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hueyctl.dashboard.changes import copies, jobs, switches
from hueyctl.dashboard.changes.verbs import VERBS
from hueyctl.dashboard.page import Missing

if TYPE_CHECKING:
    from hueyctl.dashboard.asks import Answer
    from hueyctl.dashboard.page import Page, View

ACTS: Mapping[str, Callable[[View], Answer]] = {
    **{name: jobs.act(name) for name in VERBS},
    "copy": copies.copy,
    "pause": switches.pause,
    "resume": switches.resume,
    "trigger": switches.trigger,
    "withdraw": switches.withdraw,
    "forbid": switches.forbid,
    "unlock": switches.unlock,
}
_PAGES: Mapping[str, Callable[[View], Page]] = {"copy": copies.page, "unlock": switches.unlock_page}


def page(view: View) -> Page:
    """The page of an act that is not done without a look at it."""
    if view.rest in VERBS:
        return jobs.page(view, view.rest)
    if view.rest not in _PAGES:
        raise Missing(f"Nothing is done by {view.ask.path}")
    return _PAGES[view.rest](view)

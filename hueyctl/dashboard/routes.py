"""From an address to an answer, without a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hueycore.exceptions import HueyException
from hueyctl import errors, exits
from hueyctl.dashboard import assets, twins
from hueyctl.dashboard.asks import Answer, Ask, Respond, document, text
from hueyctl.dashboard.board import Board, board_of
from hueyctl.dashboard.changes import notices
from hueyctl.dashboard.changes import table as acts
from hueyctl.dashboard.guard import guarded
from hueyctl.dashboard.page import Missing, Page, View
from hueyctl.dashboard.pages import (
    dead,
    events,
    find,
    health,
    job,
    jobs,
    limits,
    overview,
    periodic,
    queues,
    tasks,
    workers,
)
from hueyctl.dashboard.render import html

if TYPE_CHECKING:
    from hueyctl.dashboard.board import Queue

#: A page of its own, and with ``/*`` one of each thing that is named after it.
PAGES: Mapping[str, Callable[[View], Page]] = {
    "overview": overview.page,
    "jobs": jobs.page,
    "jobs/*": job.page,
    "dead": dead.page,
    "periodic": periodic.page,
    "limits": limits.page,
    "queues/*": queues.page,
    "tasks": tasks.page,
    "tasks/*": tasks.task_page,
    "workers": workers.page,
    "events": events.page,
    "health": health.page,
    "find": find.page,
    "acts/*": acts.page,
}

_STATUS = {exits.NOT_FOUND: 404, exits.USAGE: 400, exits.REFUSED: 409}


def mounted(queue: Queue) -> Respond:
    """What a door opens onto."""
    return responder(board_of(queue))


def responder(board: Board) -> Respond:
    return guarded(lambda ask: respond(board, ask))


def respond(board: Board, ask: Ask) -> Answer:
    """The answer to somebody who may look."""
    name, kind = _split(ask.path)
    if name.startswith("static/"):
        return assets.answer(name.removeprefix("static/"))
    head, _, rest = name.partition("/")
    view = View(board, ask, rest)
    try:
        if ask.changes:
            return _act(view, name)
        page = PAGES.get(f"{head}/*" if rest else head or "overview")
        if page is None:
            raise Missing(f"There is no page {ask.path}")
        return _written(view, page(view), kind)
    except Missing as missing:
        return _trouble(view, 404, str(missing), None, kind)
    except (HueyException, errors.CliError, OSError) as error:
        problem = errors.explain(error)
        status = _STATUS.get(problem.code, 503)
        if status == 503:
            board.reopen()
        return _trouble(view, status, problem.message, problem.hint, kind)


def _split(path: str) -> tuple[str, str]:
    """``jobs/48214`` and ``json`` of ``/jobs/48214.json``."""
    name, _, kind = path.strip("/").rpartition(".")
    return (name, kind) if kind in ("html", *twins.KINDS) else (path.strip("/"), "html")


def _written(view: View, page: Page, kind: str) -> Answer:
    if kind == "html":
        shown = html(view, page)
        told = notices.told(view.ask) is not None
        return shown.with_headers(notices.gone(view.ask)) if told else shown
    if kind == "json" and page.document is not None:
        return document(page.document())
    if kind == "tsv" and page.table is not None:
        return text(200, twins.tsv(page.table()), "text/tab-separated-values")
    raise Missing(f"This page is not there as {kind}")


def _trouble(view: View, status: int, message: str, hint: str | None, kind: str) -> Answer:
    if kind != "html":
        return document({"error": {"message": message, "hint": hint}}, status)
    page = Page("trouble.html", message, ("doctor",), {"status": status, "hint": hint})
    return html(view, page, status)


def _act(view: View, name: str) -> Answer:
    if not view.may_change:
        return text(403, "This dashboard only shows: nothing was done.\n")
    head, _, rest = name.partition("/")
    act = acts.ACTS.get(rest) if head == "acts" else None
    if act is None:
        raise Missing(f"Nothing is done by {view.ask.path}")
    try:
        return act(view)
    finally:
        view.board.changed()

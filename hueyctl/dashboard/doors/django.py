"""The door for Django: ``path("ops/queue/<path:page>", view)`` and ``path("ops/queue/", view)``.
Django's admin has it as well (``hueycore.contrib.djhuey.admin``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hueyctl.dashboard import asks, routes
from hueyctl.dashboard.asks import Answer, Ask, Known

if TYPE_CHECKING:
    from hueyctl.dashboard.board import Queue


def django(queue: Queue, *, person: Callable[[Any], Known]) -> Any:
    """A view that shows a queue: a ``Huey``, or the URL of its storage. ``person`` says of a
    request who asks, and whether they may change anything; None is refused."""
    from django.views.decorators.csrf import csrf_exempt

    respond = routes.mounted(queue)

    def view(request: Any, page: str = "") -> Any:
        return response(respond(read(request, page, person(request))))

    return csrf_exempt(view)  # the origin of a form is checked by ``guard``


def read(request: Any, page: str, person: Known) -> Ask:
    """What a request of Django's asks; ``page`` is the end of its path."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    length = headers.get("content-length") or "0"
    query = request.META.get("QUERY_STRING", "")
    body = request.body if asks.fits(length) else None
    base = request.path.removesuffix(page)
    return asks.read(request.method, f"/{page}", query, headers, body, base, person)


def response(answer: Answer) -> Any:
    from django.http import HttpResponse

    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))

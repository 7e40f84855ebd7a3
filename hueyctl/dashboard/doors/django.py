"""The door for Django: ``path("ops/queue/<path:page>", view)`` and ``path("ops/queue/", view)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hueyctl.dashboard import asks, routes
from hueyctl.dashboard.asks import Known

if TYPE_CHECKING:
    from hueyctl.dashboard.board import Queue


def django(queue: Queue, *, person: Callable[[Any], Known]) -> Any:
    """A view that shows a queue: a ``Huey``, or the URL of its storage. ``person`` says of a
    request who asks, and whether they may change anything; None is refused."""
    from django.http import HttpResponse
    from django.views.decorators.csrf import csrf_exempt

    respond = routes.mounted(queue)

    def view(request: Any, page: str = "") -> Any:
        headers = {name.lower(): value for name, value in request.headers.items()}
        length = headers.get("content-length") or "0"
        fits = length.isdecimal() and int(length) <= asks.FORM
        answer = respond(
            asks.read(
                request.method,
                f"/{page}",
                request.META.get("QUERY_STRING", ""),
                headers,
                request.body if fits else None,
                request.path.removesuffix(page),
                person(request),
            )
        )
        return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))

    return csrf_exempt(view)  # the origin of a form is checked by ``guard``

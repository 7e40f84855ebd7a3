"""The door for WSGI: Flask, Pyramid, Bottle, waitress, gunicorn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hueyctl.dashboard import asks, routes
from hueyctl.dashboard.asks import Known, Respond

if TYPE_CHECKING:
    from hueyctl.dashboard.board import Queue

Environ = dict[str, Any]


def wsgi(queue: Queue, *, person: Callable[[Environ], Known]) -> Any:
    """A WSGI application that shows a queue: a ``Huey``, or the URL of its storage. ``person`` says
    of a request's ``environ`` who asks and whether they may change anything; None is refused."""
    return door(routes.mounted(queue), person)


def door(respond: Respond, person: Callable[[Environ], Known]) -> Any:
    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith(("HTTP_", "CONTENT_"))
        }
        length = environ.get("CONTENT_LENGTH") or "0"
        answer = respond(
            asks.read(
                environ["REQUEST_METHOD"],
                _text(environ.get("PATH_INFO", "")),
                environ.get("QUERY_STRING", ""),
                headers,
                environ["wsgi.input"].read(int(length)) if asks.fits(length) else None,
                _text(environ.get("SCRIPT_NAME", "")),
                person(environ),
            )
        )
        start_response(answer.line, list(answer.headers))
        return [answer.body]

    return application


def _text(path: str) -> str:
    """WSGI gives bytes as if they were Latin-1."""
    return path.encode("latin-1").decode("utf-8", "replace")

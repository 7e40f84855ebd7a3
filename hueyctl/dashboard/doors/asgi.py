"""The door for ASGI: FastAPI, Starlette, Litestar, uvicorn."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from hueyctl.dashboard import asks, routes
from hueyctl.dashboard.asks import Known

if TYPE_CHECKING:
    from hueyctl.dashboard.board import Queue


def asgi(queue: Queue, *, person: Callable[[Any], Known | Awaitable[Known]]) -> Any:
    """An ASGI application that shows a queue: a ``Huey``, or the URL of its storage. ``person``
    says of a request's ``scope`` who asks, and whether they may change anything; None is refused.
    It may be a coroutine function."""
    respond = routes.mounted(queue)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        if scope["type"] != "http":
            return
        base = scope.get("root_path", "").rstrip("/")
        found = person(scope)
        ask = asks.read(
            scope["method"],
            scope["path"].removeprefix(base),  # whether or not the server has cut it off
            scope["query_string"].decode("latin-1"),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            await _body(receive),
            base,
            await found if inspect.isawaitable(found) else found,
        )
        answer = await asyncio.to_thread(respond, ask)
        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": answer.body})

    return application


async def _body(receive: Any) -> bytes | None:
    """What was sent; None when that is too much, or who sends it has gone in the middle of it."""
    body, more = b"", True
    while more and len(body) <= asks.FORM:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body if len(body) <= asks.FORM else None

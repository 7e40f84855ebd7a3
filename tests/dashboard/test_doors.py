"""The same pages under a prefix in Flask, FastAPI and Django, behind their own login."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from clikit import QueueFile, fill

from hueycore import Huey, MemoryHuey
from hueycore.exceptions import ConfigurationError
from hueyctl import dashboard

BASE = "/ops/queue"
#: (method, address below the prefix, headers, body) → status, headers in lower case, body
Client = Callable[..., tuple[int, dict[str, str], str]]
USER = "x-user"


def known(name: str | None) -> tuple[str, bool] | None:
    """Ann may change things, bob may look, nobody else is known."""
    return {"ann": ("ann", True), "bob": ("bob", False)}.get(name or "")


def flask(where: str) -> Client:
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.test import Client as Werkzeug

    app = Flask(__name__)
    pages = dashboard.wsgi(where, person=lambda environ: known(environ.get("HTTP_X_USER")))
    client = Werkzeug(DispatcherMiddleware(app, {BASE: pages}))

    def ask(method: str, address: str, headers: dict[str, str], body: bytes) -> Any:
        answer = client.open(BASE + address, method=method, headers=headers, data=body)
        found = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status_code, found, answer.get_data(as_text=True)

    return ask


def fastapi(where: str) -> Client:
    import httpx
    from fastapi import FastAPI

    async def person(scope: Any) -> tuple[str, bool] | None:
        return known(dict(scope["headers"]).get(b"x-user", b"").decode())

    app = FastAPI()
    app.mount(BASE, dashboard.asgi(where, person=person))

    async def sent(method: str, address: str, headers: dict[str, str], body: bytes) -> Any:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:
            answer = await client.request(method, BASE + address, headers=headers, content=body)
        return answer.status_code, dict(answer.headers), answer.text

    def ask(method: str, address: str, headers: dict[str, str], body: bytes) -> Any:
        return asyncio.run(sent(method, address, headers, body))

    return ask


def django(where: str) -> Client:
    import django as library
    from django.conf import settings
    from django.test import Client as Django
    from django.test import override_settings
    from django.urls import path

    if not settings.configured:
        settings.configure(SECRET_KEY="x", ROOT_URLCONF=__name__)
        library.setup()
    view = dashboard.django(where, person=lambda request: known(request.headers.get("X-User")))

    class urls:
        urlpatterns = (
            path("ops/queue/", view),
            path("ops/queue/<path:page>", view),
        )

    def ask(method: str, address: str, headers: dict[str, str], body: bytes) -> Any:
        kind = headers.get("content-type", "")
        given = {name: value for name, value in headers.items() if name != "content-type"}
        with override_settings(
            ROOT_URLCONF=urls,
            ALLOWED_HOSTS=["*"],
            MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        ):
            client = Django(enforce_csrf_checks=True, headers=given)
            answer = client.generic(method, BASE + address, body, kind)
        found = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status_code, found, answer.content.decode()

    return ask


@pytest.fixture(params=[flask, fastapi, django], ids=lambda made: made.__name__)
def client(request: pytest.FixtureRequest, queue: QueueFile) -> Client:
    fill(queue)
    ask = request.param(str(queue.where))

    def as_somebody(
        method: str, address: str, *, user: str = "ann", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"host": "example.org", USER: user} | named
        found: tuple[int, dict[str, str], str] = ask(method, address, given, body)
        return found

    return as_somebody


def test_every_link_of_a_page_stays_below_the_prefix(client: Client) -> None:
    for address in ("/", "/jobs?state=dead", "/jobs/2"):
        status, _, html = client("GET", address)
        assert status == 200
        for link in re.findall(r'(?:href|src|action|data-base)="([^"]*)"', html):
            assert link.startswith(f"{BASE}/") or link == "#board", link


def test_the_style_sheet_and_the_script_are_there(client: Client) -> None:
    _, _, html = client("GET", "/jobs")

    for link in re.findall(r'(?:href|src)="([^"]*/static/[^"]*)"', html):
        status, headers, body = client("GET", link.removeprefix(BASE))
        assert (status, "immutable" in headers["cache-control"]) == (200, True)
        assert body


def test_filters_and_their_next_page_work(client: Client) -> None:
    _, _, html = client("GET", "/jobs?task=app.mail.*")

    assert re.findall(r">#(\d+)</a>", html) == ["4", "3"]
    (twin,) = re.findall(r'href="([^"]*)">JSON', html)
    assert client("GET", unescape(twin).removeprefix(BASE))[0] == 200


def test_nobody_sees_it_without_the_login_of_the_application(client: Client) -> None:
    for user in ("", "eve"):
        status, _, body = client("GET", "/jobs", user=user)
        assert (status, "app.add" in body) == (403, False)


def test_who_may_only_look_is_told_so(client: Client) -> None:
    assert "bob · read-only" in client("GET", "/", user="bob")[2]
    assert client("POST", "/nothing", user="bob", sec_fetch_site="same-origin")[0] == 403


def test_a_form_of_another_site_is_refused_and_one_of_our_own_is_not(client: Client) -> None:
    form = {"content_type": "application/x-www-form-urlencoded", "body": b"a=1"}
    assert client("POST", "/nothing", sec_fetch_site="cross-site", **form)[0] == 403
    assert client("POST", "/nothing", **form)[0] == 403
    assert client("POST", "/nothing", sec_fetch_site="same-origin", **form)[0] == 404
    large = form | {"body": b"a=" + b"x" * 70_000}
    assert client("POST", "/nothing", sec_fetch_site="same-origin", **large)[0] == 413


def test_what_did_not_change_is_not_sent_again(client: Client) -> None:
    link = re.findall(r'href="([^"]*css)"', client("GET", "/jobs")[2])[0].removeprefix(BASE)
    _, headers, _ = client("GET", link)

    assert client("GET", link, if_none_match=headers["etag"])[0] == 304


def test_head_is_get_without_a_body(client: Client) -> None:
    status, headers, body = client("HEAD", "/jobs/1.json")

    assert (status, body) == (200, "")
    assert headers["content-type"].startswith("application/json")


def test_an_application_is_its_queue(queue: QueueFile) -> None:
    huey = Huey("huey", url=str(queue.where))
    try:
        assert callable(dashboard.wsgi(huey, person=lambda environ: None))
    finally:
        huey.close()
    with pytest.raises(ConfigurationError, match="in memory"):
        dashboard.wsgi(MemoryHuey(), person=lambda environ: None)


def test_there_is_no_default_of_who_may_look(queue: QueueFile) -> None:
    for door in (dashboard.wsgi, dashboard.asgi, dashboard.django):
        with pytest.raises(TypeError, match="person"):
            door(str(queue.where))  # type: ignore[call-arg]


def asgi_of(queue: QueueFile, scope: dict[str, Any], *messages: dict[str, Any]) -> list[Any]:
    """What an ASGI application sends to whoever sends this."""
    sent: list[Any] = []
    left = list(messages)

    async def receive() -> Any:
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(
        dashboard.asgi(str(queue.where), person=lambda _: ("ann", True))(scope, receive, send)
    )
    return sent


def test_a_browser_that_goes_in_the_middle_of_a_form_changes_nothing(queue: QueueFile) -> None:
    fill(queue)
    headers = [(b"sec-fetch-site", b"same-origin")]
    headers += [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/acts/pause", "query_string": b""}
    part = {"type": "http.request", "body": b"queue=huey", "more_body": True}

    sent = asgi_of(queue, {**scope, "headers": headers}, part, {"type": "http.disconnect"})
    assert sent[0]["status"] == 413
    assert [row.paused_at for row in queue.storage.queues()] == [None]


def test_a_websocket_is_refused(queue: QueueFile) -> None:
    sent = asgi_of(queue, {"type": "websocket"}, {"type": "websocket.connect"})

    assert sent == [{"type": "websocket.close"}]

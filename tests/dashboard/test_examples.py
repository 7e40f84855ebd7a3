"""The page of the dashboard: what it mounts is run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from clikit import ROOT, QueueFile, fill

from hueycore import Huey

TEXT = (ROOT / "man" / "pages" / "browser.md").read_text("utf-8")


def example(name: str) -> str:
    """The code of the page that begins with this word."""
    (found,) = re.findall(rf"```python\n# ({name}.*?)```", TEXT, re.DOTALL)
    return f"# {found}"


@pytest.fixture
def huey(queue: QueueFile) -> Iterator[Huey]:
    fill(queue)
    found = Huey("huey", url=str(queue.where))
    yield found
    found.close()


def test_flask(huey: Huey) -> None:
    found: dict[str, Any] = {"huey": huey, "__name__": "app"}
    exec(example("Flask"), found)
    client = found["app"].test_client()

    assert client.get("/ops/queue/").status_code == 403
    answer = client.get("/ops/queue/", environ_overrides={"REMOTE_USER": "bob"})
    assert "bob · read-only" in answer.get_data(as_text=True)
    answer = client.get("/ops/queue/", environ_overrides={"REMOTE_USER": "ann"})
    assert "read-only" not in answer.get_data(as_text=True)


def test_fastapi(huey: Huey) -> None:
    import httpx

    found: dict[str, Any] = {"huey": huey}
    exec(example("FastAPI"), found)

    async def get(user: str | None) -> Any:
        async def logged_in(scope: Any, receive: Any, send: Any) -> None:
            await found["app"](scope | {"state": {"user": user}}, receive, send)

        transport = httpx.ASGITransport(app=logged_in)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:
            return await client.get("/ops/queue/jobs")

    assert asyncio.run(get(None)).status_code == 403
    assert "#5" in asyncio.run(get("ann")).text


def test_django(huey: Huey) -> None:
    import django
    from django.conf import settings
    from django.test import RequestFactory, override_settings

    if not settings.configured:
        settings.configure(SECRET_KEY="x")
        django.setup()
    found: dict[str, Any] = {"huey": huey}
    exec(example("Django"), found)

    def user(is_staff: bool) -> Any:
        return SimpleNamespace(is_staff=is_staff, is_superuser=False, get_username=lambda: "bob")

    with override_settings(ALLOWED_HOSTS=["*"]):
        for is_staff, status in ((False, 403), (True, 200)):
            request = RequestFactory().get("/ops/queue/jobs/2")
            request.user = user(is_staff)
            assert found["queue"](request, page="jobs/2").status_code == status

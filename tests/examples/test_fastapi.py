"""The FastAPI example: queue, look, wait, health; a real consumer runs the jobs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.examples.conftest import Example

pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")


@pytest.mark.feature("async")
def test_an_application_queues_looks_waits_and_tells_its_health(example: Example) -> None:
    app = example("fastapi_app", "app", "tasks.huey")
    asyncio.run(use(app.app))
    app.huey.close()


async def use(app: Any) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        async with asyncio.timeout(30):
            begun = (await client.post("/report/7")).json()
            assert await over(client, begun["task_id"]) == {
                "state": "done",
                "value": {"user": 7, "lines": 70},
            }
            assert (await client.get("/report/status/nonsense")).status_code == 404

            names = [f"n{number}" for number in range(20)]
            asked = await asyncio.gather(*(client.post("/ask", json=[name]) for name in names))
            assert [answer.json()["answers"] for answer in asked] == [
                [f"{name} says hello"] for name in names
            ]

            health = (await client.get("/health")).json()
            assert health == {"consumers": 1, "pending": 0, "scheduled": 0, "dead": 0}

            failing = (await client.post("/report/0")).json()
            while (health := (await client.get("/health")).json())["scheduled"] == 0:
                await asyncio.sleep(0.01)
            found = (await client.get(f"/report/status/{failing['task_id']}")).json()
            assert found == {"state": "scheduled", "value": None}


async def over(client: Any, task_id: str) -> Any:
    """What the status says in the end."""
    while True:
        found = (await client.get(f"/report/status/{task_id}")).json()
        if found["state"] not in ("pending", "running"):
            return found
        await asyncio.sleep(0.01)

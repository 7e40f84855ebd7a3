"""The tasks: `hueyctl consume tasks.huey -w 4` runs them, in a process of its own."""

import asyncio
import os
from typing import Any

from hueycore import SqliteHuey

huey = SqliteHuey("reports", os.environ.get("HUEY_FILE", "huey.db"))


@huey.task(retries=2, retry_delay=5)
def generate_report(user_id: int) -> dict[str, Any]:
    """Heavy work, a plain function."""
    if user_id <= 0:
        raise ValueError(f"there is no user {user_id}")
    return {"user": user_id, "lines": user_id * 10}


@huey.task(timeout=30)
async def ask_everybody(names: list[str]) -> list[str]:
    """Work that waits: a coroutine on the loop of its worker."""

    async def ask(name: str) -> str:
        await asyncio.sleep(0.01)
        return f"{name} says hello"

    return await asyncio.gather(*map(ask, names))

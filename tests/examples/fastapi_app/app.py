"""A FastAPI application that hands its heavy work to a queue: `fastapi run app.py`."""

from typing import Any

from fastapi import FastAPI, HTTPException
from tasks import ask_everybody, generate_report, huey

from hueycore import Result, ResultTimeout, TaskException, UnknownJob

app = FastAPI()


@app.post("/report/{user_id}", status_code=202)
async def begin_report(user_id: int) -> dict[str, str]:
    """Queue it and answer at once. It is on disk when the client has the id."""
    handle = await generate_report.aenqueue(user_id)
    return {"task_id": handle.id}


@app.get("/report/status/{task_id}")
def report_status(task_id: str) -> dict[str, Any]:
    """Where it is, and its value; reading does not take it away."""
    handle: Result[Any] = Result(huey, task_id)
    try:
        return {"state": str(handle.state), "value": handle.get(preserve=True)}
    except UnknownJob:
        raise HTTPException(404, f"no report {task_id}") from None
    except TaskException as error:
        return {"state": str(handle.state), "error": str(error)}


@app.post("/ask")
async def ask(names: list[str]) -> dict[str, Any]:
    """Hold the request until the job is over; the loop serves others meanwhile."""
    handle = await ask_everybody.aenqueue(names)
    try:
        return {"answers": await handle.aget(timeout=10)}
    except ResultTimeout:
        raise HTTPException(504, f"{handle.id} takes longer") from None


@app.get("/health")
def health() -> dict[str, int]:
    """503 when nobody works on the queue."""
    workers = sum(worker.alive for worker in huey.storage.workers())
    if not workers:
        raise HTTPException(503, "no consumer is running")
    return {
        "consumers": workers,
        "pending": huey.pending_count(),
        "scheduled": huey.scheduled_count(),
        "dead": huey.dead_count(),
    }

"""A batch of jobs as text: what is to be enqueued later, if at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hueycore.model.jobs import NewJob
from hueycore.model.plan import Edge, Plan


def pack(jobs: Sequence[NewJob], plan: Plan) -> str:
    """A batch as text, for ``Plan.handlers``; its first job is called with the error. Raises
    ValueError for what no row can hold: it would be found out by the ending of the other job."""
    for job in jobs:
        numbers = (job.priority, job.retries, job.retry_delay, job.retry_backoff, job.timeout or 0)
        if not all(isinstance(n, int | float) for n in numbers) or min(numbers[1:3]) < 0:
            raise ValueError(f"the error handler {job.task} has options that no job can have")
    return json.dumps(
        {
            "jobs": [
                {
                    **job._asdict(),
                    "payload": job.payload.hex(),
                }
                for job in jobs
            ],
            "edges": list(plan.edges),
            **{
                name: list(getattr(plan, name).items())
                for name in ("delays", "expiries", "handlers")
            },
        }
    )


def unpack(text: str) -> tuple[list[NewJob], Plan]:
    found: dict[str, Any] = json.loads(text)
    jobs = [NewJob(**{**job, "payload": bytes.fromhex(job["payload"])}) for job in found["jobs"]]
    plan = Plan(
        [Edge(*edge) for edge in found["edges"]],
        *(dict(found[name]) for name in ("delays", "expiries", "handlers")),
    )
    return jobs, plan

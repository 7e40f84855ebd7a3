"""Rows as they are stored, read for those who look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hueycore.model.failures import read_errors
from hueycore.model.jobs import Job
from hueycore.model.states import Asked, State
from hueycore.storage.redis.messagepack import unpack_row
from hueycore.storage.redis.part import PAGE, Part, text
from hueycore.storage.redis.scripts import COLUMNS

PLACES = {name: place for place, name in enumerate(COLUMNS)}
_STATES = {str(state): state for state in State}
_REALS = (
    "priority", "run_at", "delay", "enqueued_at", "started_at", "finished_at", "expires_at",
    "expires_in", "scheduled_for", "retry_delay", "retry_backoff", "timeout", "result_ttl",
    "claimed_at",
)  # fmt: skip


class Row:
    """A job's columns, as its queue keeps them; ``errors`` is a line of JSON for each."""

    __slots__ = ("errors", "progress", "queue", "values")

    def __init__(
        self, queue: str, values: list[Any], progress: str | None = None, errors: str | None = None
    ) -> None:
        self.queue, self.values, self.progress, self.errors = queue, values, progress, errors

    def __getitem__(self, name: str) -> Any:
        """A column by its name, as a table would hold it."""
        if name in PLACES:
            return self.values[PLACES[name]]
        if name == "errors":
            return history(self.errors)
        return self.queue if name == "queue" else self.progress

    @property
    def seq(self) -> int:
        return int(self.values[0])

    def job(self) -> Job:
        values = dict(zip(COLUMNS, self.values, strict=True))
        for name in _REALS:
            if values[name] is not None:
                values[name] = float(values[name])
        state = str(values["state"])
        values["state"] = _STATES.get(state, state)
        for name in ("at_most_once", "delivered"):
            values[name] = bool(values[name])
        values["cancel_requested"] = values["cancel_requested"] in (Asked.STOP, Asked.INTERRUPT)
        if values["taken"] is not None:
            values["taken"] = bool(values["taken"])
        if values["batch"] is not None:
            values["waits"] -= 1  # that one is no stage
        del values["suspect"], values["batch"]
        return Job(
            queue=self.queue,
            progress=self.progress,
            errors=read_errors(history(self.errors)),
            **values,
        )


def history(lines: str | None) -> str | None:
    """The errors of a job as one JSON list; what somebody else wrote stays as it is."""
    if lines and lines.startswith("{"):
        return f"[{','.join(lines.splitlines())}]"
    return lines


def pages(
    part: Part, queue: str, seqs: Sequence[int], *, texts: bool = True
) -> Iterator[list[Row]]:
    """The rows of these numbers that there are, in portions; without their ``texts``, faster."""
    names = ("row", "said", "error") if texts else ("row",)
    for start in range(0, len(seqs), PAGE):
        some = seqs[start : start + PAGE]
        found = part.ask(*(("HMGET", part.key(name, queue), *some) for name in names))
        if not texts:
            yield [Row(queue, unpack_row(data)) for data in found[0] if data]
            continue
        yield [
            Row(queue, unpack_row(data), text(said), text(error))
            for data, said, error in zip(*found, strict=True)
            if data
        ]


def fetch(part: Part, queue: str, seqs: Sequence[int], *, texts: bool = True) -> list[Row]:
    """All of them."""
    return [row for page in pages(part, queue, seqs, texts=texts) for row in page]

"""What ``sql/clockback.py`` says, of rows in Redis."""

from __future__ import annotations

import json

from hueycore.model.jobs import Selector
from hueycore.model.states import State
from hueycore.storage.redis.part import Part, encode
from hueycore.storage.redis.rows import Row
from hueycore.storage.redis.selection import find

#: Rows that one script changes at most: others want to write as well.
GROUP = 500


def bring_back(part: Part) -> None:
    now = part.client.now()
    _shorten_pauses(part, now)
    waiting = Selector(
        queues=(part.queue,),
        states=(State.SCHEDULED, State.PENDING, State.BLOCKED),
        where=(("run_at", ">", now),),
    )
    seqs = [row.seq for row in find(part, waiting, texts=False) if _is_away(row, now)]
    for start in range(0, len(seqs), GROUP):
        part.run("bring_back", {"seqs": seqs[start : start + GROUP]})


def _is_away(row: Row, now: float) -> bool:
    if row["state"] == State.SCHEDULED:
        return bool(row["delay"] > 0 and row["run_at"] > now + row["delay"])
    return not row["waits"]


def _shorten_pauses(part: Part, now: float) -> None:
    for field, text in part.pairs("flag").items():
        told, kind = json.loads(text), field.decode().partition(" ")[0]
        if kind.startswith("paused") and told.get("until") is not None and told["since"] > now:
            told |= {"until": told["until"] - (told["since"] - now), "since": now}
            order = {"hash": "flag", "field": field.decode(), "text": encode(told), "settle": True}
            part.run("order", order)
    at, until = part.client.call("HMGET", part.key("queue"), "paused_at", "paused_until")
    if at is not None and until is not None and float(at) > now:
        by, reason = part.client.call("HMGET", part.key("queue"), "paused_by", "pause_reason")
        part.run(
            "pause",
            {
                "until_": float(until) - (float(at) - now),
                "by": by and by.decode(),
                "reason": reason and reason.decode(),
            },
        )

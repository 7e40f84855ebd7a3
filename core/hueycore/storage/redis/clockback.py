"""What ``sql/clockback.py`` says, of rows in Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from struct import unpack_from

from hueycore.model.states import State
from hueycore.storage.redis.part import PAGE, Part, encode
from hueycore.storage.redis.rows import pages

#: Rows that one script changes at most: others want to write as well.
GROUP = 500


def bring_back(part: Part) -> None:
    now = part.client.now()
    _shorten_pauses(part, now)
    seqs = [*_scheduled(part, now), *_pending(part, now), *_blocked(part, now)]
    for start in range(0, len(seqs), GROUP):
        part.run("bring_back", {"seqs": seqs[start : start + GROUP]})


def _scheduled(part: Part, now: float) -> list[int]:
    """The numbers of jobs that have longer to go than their delay."""
    seqs = [int(one) for one in part.client.call("ZRANGE", part.key(State.SCHEDULED), 0, -1)]
    rows = (row for page in pages(part, part.queue, seqs, texts=False) for row in page)
    return [row.seq for row in rows if row["delay"] > 0 and row["run_at"] > now + row["delay"]]


def _pending(part: Part, now: float) -> Iterator[int]:
    """Those that came later than now: the last ones of each priority. No row is read, of which
    there may be a million when a consumer starts."""
    key, high = part.key(State.PENDING), "+inf"
    while last := part.client.call(
        "ZREVRANGEBYSCORE", key, high, "-inf", "WITHSCORES", "LIMIT", 0, 1
    ):
        later, score, start = last[:1], last[1], 0
        while later and unpack_from(">d", later[-1])[0] > now:
            later = part.client.call("ZREVRANGEBYSCORE", key, score, score, "LIMIT", start, PAGE)
            yield from (_seq(one) for one in later if unpack_from(">d", one)[0] > now)
            start += PAGE
        high = f"({score.decode()}"


def _seq(member: bytes) -> int:
    return int.from_bytes(member[-8:], "big")


def _blocked(part: Part, now: float) -> list[int]:
    """Those that came later than now, and others that the script leaves alone."""
    found = part.client.call("ZRANGEBYSCORE", part.key(State.BLOCKED), f"({now!r}", "+inf")
    return [int(one) for one in found]


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

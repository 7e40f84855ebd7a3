"""Bytes that a job takes of a server that has its data in memory."""

from app import noop
from settings import URL, scaled

from measures.drain import consume, fill, is_empty


def server_bytes() -> dict[str, float]:
    """Of a job that waits, and of one that is done, whose result is stored."""
    import redis

    number = scaled(5000)
    with redis.Redis.from_url(URL) as client:
        empty = client.info("memory")["used_memory"]
        fill(noop, number)
        full = client.info("memory")["used_memory"]
        consume(number, is_empty, 0.02, workers=4)
        done = client.info("memory")["used_memory"]
    return {"waiting_bytes": (full - empty) / number, "done_bytes": (done - empty) / number}

"""An application whose runs leave a line each in the file ``RUNS``; its queue is at ``URL``."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from hueycore import RedisHuey


def _where() -> dict[str, Any]:
    if ports := os.environ.get("SENTINELS"):
        from redis.sentinel import Sentinel

        sentinel = Sentinel([("127.0.0.1", int(port)) for port in ports.split(",")])
        return {"connection_pool": sentinel.master_for("main").connection_pool}
    if ports := os.environ.get("NODES"):
        from redis.cluster import ClusterNode, RedisCluster

        nodes = [ClusterNode("127.0.0.1", int(port)) for port in ports.split(",")]
        return {"client": RedisCluster(startup_nodes=nodes)}
    return {"url": os.environ["URL"]}


huey = RedisHuey("app", timeout=20.0, **_where())


def note(what: object) -> None:
    out = os.open(os.environ["RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, f"{what}\n".encode())
    os.close(out)


@huey.task()
def work(number: int, seconds: float = 0.0) -> int:
    note(number)
    time.sleep(seconds)
    return number


@huey.task()
def stop() -> None:
    """Its process stands still until somebody lets it go on."""
    note("stop")
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.5)

"""What only a Redis server answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from clikit import Write

from tests.redis_servers import RedisServer


def test_a_replica_is_named_before_a_consumer_starts(
    redis_server: RedisServer,
    write: Write,
    hueyctl: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    write("shop.py", f"from hueycore import Huey\nhuey = Huey('shop', url={redis_server.url!r})\n")
    first = hueyctl("consume", "shop", "--preflight")
    redis_server.ask("REPLICAOF", "127.0.0.1", "1")

    done = hueyctl("consume", "shop", "--preflight", "--json")

    assert (first.returncode, done.returncode) == (0, 69)
    (said,) = json.loads(done.stdout)["problems"]
    assert "is a replica, which can only be read" in said

"""Workers that beat, and nothing else of a queue."""

from __future__ import annotations

import json
from typing import Any

from hueycore.storage.redis.client import Client
from hueycore.storage.redis.watch import Watch
from tests.storage.redis.conftest import Script, lua

KEY = "{huey:app}:worker"
BEAT: Script = lua(
    """
    if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
    redis.call('HSET', KEYS[1], ARGV[1] .. ' runs', ARGV[2], ARGV[1] .. ' link', ARGV[3])
    return redis.call('HINCRBY', KEYS[1], ARGV[1] .. ' beat', 1)
    """
)


def beat(run: Any, worker: int, runs: str, link: str) -> int:
    return int(run(BEAT, [KEY], [worker, runs, link]))


def watching(client: Client) -> Watch:
    return Watch(client, beat, KEY)


def register(client: Client, watch: Watch, worker: int) -> None:
    client.call("HSET", KEY, worker, json.dumps(watch.identity()))
    watch.add(worker, 2)

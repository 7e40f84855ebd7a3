"""The Redis engine, seen through its keys: its lab, and a database for each folder of a test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis

from hueycore.model.jobs import Recovered
from hueycore.model.states import State
from hueycore.storage.redis import RedisStorage, scripts
from hueycore.storage.redis.messagepack import unpack
from hueycore.storage.redis.rows import PLACES
from hueycore.storage.redis.scripts import KEPT_LINES, MOVES, compose, keys_of, prefix_of
from tests import redis_servers
from tests.storage.lab import Kind
from tests.storage.redis.contents import Contents, queues, read, snapshot
from tests.storage.redis.invariants import violations
from tests.storage.watch import Move

#: No connection has it.
NOBODY = 2**40
#: No process has it: the greatest of Linux is less.
NO_PROCESS = 2**22 + 1
#: The URL, or the cluster, of each folder of a test.
_urls: dict[Path, str] = {}
_clusters: dict[Path, redis_servers.ClusterOfThree] = {}
_emptied_later = ExitStack()

_SET = compose(
    """#!lua
--#include rows
local row = get(arg.seq)
if not row then return 0 end
for _, pair in ipairs(arg.columns) do row[pair[1] + 1] = pair[2] end
stood[row[SEQ]] = row[STATE]
save(row)
for name, value in pairs(arg.values) do set(name, row[SEQ], value) end
flush()
return 1
"""
)
_SPOIL = compose(
    """#!lua
--#include rows
local flat = call('HGETALL', P .. 'metric')
for n = 1, #flat, 2 do
  local line = cmsgpack.unpack(flat[n + 1])
  line[8], line[9] = '{', '[]'
  call('HSET', P .. 'metric', flat[n], cmsgpack.pack(line))
end
"""
)
_RENUMBER = compose(
    """#!lua
--#include rows
local row, kept, copy = get(arg.seq), {}, {}
for column = 1, #DEFAULT do copy[column] = row[column] end
for _, name in ipairs{'payload', 'handler'} do kept[name] = read(name, row[SEQ]) end
remove(row)
flush()
copy[SEQ] = arg.to
stood[arg.to] = copy[STATE]
save(copy)
if arg.to > (tonumber(read('queue', 'seq') or nil) or 0) then set('queue', 'seq', arg.to) end
set('id', copy[ID], arg.to)
for name, value in pairs(kept) do if value then set(name, arg.to, value) end end
flush()
return 1
"""
)


#: Lines of ``rows.lua``, and what stands there while moves are written down.
_WATCHED = {
    "local function keep_before(row)\n": """
local seen, moves = {}, {}
local function counts(row)
  return row
    and {row[STATE], row[CLAIM], row[ATTEMPT], row[RETRIES], row[CRASHES], row[CANCEL_REQUESTED]}
end
local function note_move(seq, row)
  local old, new, line, same = seen[seq], counts(row), {seq}, true
  for n = 1, 6 do
    local a, b = old and old[n], new and new[n]
    same = same and a == b
    line[#line + 1], line[#line + 2] = a == nil and cjson.null or a, b == nil and cjson.null or b
  end
  seen[seq] = new
  if not same then moves[#moves + 1] = cjson.encode(line) end
end
local function keep_before(row)
""",
    "        was[seq], stood[seq] = places(row), row[STATE]\n": (
        "        was[seq], stood[seq], seen[seq] = places(row), row[STATE], counts(row)\n"
    ),
    "    stood[seq] = state\n  end\n": "    stood[seq] = state\n  end\n  note_move(seq, row)\n",
    "local function flush()\n": """local function flush()
  for n = 1, #moves do call('RPUSH', P .. 'watched', moves[n]) end
  moves = {}
""",
    "  was[seq], held[seq], stood[seq] = was[seq] or {}, false, nil\n": (
        "  note_move(seq, nil)\n  was[seq], held[seq], stood[seq] = was[seq] or {}, false, nil\n"
    ),
}


def _use_scripts(folder: Path) -> None:
    scripts._HERE = folder
    scripts.script.cache_clear()


def open_database(folder: Path, queue: str = "huey", **options: Any) -> RedisStorage:
    server = redis_servers.of_this_run()
    if folder not in _urls:
        _urls[folder] = _emptied_later.enter_context(redis_servers.database(server))
    return RedisStorage(_urls[folder], queue, **options)


def open_cluster(folder: Path, queue: str = "huey", **options: Any) -> RedisStorage:
    if folder not in _clusters:
        _clusters[folder] = redis_servers.cluster_of_this_run(len(_clusters))
        _emptied_later.callback(_clusters[folder].empty)
    own = _clusters[folder].client()
    _emptied_later.callback(own.close)
    return RedisStorage(queue=queue, client=own, **options)


@contextmanager
def empty_databases() -> Iterator[None]:
    """Nothing of a test stays on the server."""
    try:
        yield
    finally:
        _urls.clear()
        _clusters.clear()
        _emptied_later.close()


class RedisLab:
    """``tests.storage.lab.Lab`` of a queue on a server."""

    kept_lines = KEPT_LINES
    batch = MOVES
    transactional = False

    def __init__(self, storage: RedisStorage) -> None:
        self._storage = storage
        self._client = storage.client

    @property
    def closed(self) -> bool:
        return self._client.closed

    def connect(self, *, autocommit: bool = False, read_only: bool = False) -> Any:
        return redis.Redis.from_url(self._storage.url)

    # --- looking -----------------------------------------------------------------------------

    def commits(self) -> int:
        return int(self._client.call("HGET", self._storage.key("queue"), "version") or 0)

    def snapshot(self) -> Any:
        return snapshot(self._client)

    def raw(self) -> bytes:
        return repr(self.snapshot()).encode()

    def violations(self) -> list[str]:
        return violations(self._client)

    def count(self, kind: Kind) -> int:
        return sum(_COUNTS[kind](contents) for contents in self._every_queue())

    def payloads(self) -> dict[int, bytes]:
        return self._by_seq("payload")

    def results(self) -> dict[int, bytes]:
        return self._by_seq("result")

    def pending(self) -> int:
        return int(self._client.call("ZCARD", self._storage.key("pending")))

    def watch(self) -> None:
        """From now on the scripts of this process write down each change of a row."""
        folder = Path(_emptied_later.enter_context(TemporaryDirectory()))
        shutil.copytree(scripts._HERE, folder, dirs_exist_ok=True)
        text = (folder / "rows.lua").read_text()
        for place, more in _WATCHED.items():
            assert text.count(place) == 1, f"rows.lua has no longer one {place!r}"
            text = text.replace(place, more)
        (folder / "rows.lua").write_text(text)
        _emptied_later.callback(_use_scripts, scripts._HERE)
        _use_scripts(folder)

    def moves(self, after: int = 0) -> list[Move]:
        flat = self._client.call("LRANGE", self._storage.prefix + "watched", after, -1)
        return [_move(after + n + 1, json.loads(line)) for n, line in enumerate(flat)]

    # --- breaking ----------------------------------------------------------------------------

    def set(self, *seqs: int, **columns: Any) -> None:
        values = {_BESIDE[name]: columns.pop(name) for name in _BESIDE if name in columns}
        gone = [name for name, value in values.items() if value is None]
        pairs = [(PLACES[name], _stored(value)) for name, value in columns.items()]
        for seq in seqs:
            arg = {"seq": seq, "columns": pairs, "values": {**values, **dict.fromkeys(gone, False)}}
            assert self._run(_SET, arg) == 1, f"no job {seq}"

    def set_payload(self, seq: int, payload: bytes | None) -> None:
        key = self._storage.key("payload")
        if payload is None:
            self._client.call("HDEL", key, seq)
        else:
            self._client.call("HSET", key, seq, payload)

    def lift_checks(self) -> None:
        pass  # a row is checked when it is written, and not where it lies

    def spoil_figures(self) -> None:
        script, keys = _SPOIL, keys_of(self._storage.queue)
        self._client.run(script, keys, ["0", "{}"])

    def spoil_handlers(self) -> None:
        key = self._storage.key("handler")
        for field in self._client.call("HKEYS", key):
            self._client.call("HSET", key, field, "{")

    def renumber(self, seq: int, to: int) -> None:
        self._run(_RENUMBER, {"seq": seq, "to": to})

    def age_events(self, seconds: float, *, first: int | None = None) -> None:
        for queue in queues(self._client):
            self._age(f"{prefix_of(queue)}event", seconds, first)

    def _age(self, key: str, seconds: float, first: int | None) -> None:
        entries = self._client.call("XRANGE", key, "-", "+")
        self._client.call("DEL", key)
        for number, (id_, fields) in enumerate(entries):
            values = dict(zip(fields[::2], fields[1::2], strict=True))
            if first is None or number < first:
                values[b"at"] = b"%.3f" % (float(values[b"at"]) - seconds)
            flat = [word for pair in values.items() for word in pair]
            self._client.call("XADD", key, id_, *flat)

    # --- accidents ---------------------------------------------------------------------------

    def kill(self, worker: int) -> None:
        """It beats no more, and the server has no such connection. What it had begun it has said
        before."""
        storage = self._storage
        storage.watch.beat()
        storage.watch._lost.add(worker)
        key = storage.key("worker")
        about = json.loads(self._client.call("HGET", key, worker)) | {"pid": NO_PROCESS}
        link = {"client": NOBODY, "server": self._client.server().run_id}
        self._client.call("HSET", key, worker, json.dumps(about))
        self._client.call("HSET", key, f"{worker} link", json.dumps(link))

    def bury(self, worker: int) -> list[Recovered]:
        self.kill(worker)
        recovered = self._storage.recover()
        # Other engines know that a run had not begun. What this one does about its doubts is
        # tested beside this file.
        for contents in self._every_queue():
            for seq, row in contents.rows.items():
                if row["suspect"]:
                    self._run(
                        _SET,
                        {"seq": seq, "columns": [(PLACES["suspect"], 0)], "values": {}},
                        contents.queue,
                    )
        return recovered

    def take_for_dead(self, worker: int) -> None:
        self.bury(worker)
        self._storage.watch._lost.add(worker)

    @contextmanager
    def after_a_look(self, action: Callable[[], object]) -> Iterator[None]:
        client, waiting = self._client, [action]

        def after(plain: Callable[..., Any]) -> Callable[..., Any]:
            def look(*args: Any, **how: Any) -> Any:
                value = plain(*args, **how)
                if waiting:
                    waiting.pop()()
                return value

            return look

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "ask", after(client.ask))
            patch.setattr(client, "call", after(client.call))
            yield

    # --- inside ------------------------------------------------------------------------------

    def _every_queue(self) -> list[Contents]:
        return [read(self._client, queue) for queue in queues(self._client)]

    def _by_seq(self, name: str) -> dict[int, bytes]:
        return {
            int(seq): value
            for contents in self._every_queue()
            for seq, value in contents.hash(name).items()
        }

    def _run(self, script: Any, arg: dict[str, Any], queue: str | None = None) -> Any:
        keys = keys_of(queue or self._storage.queue)
        words = [repr(self._client.now()), json.dumps(arg)]
        return self._client.run(script, keys, words)


#: Columns of a job that stand in other hashes than its row.
_BESIDE = {"errors": "error", "progress": "said"}

_COUNTS: dict[Kind, Callable[[Contents], int]] = {
    "handlers": lambda found: len(found.hash("handler")),
    "inputs": lambda found: sum(len(unpack(each)) for each in found.hash("input").values()),
    "lines": lambda found: sum(b":" in field for field in found.hash("log")),
    "keys": lambda found: len(found.hash("rate").keys() | found.keys.get("due", {}).keys()),
    "declarations": lambda found: len(found.hash("declared")),
    "flags": lambda found: len(found.hash("flag")) + len(found.hash("banned")),
}


def _stored(value: Any) -> Any:
    """A value as rows have it."""
    if value is None:
        return False
    return int(value) if isinstance(value, bool) else value


def _move(number: int, line: list[Any]) -> Move:
    seq, before, after, *counted = line
    return Move(
        number,
        seq,
        State(before) if before else None,
        State(after) if after else None,
        *(tuple(counted[i : i + 2]) for i in range(0, 10, 2)),
    )

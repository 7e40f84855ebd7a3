"""The scripts of the Redis engine: put together from their files, each run as one transaction."""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

from hueycore.model.states import FINAL, TRANSITIONS, WAITING, State

#: The columns of a row, with their defaults: new ones go to the end. The first 16 are those of a
#: plain job; ``rows.lua`` packs others only where they are no defaults.
COLUMNS: dict[str, str | int | None] = {
    "seq": 0, "id": "", "task": "", "state": "", "priority": 0, "run_at": 0, "enqueued_at": 0,
    "attempt": 0, "claim": 0, "worker": None, "claimed_at": None, "preview": None,
    "started_at": None, "finished_at": None, "taken": None, "reason": None,
    "retries": 0, "retry_delay": 0, "retry_backoff": 0, "crashes": 0, "cancel_requested": 0,
    "key_name": None, "expires_at": None, "timeout": None, "max_crashes": 3, "at_most_once": 0,
    "result_ttl": None, "unique_key": None, "unique_until": None, "scheduled_for": None,
    "next": None, "slot": None, "source": None, "inputs": 0, "waits": 0, "delivered": 0,
    "delay": 0, "expires_in": None, "suspect": 0, "batch": None, "ran_by": None,
}  # fmt: skip
DEFAULTS = [*COLUMNS.values()]
#: Every key of a queue. Each call declares them all, so that a cluster that is moving the slot
#: refuses the script (TRYAGAIN) instead of running it on half of the data; or those that it names
#: (``--#keys``), if it touches no other ones.
KEYS = (
    "row", "payload", "result", "error", "said", "handler", "input", "ticket", "log", "id",
    "unique", *State, "expiring", "ttl", "key", "child", "due", "rate", "limit", "lock", "flag",
    "banned", "value", "lapsing", "counter", "periodic", "firing", "declared", "queue", "worker",
    "last", "metric", "total", "arrival", "event", "brought", "mark", "batch", "batches", "owed",
    "ahead",
)  # fmt: skip
#: The names of all queues. Not in the slot of any of them, so no script touches it.
QUEUES = "huey:queues"

_HERE = Path(__file__).parent / "lua"
#: How many rows of one key a transaction moves at most.
MOVES = 500
#: Rows of one call that a script writes at most, and followers that it revokes.
PORTION = 1000
#: Of jobs without options it writes so many in the same time.
PLAIN_PORTION = 5 * PORTION
#: Log lines, and errors, that a job keeps: the newest ones.
KEPT_LINES = 2000
KEPT_ERRORS = 25


class Script(NamedTuple):
    """What EVALSHA runs. A first line ``#!lua`` is for servers from 7.0 on. ``keys``: the names of
    those that a call declares."""

    text: str
    sha: str
    keys: tuple[str, ...] = KEYS


def prefix_of(queue: str) -> str:
    """What all keys of a queue begin with: they are in one slot of a cluster."""
    return f"{{huey:{queue}}}:"


@lru_cache(maxsize=1024)
def keys_of(queue: str, names: tuple[str, ...] = KEYS) -> tuple[str, ...]:
    prefix = prefix_of(queue)
    return tuple(prefix + name for name in names)


@cache
def script(verb: str) -> Script:
    """The script of a verb, ``lua/VERB.lua``."""
    return compose((_HERE / f"{verb}.lua").read_text())


def compose(text: str) -> Script:
    """A script from its own text: before it the columns, and the files that it includes."""
    shebang, text = text.split("\n", 1) if text.startswith("#!") else ("", text)
    named = re.search(r"^--#keys (.*)", text, re.M)
    files: dict[str, str] = {}
    _include(text, files)
    prelude = [_prelude()] if files else []
    lines = "\n".join([*prelude, *files.values(), _with_later(text, files)])
    lines = re.sub(r"^\s*--.*\n|\s+--(?!\[).*$", "", lines, flags=re.M)
    lines = re.sub(r"^\s+", "", lines, flags=re.M)
    lines = re.sub(r"\b[A-Z][A-Z_]+\b", _number, lines)
    by_name = ", ".join(f"{name} = {place}" for place, name in enumerate(COLUMNS, 1))
    lines = lines.replace("BY_NAME", f"{{{by_name}}}".replace("next = ", "['next'] = "))
    whole = f"{shebang}\n{lines}" if shebang else lines
    sha = sha1(whole.encode(), usedforsecurity=False).hexdigest()
    return Script(whole, sha, tuple(named[1].split()) if named else KEYS)


def _include(text: str, files: dict[str, str]) -> None:
    """Collect the files that a text includes, each once and after those that it includes itself."""
    for names in re.findall(r"^--#include (.*)", text, re.M):
        for name in names.split():
            if name not in files:
                own = (_HERE / f"{name}.lua").read_text()
                _include(own, files)
                files[name] = _with_later(own, files)


def _with_later(text: str, files: dict[str, str]) -> str:
    """What is rarely needed (``--#later FILE: FUNCTION …``) is made where it is asked for: making a
    function takes its time in every call of a script."""

    def made(found: re.Match[str]) -> str:
        name, wanted = found.groups()
        inner = dict(files)
        _include(f"--#include {name}", inner)
        body = "\n".join(own for each, own in inner.items() if each not in files)
        fields = ", ".join(f"{each} = {each}" for each in wanted.split())
        return (
            f"local made_{name}\nlocal function {name}()\nif not made_{name} then\n{body}\n"
            f"made_{name} = {{{fields}}}\nend\nreturn made_{name}\nend\n"
        )

    return re.sub(r"^--#later (\w+): (.*)", made, text, flags=re.M)


def _number(word: re.Match[str]) -> str:
    """A column's name becomes its place: Lua has room for 200 local names, and a number is
    faster."""
    return _PLACES.get(word[0], word[0])


_PLACES = {name.upper(): str(place) for place, name in enumerate(COLUMNS, 1)}


@cache
def _prelude() -> str:
    defaults = json.dumps(DEFAULTS)[1:-1].replace("null", "false")
    moves = {f"{a}>{b}" for one in TRANSITIONS for a in one.before or ("",) for b in one.after}
    return "\n".join(
        (
            f"local DEFAULT = {{{defaults}}}",
            f"local MOVES = ' {' '.join(sorted(moves))} '",
            f"local FINAL, WAITING = {_set(FINAL)}, {_set(WAITING)}",
            f"local MOST, PORTION = {MOVES}, {PORTION}",
            f"local KEPT_LINES, KEPT_ERRORS = {KEPT_LINES}, {KEPT_ERRORS}",
        )
    )


def _set(words: set[str] | tuple[State, ...]) -> str:
    return "{" + ", ".join(f"['{word}'] = true" for word in sorted(words)) + "}"

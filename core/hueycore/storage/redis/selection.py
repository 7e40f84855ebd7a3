"""Which jobs: a selector held against rows."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import merge
from itertools import islice
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.model.jobs import Job, Selector
from hueycore.model.states import FINAL, State
from hueycore.storage.redis.part import PAGE, Part
from hueycore.storage.redis.rows import Row, pages

_COLUMNS = Job._fields
_TEXTS = frozenset(
    (
        *("id", "queue", "task", "state", "reason", "key_name", "unique_key"),
        *("unique_until", "preview", "progress", "errors", "ran_by"),
    )
)
_WORDS: dict[str, Callable[[Any, Any], bool]] = {
    "=": eq, "!=": ne, "<": lt, ">": gt, "<=": le, ">=": ge,
}  # fmt: skip
#: Numbers that are sorted at once.
_RUN = 10_000

Test = Callable[[Row], object]


def find(part: Part, selector: Selector, *, texts: bool = True) -> list[Row]:
    """The selected rows, in the order asked for."""
    order = _order(selector)
    found: list[Row] = []
    for queue in queues_of(part, selector):
        found += _found_in(part, queue, selector, texts)
    if selector.keys:
        found = _by_keys(part, selector, found)
    found.sort(key=order, reverse=selector.sort.startswith("-"))
    return found if selector.limit is None else found[: selector.limit]


def count(part: Part, selector: Selector) -> int:
    if selector._replace(queues=(), states=(), sort="seq", limit=None) == Selector():
        check_states(selector)
        names = selector.states or tuple(State)
        return sum(
            sum(part.ask(*(("ZCARD", part.key(name, queue)) for name in {*names})))
            for queue in queues_of(part, selector)
        )
    selector = selector._replace(limit=None, sort="seq")
    if selector.keys:
        return len(find(part, selector, texts=False))
    queues = queues_of(part, selector)
    return sum(1 for queue in queues for _ in _found_in(part, queue, selector, texts=False))


def queues_of(part: Part, selector: Selector) -> list[str]:
    """The queues in which jobs may be selected."""
    if selector.queues == (part.queue,):
        return [part.queue]
    known = part.queue_names()
    return [name for name in known if not selector.queues or name in selector.queues]


def needs_texts(selector: Selector) -> bool:
    """Whether rows are selected by what is not kept in them."""
    return any(name in ("progress", "errors") for name, _, _ in selector.where)


def check_states(selector: Selector) -> None:
    for state in selector.states:
        State(state)


def _by_keys(part: Part, selector: Selector, found: list[Row]) -> list[Row]:
    """Each queue has numbers of its own: one that people typed is about a job of this queue, where
    there is one."""
    numbers = {int(key) for key in selector.keys if is_seq(key)}
    ids = set(selector.keys)
    mine = {row.seq for row in found if row.queue == part.queue}
    known = {row["id"] for row in found}
    chosen = []
    for row in found:
        by_number = row["id"] not in ids and row.seq in numbers
        if not by_number or (
            str(row.seq) not in known and (row.queue == part.queue or row.seq not in mine)
        ):
            chosen.append(row)
    return chosen


def _found_in(part: Part, queue: str, selector: Selector, texts: bool) -> Iterator[Row]:
    test = condition(selector)
    texts = texts or needs_texts(selector)
    seqs, ordered = candidates(part, queue, selector)
    rows = (row for some in seqs for page in pages(part, queue, some, texts=texts) for row in page)
    return islice(filter(test, rows), selector.limit if ordered else None)


def candidates(part: Part, queue: str, selector: Selector) -> tuple[Iterable[Sequence[int]], bool]:
    """Numbers among which are those of the selected jobs, and whether they come in the order
    asked for."""
    check_states(selector)
    by_seq = selector.sort in ("seq", "-seq")
    if selector.keys:
        return [_of_keys(part, queue, selector.keys)], False
    if selector.states == (State.PENDING,) and selector.sort == "running-order":
        return _listed(part, queue, State.PENDING), True
    if selector.states:
        seqs = {seq for state in selector.states for seq in _in_state(part, queue, state, selector)}
        listed = sorted(_between(seqs, selector), reverse=selector.sort == "-seq")
        return _cut(listed), by_seq
    if by_seq and selector.limit is not None:
        return _by_number(part, queue, selector), True
    listed = sorted(_between(_all(part, queue), selector), reverse=selector.sort == "-seq")
    return _cut(listed), by_seq


def _cut(seqs: Sequence[int]) -> Iterator[Sequence[int]]:
    return (seqs[start : start + PAGE] for start in range(0, len(seqs), PAGE))


def _between(seqs: Iterable[int], selector: Selector) -> list[int]:
    low, high = selector.after, selector.before
    return [seq for seq in seqs if seq > low and (not high or seq < high)]


def _all(part: Part, queue: str) -> list[int]:
    return [int(seq) for seq in part.client.call("HKEYS", part.key("row", queue))]


def _in_state(part: Part, queue: str, state: State, selector: Selector) -> list[int]:
    key = part.key(state, queue)
    if state in FINAL and (selector.older_than or selector.newer_than) is not None:
        low = "-inf" if selector.newer_than is None else f"({selector.newer_than!r}"
        high = "+inf" if selector.older_than is None else repr(selector.older_than)
        return [int(one) for one in part.client.call("ZRANGEBYSCORE", key, low, high)]
    return [_seq(state, one) for one in part.client.call("ZRANGE", key, 0, -1)]


def _listed(part: Part, queue: str, state: State, size: int = PAGE) -> Iterator[list[int]]:
    """The numbers of the jobs of a state, in the order in which the server has them."""
    key, start = part.key(state, queue), 0
    while some := part.client.call("ZRANGE", key, start, start + size - 1):
        yield [_seq(state, one) for one in some]
        start += size


def _seq(state: State, member: bytes) -> int:
    return int.from_bytes(member[-8:], "big") if state is State.PENDING else int(member)


def numbers(part: Part, queue: str, states: Sequence[State] = ()) -> Iterator[int]:
    """Of the jobs of some states, or of all, in order, while nobody changes them. Each takes eight
    bytes here."""
    return merge(
        *(
            array("q", sorted(some))
            for state in dict.fromkeys(states or State)
            for some in _listed(part, queue, state, _RUN)
        )
    )


def _by_number(part: Part, queue: str, selector: Selector) -> Iterator[Sequence[int]]:
    """Numbers in the order asked for, as long as there are jobs among them."""
    last, number = part.ask(
        ("HGET", part.key("queue", queue), "seq"), ("HLEN", part.key("row", queue))
    )
    high = min(int(last or 0), selector.before - 1 if selector.before else int(last or 0))
    low = selector.after + 1
    if number * 2 < high - low:  # most are gone
        down = selector.sort == "-seq"
        yield from _cut(sorted(_between(_all(part, queue), selector), reverse=down))
        return
    numbers = range(high, low - 1, -1) if selector.sort == "-seq" else range(low, high + 1)
    yield from (list(numbers[start : start + PAGE]) for start in range(0, len(numbers), PAGE))


def _of_keys(part: Part, queue: str, keys: Sequence[str]) -> list[int]:
    """What people typed: an id wins, else it is a number."""
    known = part.many("HMGET", "id", keys, queue)
    found = {int(seq) for seq in known if seq is not None}
    found |= {int(key) for key, seq in zip(keys, known, strict=True) if seq is None and is_seq(key)}
    return sorted(found)


def is_seq(key: str) -> bool:
    """Whether a text can be a job's number."""
    return key.isascii() and key.isdigit() and len(key) < 16


def condition(selector: Selector) -> Test:
    """Whether a row is selected. Raises ``ConfigurationError`` for a column or an operator that
    does not exist."""
    tests: list[Test] = []
    if selector.states:
        states = {str(State(state)) for state in selector.states}
        tests.append(lambda row: row["state"] in states)
    if selector.task is not None:
        matches = glob(selector.task)
        tests.append(lambda row: matches(row["task"]))
    if selector.older_than is not None:
        old = selector.older_than
        tests.append(lambda row: since(row) <= old)
    if selector.newer_than is not None:
        new = selector.newer_than
        tests.append(lambda row: since(row) > new)
    low, high = selector.priority
    if low is not None:
        tests.append(lambda row: row["priority"] >= low)
    if high is not None:
        tests.append(lambda row: row["priority"] <= high)
    if selector.after:
        tests.append(lambda row: row.seq > selector.after)
    if selector.before:
        tests.append(lambda row: row.seq < selector.before)
    tests += [_comparison(*one) for one in selector.where]
    return lambda row: all(test(row) for test in tests)


def since(row: Row) -> float:
    """When a row came into its state."""
    at = row["finished_at"]
    if at is None:
        at = row["claimed_at"]
    if at is None:
        at = row["enqueued_at"] if row["state"] == "scheduled" else row["run_at"]
    return float(at)


def _comparison(column: str, operator: str, value: Any) -> Test:
    """Texts and numbers compare as in SQLite: what reads as a number is one for a column of
    numbers, and any other text comes after all numbers."""
    _check_column(column)
    if operator == "~":
        part = str(value)
        return lambda row: row[column] is not None and part in _as_text(row[column])
    if operator not in _WORDS:
        raise ConfigurationError(f"unknown operator {operator!r}: use = != < > <= >= ~")
    word = _WORDS[operator]
    wanted: Any
    if column in _TEXTS:
        wanted = value if value is None else str(value)
    elif isinstance(value, str):
        try:
            wanted = float(value)
        except ValueError:
            return lambda row: (
                word("a", None if row[column] is None else "b")
                if (row[column] is not None or operator in ("=", "!="))
                else False
            )
    else:
        wanted = int(value) if isinstance(value, bool) else value
    if operator in ("=", "!="):
        return lambda row: word(row[column], wanted)
    return lambda row: row[column] is not None and wanted is not None and word(row[column], wanted)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _check_column(column: str) -> None:
    if column not in _COLUMNS:
        raise ConfigurationError(f"unknown column {column!r}; there are {', '.join(_COLUMNS)}")


def _order(selector: Selector) -> Callable[[Row], Any]:
    if selector.sort == "running-order":
        return lambda row: (-row["priority"], row["run_at"], row.seq)
    column = selector.sort.removeprefix("-")
    _check_column(column)
    if column == "seq":
        return lambda row: row.seq
    # What is missing comes first, as in SQLite.
    return lambda row: (
        row[column] is not None,
        row[column] if row[column] is not None else 0,
        row.seq,
    )


@lru_cache(maxsize=64)
def glob(pattern: str) -> Callable[[str], object]:
    """``*`` for any text, ``?`` for a character, ``[abc]`` for one of some. Raises
    ``StorageError`` for one that is too long."""
    if len(pattern) > _LONGEST:
        raise StorageError(f"the pattern has {len(pattern)} characters, {_LONGEST} at most")
    first, *rest = _parts(pattern)
    if rest:
        *inner, last = rest
        # The first place where a part fits is the best one: nothing is tried twice.
        found = first + "".join(f"(?>.*?{part})" for part in inner) + f".*{last}"
    else:
        found = first
    return re.compile(found + r"\Z", re.S).match


_LONGEST = 10_000
_ANY = "?"
_TOKEN = re.compile(r"\[\^?\]?[^\]]*\]|.", re.S)


def _parts(pattern: str) -> list[str]:
    """What stands between the stars, as expressions."""
    parts = [""]
    for found in _TOKEN.finditer(pattern):
        if found[0] == "*":
            parts.append("")
        else:
            parts[-1] += _expression(found[0])
    return parts


def _expression(token: str) -> str:
    if token == _ANY:
        return "."
    if len(token) == 1:
        return re.escape(token)
    inside, no = token[1:-1], ""
    if inside.startswith("^"):
        inside, no = inside[1:], "^"
    escaped = re.sub(r"([\\\]\[^&~|])", r"\\\1", inside)
    return f"[{no}{escaped}]"

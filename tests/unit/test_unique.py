"""Keys of calls: the same for the same call, in any process and Python, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hueycore.exceptions import SerializationError
from hueycore.tasks.unique import Unique, fingerprint, make_unique
from tests.helpers import PYTHONPATH


class Color(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Point:
    x: int
    y: int


def f(a: Any, b: Any = 2, *more: Any, **others: Any) -> None: ...


def key(*args: Any, **kwargs: Any) -> str:
    return fingerprint(f, args, kwargs)


@pytest.mark.feature("unique")
def test_positional_and_keyword_arguments_are_one_call() -> None:
    assert key(1, 5) == key(1, b=5) == key(b=5, a=1)
    assert key(1, x=1, y=2) == key(1, y=2, x=1)
    assert key(1) != key(1, 5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}),
        ({1: "x", "1": "y"}, {"1": "y", 1: "x"}),
        (OrderedDict(a=1, b=2), {"b": 2, "a": 1}),
        ({3, 1, 2}, frozenset((1, 2, 3))),
        ((1, 2), [1, 2]),
        (b"\xff", bytearray(b"\xff")),
        (
            datetime(2026, 1, 2, 12, tzinfo=UTC),
            datetime(2026, 1, 2, 14, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
)
def test_what_is_the_same_has_one_key(one: Any, other: Any) -> None:
    assert key(one) == key(other)


def test_what_differs_has_keys_of_its_own() -> None:
    values = [
        None, True, False, 0, 1, 1.0, 1.5, "1", "", "None", b"1", (), [1], [[1]], [1, [2]],
        [[1], 2], ["1"], ["a,b"], ["a", "b"], {}, {"a": 1}, {"a": None},
        {"a": 1, "b": 2}, {"a": {"b": 2}},
        set(), {1}, Color.RED, Color.BLUE, Point(1, 2), Point(2, 1), date(2026, 1, 1),
        datetime(2026, 1, 1), timedelta(1), timedelta(seconds=1), Decimal(1), Decimal("1.5"),
        UUID(int=1), PurePosixPath("a"), 10**5000, "\ud800", complex(1, 2),
    ]  # fmt: skip

    assert len({key(value) for value in values}) == len(values)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(plain, plain)
def test_two_values_share_a_key_when_they_are_written_alike(one: Any, other: Any) -> None:
    assert (key(one) == key(other)) == (repr_of(one) == repr_of(other))


def repr_of(value: Any) -> str:
    if isinstance(value, dict):
        return f"dict {sorted((name, repr_of(item)) for name, item in value.items())}"
    return repr([repr_of(item) for item in value]) if isinstance(value, list) else repr(value)


def test_a_key_is_what_it_always_was_in_every_process() -> None:
    code = """
        from hueycore.tasks.unique import fingerprint
        def f(a, b): ...
        print(fingerprint(f, ({"x": {"m", "n", "o"}, "y": 1},), {"b": ["z", 1.5]}))
    """
    import textwrap

    answers = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**os.environ, "PYTHONPATH": PYTHONPATH, "PYTHONHASHSEED": str(seed)},
            check=True, capture_output=True, text=True,
        ).stdout.strip()
        for seed in range(3)
    }  # fmt: skip

    # Written down: another Python or release must not tell jobs apart that wait already.
    assert answers == {"6154690742c85b77f2c2441adc99bd35"}


def test_what_has_no_canonical_form_says_what_to_do() -> None:
    circle: list[Any] = []
    circle.append(circle)
    for value in (object(), lambda: 1, [open]):
        with pytest.raises(SerializationError, match="give unique= a function"):
            key(value)
    with pytest.raises(SerializationError, match="contain themselves"):
        key(circle)


def test_wrong_arguments_have_a_key_all_the_same() -> None:
    assert key() == key()
    assert key(1, a=2) != key(2, a=1)


def test_how_jobs_are_told_apart_may_be_said_in_four_ways() -> None:
    by = Unique(by=lambda a, b=0: f"{a}/{b}")
    assert by.key_of(f, (1,), {"b": 2}) == "1/2"
    assert Unique(by=lambda *args: None).key_of(f, (1,), {}) is None
    assert Unique(by="task").key_of(f, (1,), {}) == Unique(by="task").key_of(f, (2,), {})
    assert Unique(by=True).key_of(f, (1,), {}) == Unique(by="args").key_of(f, (1,), {}) == key(1)
    assert Unique(by=True, key="mine").key_of(f, (1,), {}) == "mine"


@pytest.mark.parametrize(
    "given",
    [
        {"by": "arg"}, {"by": 5}, {"key": ""}, {"by": True, "until": "never"},
        {"by": True, "on_conflict": "ignore"}, {"until": "end"}, {"on_conflict": "fail"},
        {"by": False, "on_conflict": "fail"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_at_once(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"use|cannot be empty|need unique="):
        make_unique(None, **given)


def test_a_call_changes_what_it_says_and_keeps_the_rest() -> None:
    base = make_unique(None, by=True, on_conflict="replace")

    assert make_unique(base) == base
    assert make_unique(base, until="start") == Unique(True, None, "start", "replace")
    assert make_unique(base, by=False) is None or make_unique(base, by=False)

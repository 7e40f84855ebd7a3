"""Bytes of every origin: what was written is read back, what was not is an error, and nothing that
lies in a payload runs outside of the application."""

from __future__ import annotations

import builtins
import datetime
import decimal
import functools
import os
import pickle
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hueycore.exceptions import SerializationError
from hueycore.serializer import (
    CUSTOM,
    JSON,
    PICKLE,
    PREVIEW,
    JSONSerializer,
    Serializer,
    describe,
    format_name,
    safe_repr,
)
from hueyctl.answers.budget import SAFE_LIMIT
from hueyctl.answers.safe_pickle import safe_decode

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)
zones = st.sampled_from([None, datetime.UTC, datetime.timezone(datetime.timedelta(hours=5.5))])
plain = (
    st.none() | st.booleans() | st.integers() | finite | texts | st.binary()
    | st.binary().map(bytearray) | st.complex_numbers(allow_nan=False) | st.uuids()
    | st.decimals(allow_nan=False) | st.dates() | st.times() | st.timedeltas()
    | st.datetimes(timezones=zones)
)  # fmt: skip
hashable = st.none() | st.booleans() | st.integers() | texts | st.binary() | st.dates() | st.uuids()
plain_values = st.recursive(
    plain | st.sets(hashable, max_size=4) | st.frozensets(hashable, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


class Reversing(Serializer):
    """A user's own, in the way of Huey."""

    def _serialize(self, data: Any) -> bytes:
        return repr(data).encode()[::-1]

    def _deserialize(self, data: bytes) -> Any:
        return eval(data[::-1], {})


class Quieter(Serializer):
    """Another preview, the same bytes."""

    def preview(self, args: Any, kwargs: Any) -> str | None:
        return None


# --- there and back -------------------------------------------------------------------------------


@given(plain_values)
def test_what_is_pickled_comes_back(value: Any) -> None:
    data = Serializer().serialize(value)

    assert data[0] == PICKLE
    assert Serializer().deserialize(data) == value


@given(json_values)
def test_what_is_written_as_json_comes_back(value: Any) -> None:
    data = JSONSerializer().serialize(value)

    assert data[0] == JSON
    assert JSONSerializer().deserialize(data) == value


@given(plain_values, st.sampled_from(range(pickle.HIGHEST_PROTOCOL + 1)))
def test_every_protocol_can_be_asked_for(value: Any, protocol: int) -> None:
    data = Serializer(pickle_protocol=protocol).serialize(value)

    assert Serializer().deserialize(data) == value
    # Up to protocol 2 bytes are a call of a codec, which is not decoded outside.
    assert safe_decode(data) == (True, value) or protocol < 3


def test_json_forgets_tuples_and_types_of_keys() -> None:
    json = JSONSerializer()

    assert json.deserialize(json.serialize({1: (2, 3)})) == {"1": [2, 3]}


def test_a_custom_serializer_has_its_own_first_byte() -> None:
    data = Reversing().serialize([1, "a"])

    assert data[0] == CUSTOM
    assert Reversing().deserialize(data) == [1, "a"]
    assert Reversing.name == "custom"
    assert Quieter().serialize(1)[0] == PICKLE
    assert type("Further", (Reversing,), {})().serialize(1)[0] == CUSTOM


# --- what was not written here --------------------------------------------------------------------


@pytest.mark.parametrize("reader", [Serializer(), JSONSerializer(), Reversing()])
@pytest.mark.parametrize("writer", [Serializer(), JSONSerializer(), Reversing()])
def test_bytes_of_another_serializer_are_an_error_that_names_both(
    reader: Serializer, writer: Serializer
) -> None:
    if type(reader) is not type(writer):
        expected = f"written as {format_name(writer.serialize(1))}, read as"
        with pytest.raises(SerializationError, match=expected):
            reader.deserialize(writer.serialize(1))


@pytest.mark.parametrize("serializer", [Serializer(), JSONSerializer(), Reversing()])
@pytest.mark.parametrize("first", [b"", b"\x00", b"\x03", b"\x80", b"{", b"\xff"])
def test_an_unknown_first_byte_is_an_error_never_a_guess(
    serializer: Serializer, first: bytes
) -> None:
    with pytest.raises(SerializationError, match="nothing" if not first else "an unknown format"):
        serializer.deserialize(first + serializer.serialize(1)[1:] if first else b"")


@given(plain_values, st.data())
def test_a_truncated_payload_is_an_error_or_nothing_worse(value: Any, data: st.DataObject) -> None:
    whole = Serializer().serialize(value)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]

    with pytest.raises(SerializationError):
        Serializer().deserialize(cut)
    assert safe_decode(cut) == (False, None)


@given(st.binary(max_size=60))
def test_noise_is_an_error_or_a_value(noise: bytes) -> None:
    for tag in (PICKLE, JSON):
        found, value = safe_decode(bytes([tag]) + noise)
        assert found or value is None
    try:
        JSONSerializer().deserialize(bytes([JSON]) + noise)
    except SerializationError:
        pass


class Unpicklable:
    def __reduce__(self) -> Any:
        raise RuntimeError("cannot")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")


class RaisesMute:
    def __reduce__(self) -> Any:
        raise Mute


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


def test_what_cannot_be_written_is_an_error_that_shows_it() -> None:
    for value in (lambda: 1, Unpicklable(), RaisesMute(), (n for n in ())):
        with pytest.raises(SerializationError, match="cannot pickle"):
            Serializer().serialize(value)
    for value in (object(), {1, 2}, b"bytes", float("nan"), {(1, 2): 3}, endless(), "\ud800"):
        with pytest.raises(SerializationError, match="cannot json"):
            JSONSerializer().serialize(value)


def test_what_is_too_deep_is_an_error() -> None:
    nested = b"[" * 100_000 + b"]" * 100_000

    with pytest.raises(SerializationError):
        JSONSerializer().serialize(deep())
    with pytest.raises(SerializationError):
        JSONSerializer().deserialize(bytes([JSON]) + nested)
    assert safe_decode(bytes([JSON]) + nested) == (False, None)


def test_a_class_that_is_gone_is_an_error() -> None:
    data = Serializer().serialize(Unreadable())

    with pytest.raises(SerializationError, match="unreadable pickle data: ZeroDivisionError"):
        Serializer().deserialize(data)


class Unreadable:
    def __reduce__(self) -> Any:
        return _divide, ()


def _divide() -> None:
    1 / 0


def test_the_format_of_a_blob_has_a_name() -> None:
    assert format_name(None) == format_name(b"") == "nothing"
    assert format_name(b"\x01x") == "pickle/1"
    assert format_name(b"\x02x") == "json/1"
    assert format_name(b"\x7fx") == "custom"
    assert format_name(b"\xaax") == "an unknown format (0xaa)"


# --- outside of the application -------------------------------------------------------------------


@given(plain_values)
def test_plain_types_are_decoded_outside_of_the_application(value: Any) -> None:
    assert safe_decode(Serializer().serialize(value)) == (True, value)


@given(json_values)
def test_json_is_decoded_outside_of_the_application(value: Any) -> None:
    assert safe_decode(JSONSerializer().serialize(value)) == (True, value)


def trap() -> None:
    """What must never run."""
    builtins.hueycore_trap = True  # type: ignore[attr-defined]


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> Any:
        return self.function, self.args


class State:
    """Pickles as an object whose state is set when it is read."""

    def __setstate__(self, state: Any) -> None:
        trap()

    def __getstate__(self) -> Any:
        return {"a": 1}


EVAL = "__import__('builtins').__dict__.update(hueycore_trap=True)"


@pytest.mark.parametrize(
    "value",
    [
        Call(eval, EVAL),
        Call(exec, EVAL),
        Call(os.system, "true"),
        Call(trap),
        Call(__import__, "antigravity"),
        Call(getattr, datetime.datetime, "now"),
        Call(open, os.devnull),
        Call(functools.partial, trap),
        Call(map, trap, [1]),
        Call(type, "X", (), {}),
        State(),
        trap,
        Unpicklable,
        eval,
        object(),
        range(3),
        slice(1),
        Exception("x"),
        uuid.SafeUUID.safe,
        decimal.getcontext(),
        [1, {"a": (Call(eval, EVAL),)}],
        {Call(eval, EVAL): 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_in_a_payload_runs_outside_of_the_application(value: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        try:
            data = Serializer(pickle_protocol=protocol).serialize(value)
        except SerializationError:
            continue
        assert safe_decode(data) == (False, None)
    assert not hasattr(builtins, "hueycore_trap")


#: Opcodes that reach for a name by other ways than Python's own pickler takes.
CRAFTED = {
    "GLOBAL and REDUCE": b"cbuiltins\neval\n(S'hueycore_trap'\ntR.",
    "INST": b"(S'1'\nibuiltins\neval\n.",
    "OBJ": b"(cbuiltins\neval\nS'1'\no.",
    "STACK_GLOBAL": b"\x8c\x08builtins\x8c\x04eval\x93(\x8c\x011tR.",
    "Python 2's names": b"c__builtin__\neval\n(S'1'\ntR.",
    "a dotted name": b"\x80\x04\x8c\x08datetime\x8c\x0cdatetime.now\x93)R.",
    "a module's attribute": b"\x80\x04\x8c\x04uuid\x8c\x07os.getpid\x93)R.",
    "NEWOBJ": b"\x80\x02cbuiltins\nobject\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04\x8c\x08builtins\x8c\x04type\x93)}\x92.",
    "PERSID": b"Pname\n.",
    "BINPERSID": b"K\x01Q.",
    "EXT1": b"\x82\x01.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "the file's end": b"",
    "no STOP": b"K\x01",
}


@pytest.mark.parametrize("data", CRAFTED.values(), ids=CRAFTED.keys())
def test_a_crafted_pickle_is_not_decoded(data: bytes) -> None:
    assert safe_decode(bytes([PICKLE]) + data) == (False, None)
    assert not hasattr(builtins, "hueycore_trap")


@pytest.mark.parametrize("size", [2**33, 2**40, 2**62])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_few_bytes_cannot_ask_for_gigabytes(size: int, protocol: int) -> None:
    data = Serializer(pickle_protocol=protocol).serialize(Call(bytearray, size))

    assert len(data) < 100
    assert safe_decode(data) == (False, None)


def test_what_is_large_or_of_another_format_is_not_decoded() -> None:
    assert safe_decode(Serializer().serialize(b"x" * SAFE_LIMIT)) == (False, None)
    assert safe_decode(JSONSerializer().serialize("x" * SAFE_LIMIT)) == (False, None)
    assert safe_decode(Reversing().serialize(1)) == (False, None)
    assert safe_decode(None) == safe_decode(b"") == safe_decode(b"\x09x") == (False, None)
    assert safe_decode(Serializer().serialize(b"x" * (SAFE_LIMIT - 100)))[0]


# --- previews -------------------------------------------------------------------------------------


class Hostile:
    """Its repr does what it is told."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def __repr__(self) -> str:
        return self.act()  # type: ignore[no-any-return]


class Text(str):
    """A text that cannot be measured."""

    def __len__(self) -> int:
        raise RuntimeError("no length")


def fail() -> str:
    raise RuntimeError("no repr")


def recurse() -> str:
    return recurse()


HOSTILE: dict[str, Callable[[], Any]] = {
    "raises": fail,
    "recurses": recurse,
    "is no text": lambda: 7,
    "is long": lambda: "x" * 1_000_000,
    "has surrogates": lambda: "\ud800 and \udfff",
    "has zeros": lambda: "a\x00b",
    "has lines": lambda: "a\nb\r\x1b[31m",
    "cannot be measured": lambda: Text("abc"),
}


@pytest.mark.parametrize("act", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_preview_survives_any_repr(act: Callable[[], Any]) -> None:
    value = Hostile(act)

    for args in ((value,), ([value, value],), ({"key": value},), ((value,) * 50,)):
        preview = Serializer().preview(args, {"name": value})
        assert preview is not None and 0 < len(preview) <= PREVIEW
        preview.encode()  # a row of SQLite holds only what UTF-8 can say


@given(st.lists(plain_values, max_size=3), st.dictionaries(st.just("kw"), plain_values))
def test_a_preview_is_short_and_can_be_stored(args: list[Any], kwargs: dict[str, Any]) -> None:
    preview = Serializer().preview(tuple(args), kwargs)

    assert preview is not None and len(preview) <= PREVIEW
    preview.encode()


def test_a_preview_looks_like_the_call() -> None:
    preview = Serializer().preview((1, "a", None, [1, 2]), {"when": 2.5, "who": "me"})

    assert preview == "1, 'a', None, [1, 2], when=2.5, who='me'"
    assert Serializer().preview((), {}) == ""
    assert Quieter().preview((1,), {}) is None


def test_what_is_large_is_cut() -> None:
    preview = Serializer().preview(("x" * 10**6, list(range(10**5)), 10**10_000, endless()), {})

    assert preview is not None and len(preview) <= PREVIEW
    assert safe_repr("x" * 1000, 10) == safe_repr("x" * 1000, 10)[:9] + "…"


def test_every_error_can_be_described() -> None:
    assert describe(ValueError("no")) == "ValueError: no"
    assert describe(Mute()) == "Mute (its message cannot be shown)"
    assert describe(KeyError()) == "KeyError: "
    long = describe(ValueError("begin" + "x" * 10**6 + "end"))
    assert len(long) < 1100
    assert long.startswith("ValueError: begin") and long.endswith("xend")
